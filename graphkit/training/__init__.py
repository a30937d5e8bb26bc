"""The training loop, seeds, checkpoints and resume, logs, and the run folder. Importing this package imports no torch."""
