"""BREC's pairs of graphs, from one table or from the publisher's arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graphkit.data.catalog.brec import ARRAYS, BREC, TABLE
from graphkit.data.download import ensure, has_checksum
from graphkit.data.graph_pairs import GraphPair
from graphkit.data.readers.graph6 import decode_graph6
from graphkit.data.readers.rows import damaged

_COLUMNS = ["pair", "category", "first", "second"]


def read_brec(root: Path) -> list[GraphPair]:
    """The 400 pairs, named by their category and their number in it, `cfi-17`.

    Args:
        root: The data root. Its `BREC/pairs.tsv` is read where it exists; else the publisher's arrays are, which are
            downloaded the first time. Both hold the same pairs in the same order.

    Raises:
        DataError: Files are missing and cannot be downloaded, or are damaged.
    """
    table = root / TABLE.path
    if table.is_file():
        if not has_checksum(table, TABLE.checksum):
            raise damaged(table, ValueError("it does not match its checksum"))
        return _from_table(table)
    ensure(BREC, root)
    return [pair for category, file in ARRAYS.items() for pair in _from_array(root / file.path, category)]


def _from_table(path: Path) -> list[GraphPair]:
    # Without quoting: a graph in graph6 may hold any printable character, a backslash and braces among them.
    lines = path.read_text(encoding="ascii").splitlines()
    rows = [line.split("\t") for line in lines]
    if not rows or rows[0] != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise damaged(path, ValueError(f"the columns {', '.join(_COLUMNS)} were expected"))
    counts: dict[str, int] = {}
    pairs = []
    for _, category, first, second in rows[1:]:
        pairs.append(_pair(path, category, counts.setdefault(category, 0), first, second))
        counts[category] += 1
    return pairs


def _from_array(path: Path, category: str) -> list[GraphPair]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(path, error) from error
    graphs = [one if isinstance(one, str) else one.decode("ascii") for one in array.ravel().tolist()]
    both = zip(graphs[0::2], graphs[1::2], strict=True)
    return [_pair(path, category, number, first, second) for number, (first, second) in enumerate(both)]


def _pair(path: Path, category: str, number: int, first: str, second: str) -> GraphPair:
    try:
        return GraphPair(f"{category}-{number}", category, decode_graph6(first), decode_graph6(second))
    except ValueError as error:
        raise damaged(path, error) from error
