"""What leaks between training and evaluation: looked for in splits, and told in sentences."""
