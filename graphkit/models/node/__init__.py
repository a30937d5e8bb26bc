"""Models for node classification."""
