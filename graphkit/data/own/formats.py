"""Known public layouts, recognized by the name of the file or asked for by `data.format`, and what each says of a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.table import Reading

_SAID = {
    "snap": {"comments": "true"},
    "gephi": {"header": "true"},
    "neo4j": {"header": "true"},
    "recbole": {"header": "true", "separator": "tab"},
}
"""What a layout says of how its tables are read."""
_OGB = {"edges": "edge", "features": "node-feat", "labels": "node-label"}
_ENDINGS = (".csv.gz", ".csv")


@dataclass(frozen=True)
class Layout:
    """How a file of a known layout is to be read.

    Attributes:
        reading: Header, separator, comments, encoding.
        columns: What columns are for.
        rows_are_nodes: Whether row i is node i, without a column of ids.
        label_last: Whether the last column is the label and the others are features.
        may_name_others: Whether edges may name nodes that have no row, as those of CiteSeer do; they are left out and counted.
    """

    reading: Reading
    columns: GraphColumns
    rows_are_nodes: bool = False
    label_last: bool = False
    may_name_others: bool = False


def inside(key: str, path: Path) -> Path:
    """The file of an OGB folder that a setting means; a path that is no such folder stays as it is."""
    if key in _OGB and path.is_dir():
        for place in (path, path / "raw"):
            for ending in _ENDINGS:
                if (found := place / (_OGB[key] + ending)).is_file():
                    return found
    return path


def layout_of(path: Path, kind: str, format: str, reading: Reading, columns: GraphColumns) -> Layout:
    """How a file is to be read; what the user said wins.

    Args:
        path: The file.
        kind: `edges`, `features` or `labels`.
        format: The setting `data.format`.
        reading: How tables are to be read.
        columns: What columns are for.
    """
    layout = Layout(reading, columns)
    headless = replace(reading, header="false") if reading.header == "auto" else reading
    name = path.name.removesuffix(".gz")
    if format == "ogb" or (format == "auto" and name in ("node-feat.csv", "node-label.csv")):
        return replace(layout, reading=headless, rows_are_nodes=kind != "edges")
    if format == "linqs" or (format == "auto" and name.endswith((".cites", ".content"))):
        if kind == "edges":  # a row names the paper that is cited, then the one that cites it
            ends = replace(columns, source=columns.source or "2", target=columns.target or "1")
            return replace(layout, reading=headless, columns=ends, may_name_others=True)
        return replace(layout, reading=headless, label_last=True)
    return layout


def reading_of(format: str, reading: Reading) -> Reading:
    """How tables of a layout are to be read; what the user said wins."""
    return replace(reading, **{key: value for key, value in _SAID.get(format, {}).items() if getattr(reading, key) == "auto"})
