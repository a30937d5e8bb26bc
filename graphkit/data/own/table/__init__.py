"""Tables of the user's own, whatever their form: one reader under all readers of own files."""

from graphkit.data.own.table.reader import Reading, read_table
from graphkit.data.own.table.table import Column, Table

__all__ = ["Column", "Reading", "Table", "read_table"]
