"""Pairs of nodes: intersection of their neighborhoods, products of their rows."""
