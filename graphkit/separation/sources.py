"""Where pairs of graphs come from: generated, BREC, or a file of the user's."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from graphkit.data.generated.pairs import generated_pairs
from graphkit.data.graph_pairs import GraphPair
from graphkit.data.loading import data_root
from graphkit.data.readers.brec import read_brec
from graphkit.data.readers.graph6 import read_graph6
from graphkit.errors import DataError, RequestError, shown
from graphkit.nearest import did_you_mean
from graphkit.paths import expanded

MOST_PAIRS = 100_000


def load_pairs(
    source: str, *, pairing: str = "all", root: str | os.PathLike[str] | None = None, only: Sequence[str] = ()
) -> list[GraphPair]:
    """Pairs of graphs.

    Args:
        source: `generated`, `brec`, or the path of a file with one graph in graph6 per line.
        pairing: Of a file: `all` for every two graphs, `next` for the first with the second, the third with the fourth.
        root: Data folder for `brec`; default: $GRAPHKIT_DATA, else ~/.cache/graphkit.
        only: Categories or names of pairs to keep; empty for all.

    Returns:
        At least one pair. Those of a file are named by the places of their graphs, from 1 on: `1-2`.

    Raises:
        DataError: A file is missing, damaged or malformed.
        RequestError: `only` names what there is not, or there are too many pairs.
    """
    if source == "generated":
        pairs = generated_pairs()
    elif source == "brec":
        folder = data_root(root)
        try:
            pairs = read_brec(folder)
        except OSError as error:
            raise DataError(f"cannot use {folder} ({error.strerror}): make it readable, or give data.root=") from error
    else:
        pairs = _of_file(expanded(source, "pairs"), pairing)
    return _selected(pairs, only) if only else pairs


def _of_file(path: Path, pairing: str) -> list[GraphPair]:
    graphs = read_graph6(path)
    if len(graphs) < 2 or (pairing == "next" and len(graphs) % 2):
        wanted = "at least two graphs" if len(graphs) < 2 else "an even number of graphs, for pairing=next"
        raise DataError(f"{path} holds {len(graphs)} graph(s): write {wanted}")
    if pairing == "all" and len(graphs) * (len(graphs) - 1) // 2 > MOST_PAIRS:
        raise RequestError(f"{path} holds {len(graphs):,} graphs, more than {MOST_PAIRS:,} pairs: give pairing=next or fewer")
    numbers = range(len(graphs))
    places = zip(numbers[::2], numbers[1::2], strict=True) if pairing == "next" else itertools.combinations(numbers, 2)
    return [GraphPair(f"{one + 1}-{two + 1}", path.stem, graphs[one], graphs[two]) for one, two in places]


def _selected(pairs: list[GraphPair], only: Sequence[str]) -> list[GraphPair]:
    known = dict.fromkeys([*(pair.category for pair in pairs), *(pair.name for pair in pairs)])
    wrong = [name for name in only if name not in known]
    if wrong:
        categories = ", ".join(dict.fromkeys(pair.category for pair in pairs))
        lines = (
            f"only={shown(name)}" + (did_you_mean(name, known) or f": no category and no pair; categories: {categories}")
            for name in wrong
        )
        raise RequestError("\n".join(lines))
    return [pair for pair in pairs if pair.category in only or pair.name in only]
