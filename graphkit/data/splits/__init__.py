"""Training, validation and test; negatives."""
