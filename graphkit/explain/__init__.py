"""Why a finished run decided as it did: `graphkit.explain.explain("runs/...", node=17)`. Importing it needs no torch."""

from graphkit.explain.door import explain, explain_all, main

__all__ = ["explain", "explain_all", "main"]
