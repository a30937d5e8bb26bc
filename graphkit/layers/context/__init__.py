"""Contexts of nodes: named facts with units, a reasoner that turns them into an explanation vector, and their words."""
