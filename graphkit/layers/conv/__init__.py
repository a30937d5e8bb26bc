"""Convolutions and weightless propagation."""
