"""graphkit: a graph learning toolkit built on message passing.

Importing this package imports neither torch nor PyG, so that asking (`--help`, `--list`) stays instant.
Layers live in `graphkit.layers`, data sets in `graphkit.data`, the runner in `graphkit.run`.
"""

__version__ = "0.1.0"
