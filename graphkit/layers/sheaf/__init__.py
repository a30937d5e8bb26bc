"""Layers on sheaves."""
