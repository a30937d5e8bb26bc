"""Layers that turn the rows of a graph into one row per graph."""
