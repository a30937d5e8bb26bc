"""Answers from finished runs: best items by name, for known and new users, embeddings, an approximate index, files."""
