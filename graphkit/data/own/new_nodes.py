"""New nodes of a graph that is there already: their features and edges from tables in the forms of own files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.data.dataset import NodeData
from graphkit.data.graph import Graph, required
from graphkit.data.graphs import merge_edges
from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.features import Coding, Codings
from graphkit.data.own.formats import layout_of
from graphkit.data.own.graph_file import is_graph_file, read_graph_file
from graphkit.data.own.node_rows import node_rows
from graphkit.data.own.pairs import OwnPairs, Rows, table_from
from graphkit.data.own.table import Reading, Table, read_table
from graphkit.data.own.table.roles import NODE
from graphkit.data.splits.edges import message_graph
from graphkit.errors import DataError, shown


def read_new_nodes(
    rows: Path | Rows, dataset: NodeData, *, columns: GraphColumns, reading: Reading, format: str, known: Collection[str]
) -> tuple[tuple[str, ...], Tensor]:
    """Read new nodes: a row each, an id and the features that the run's nodes have.

    Args:
        rows: The table, or a graph file.
        dataset: The run's data.
        columns: What the columns of the run's files are called.
        reading: How the run's tables are read.
        format: Its setting `data.format`.
        known: Names of the run's nodes.

    Returns:
        Names [M], and features [M, F] as the model reads them: gaps filled and columns scaled by the run's training nodes.

    Raises:
        DataError: If the table cannot be read, has other columns, or names a node that is there already.
    """
    file: Any = table_from(rows, "features") if not isinstance(rows, Path) else rows
    codings = dataset.columns
    if isinstance(rows, Path):
        layout = layout_of(rows, "features", format, reading, columns)
        if reading.header == "auto" and layout.reading.header == "auto" and codings is not None:
            layout = replace(layout, reading=replace(reading, header="true" if codings.header else "false"))
        if is_graph_file(rows):
            file = read_graph_file(rows)
        else:
            if not rows.exists():
                raise DataError(f"{rows} cannot be read (No such file or directory): name a table of new nodes")
            file = read_table(rows, layout.reading, (NODE,), [columns.node] if columns.node else [])
    else:
        layout = layout_of(Path("features"), "features", "csv", reading, columns)
    found = node_rows(file, "features", replace(layout, columns=replace(layout.columns, categorical=(), ignore=())), ())
    taken = np.array([name in known for name in found.ids.values], dtype=bool)
    if found.column is None:
        raise DataError(f"{found.table.name} has no column of ids, which new nodes need: give each an id of its own")
    found.table.refuse(found.column, taken, lambda name: f"node '{shown(name)}' is in the run's graph already: give another id")
    made = dataset.preparation
    assert made is not None and made.gaps is not None  # the caller has looked
    if codings is None:
        codings = _numbers(found.table, found.beside, made.gaps.having)
    x = torch.from_numpy(codings.encode(found.table)).to(required(dataset.graph.x).dtype)
    return tuple(found.ids.texts()), made.apply(x)


def _numbers(table: Table, beside: Sequence[int], gaps: Tensor) -> Codings:
    """The columns of features that were numbers in memory, or of a data set that has a name."""
    if len(beside) != gaps.numel():
        raise DataError(
            f"{table.name} has {len(beside):,} columns of features, and the run's nodes {gaps.numel():,}: give an id and as "
            "many numbers, in their order"
        )
    columns = [Coding("", place, gaps=gap) for place, gap in zip(beside, gaps.tolist(), strict=True)]
    return Codings(header=False, width=len(table.columns), columns=tuple(columns))


def grown(dataset: NodeData, names: Sequence[str], *, x: Tensor | None, edges: OwnPairs | None) -> NodeData:
    """A data set with new nodes behind its own, and new edges, merged as those of own files are.

    Args:
        dataset: The data set.
        names: Names of all nodes, the new ones last.
        x: Features of the new nodes as the model reads them [M, F]; None: there are none.
        edges: New edges, by numbers of nodes; None: there are none.

    Raises:
        DataError: If the graph's edges have weights and the new ones have none, or an edge has two weights.
    """
    graph, count = dataset.graph, 0 if x is None else len(x)
    n = graph.num_nodes + count
    features, y = required(graph.x), required(graph.y)
    edge_index, weight = graph.edge_index, graph.edge_weight
    if edges is not None:
        name = edges.edges.table.name
        if weight is not None and edges.weight is None:
            raise DataError(f"{name}: the edges of the run's graph have weights: give a third column 'weight'")
        pairs = torch.cat([edge_index, edges.ids], dim=1)
        if weight is None or edges.weight is None:
            edge_index = message_graph(pairs, n, directed=dataset.directed)
        else:
            both = torch.cat([weight, edges.weight.to(weight)])
            try:
                edge_index, merged = merge_edges(pairs, n, both[:, None], directed=dataset.directed)
            except DataError as error:
                raise DataError(f"{name}: an edge has another weight in the run's graph or above: give one") from error
            weight = None if merged is None else merged.view(-1)
    larger = Graph(
        edge_index=edge_index,
        num_nodes=n,
        x=features if x is None else torch.cat([features, x]),
        y=torch.cat([y, y.new_full((count,), -1)]),
        edge_weight=weight,
    )
    return replace(dataset, graph=larger, node_names=tuple(names))
