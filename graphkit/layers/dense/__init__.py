"""Layers on dense or sparse rows, without a graph."""
