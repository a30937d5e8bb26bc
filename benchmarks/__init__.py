"""Measured claims: speed here, published numbers in the tables."""
