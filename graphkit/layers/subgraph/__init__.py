"""Layers on bags of subgraphs and on pairs of nodes."""
