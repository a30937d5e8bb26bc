"""Seeded fuzzing: override lists, tables and run folders, well-formed and broken, each judged by an oracle of its own.

A small part runs with the tests; `python -m tests.fuzz --help` runs as much as is asked for.
"""
