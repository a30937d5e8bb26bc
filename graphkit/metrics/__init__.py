"""Metrics by name: `registry` parses the names, `choice` tells which can decide on a data set. Importing it needs no torch."""
