"""Data sets without a file: those that come with the dependencies, and planted ones with known answers."""
