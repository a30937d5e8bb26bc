"""Models for tasks on whole graphs."""
