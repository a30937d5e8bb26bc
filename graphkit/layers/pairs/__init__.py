"""Scores of node pairs."""
