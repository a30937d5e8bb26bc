"""A finished run of node classification that answers by name, also of new nodes."""

from __future__ import annotations

import os
from pathlib import Path

from graphkit.conf.transforms import NONE
from graphkit.data.dataset import NodeData
from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.files import reading_for
from graphkit.data.own.new_nodes import grown, read_new_nodes
from graphkit.data.own.pairs import Rows, read_pairs, table_from
from graphkit.errors import RequestError
from graphkit.paths import expanded
from graphkit.serving.names import Names
from graphkit.serving.opened import Opened
from graphkit.serving.samples import ServedSamples

RowsLike = str | os.PathLike[str] | Rows
"""A table in a file, or its rows."""
INDUCTIVE = ("sage", "gcn", "gat", "sheaf", "dir-gnn")
"""Some of the models that read features and edges alone."""


class ServedNodes(ServedSamples):
    """A finished run of node classification, see `ServedSamples`."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, "node")
        assert isinstance(opened.dataset, NodeData)
        self._dataset = opened.dataset

    def with_nodes(self, features: RowsLike | None = None, edges: RowsLike | None = None) -> ServedNodes:
        """The same weights on the run's graph with new nodes and edges; all nodes are predicted again.

        The answer is that of a run whose graph had the new nodes from the start, with the same weights, up to the order in
        which floating-point numbers are summed. Features are standardized, and their gaps filled, by the training nodes of the
        run. The model sees the whole larger graph: where new edges change degrees, the normalization of old nodes changes with
        them, as it would have. Batch normalization has the statistics that it kept in training. No model that is taken here
        normalizes over all nodes otherwise, but for PageRank among the features of `trees`, which is that of the larger graph.

        Args:
            features: A row per new node: an id, and the columns that the run's features have.
            edges: A row per new edge, source and target, of old or new nodes; those that are there already change nothing.

        Raises:
            RequestError: If the model, or its features, belong to the nodes of the run's graph.
            DataError: If a table cannot be read, has other columns or categories, or names a node that there is, or is not.
        """
        self._require_inductive("features=" if features is not None else "edges=")
        options, known = self._opened.settings.data, self._dataset
        columns, reading = GraphColumns.of(options), reading_for(options)
        names: list[str] = self.names.array.tolist()
        x = None
        if features is not None:
            more, x = read_new_nodes(
                _rows(features, "features"),
                known,
                columns=columns,
                reading=reading,
                format=options.format,
                known=self.names.numbers,
            )
            names += more
        pairs = None
        if edges is not None:
            given, every = _rows(edges, "edges"), Names("node", len(names), names)
            table = given if isinstance(given, Path) else table_from(given, "edges")
            pairs = read_pairs(table, every.numbers, every.unknown, columns=columns, reading=reading)
        larger = grown(known, names, x=x, edges=pairs)
        other = self._on(self._opened.task.on(larger), self.num_new + (0 if x is None else len(x)))
        other._dataset = larger
        return other

    def _require_inductive(self, said: str) -> None:
        settings, why = self._opened.settings, ""
        if settings.transform.name != NONE:
            why = f"transform={settings.transform.name} has changed the run's graph, and would have to change the new one anew"
        elif settings.data.embed != "none":
            why = f"the features of data.embed={settings.data.embed} are made of the run's graph and belong to its nodes"
        elif bound := self._opened.model.bound_to_nodes:
            why = f"model={self._opened.model_name} {bound}"
        if why:
            raise RequestError(
                f"{said}: {why}: train again with the new nodes, or take a run on given features of a model that reads them "
                f"and edges alone ({', '.join(INDUCTIVE)})"
            )


def _rows(given: RowsLike, key: str) -> Path | Rows:
    return expanded(given, key) if isinstance(given, str | os.PathLike) else given
