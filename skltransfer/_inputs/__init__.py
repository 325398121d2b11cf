"""What users pass as X: tables, sequences, images, texts, audio; read in batches, never all at once."""
