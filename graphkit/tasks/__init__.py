"""What is a batch, a loss and a metric: one task a file."""
