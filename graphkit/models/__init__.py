"""Layers composed into a task's model: encoder and head, plain arguments."""
