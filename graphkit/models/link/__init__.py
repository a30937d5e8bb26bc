"""Models for link prediction."""
