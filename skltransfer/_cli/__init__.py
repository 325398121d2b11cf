"""The command line, a file for each command; none of them imports more than it needs when it is run."""
