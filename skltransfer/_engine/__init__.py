"""The one place where Keras networks are compiled, trained and run.

Networks are compiled once per structure. A bounded pool lends them; whoever borrows one
sets its weights from arrays and is its only user until it is given back.
"""
