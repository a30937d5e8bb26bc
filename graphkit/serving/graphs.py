"""A finished run on graphs that answers by name, also of new graphs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphkit.data.graph_set import GraphSet
from graphkit.data.own.files import reading_for
from graphkit.data.own.graph_lines import GivenLines
from graphkit.data.own.graphs import KnownForm, read_new_graphs
from graphkit.data.readers.inputs import InputFile, InputFolder
from graphkit.errors import RequestError
from graphkit.paths import expanded
from graphkit.serving.opened import Opened
from graphkit.serving.samples import ServedSamples

PathLike = str | os.PathLike[str]


class ServedGraphs(ServedSamples):
    """A finished run on graphs, see `ServedSamples`."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, "graph")
        assert isinstance(opened.dataset, GraphSet)
        self._dataset = opened.dataset

    def with_graphs(
        self, graphs: PathLike | Sequence[Any], *, edges: PathLike | None = None, features: PathLike | None = None
    ) -> ServedGraphs:
        """The same weights on new graphs, which take the place of the run's own.

        A graph's answer is the one that it would get as a graph of the run, with the same weights: features are standardized by
        the nodes of the training graphs, and no graph sees another one. A model that draws subgraphs draws those of a graph by
        its place among the graphs that are asked together, so that its answer is another mean over as many samples.

        Args:
            graphs: In the forms of `data.graphs`: a table of graph ids, a file of JSON lines, or a folder of GraphML or graph6.
                Labels are not needed, and not read. Or a list of objects as JSON lines have them.
            edges: With a table: graph id, source and target, then features of the edge.
            features: With a table: graph id, node id, then features of the node.

        Raises:
            RequestError: If the run's features are made of its graphs, or a file does not go with the form of `graphs`.
            DataError: If a file cannot be read, or nodes or edges have other features than the run's.
        """
        options, known = self._opened.settings.data, self._dataset
        if options.embed != "none":
            raise RequestError(
                f"new=: the features of data.embed={options.embed} are made of the run's graphs and belong to their nodes: "
                "take a run without them"
            )
        kept = known.graphs
        files = {"edges": edges, "features": features}
        given = {key: InputFile(expanded(file, key)) for key, file in files.items() if file is not None}
        form = KnownForm(
            channels=0 if kept.x is None else int(kept.x.size(1)),
            edge_channels=0 if kept.edge_attr is None else int(kept.edge_attr.size(1)),
            y=kept.y,
            directed=known.directed,
            attributes=known.attributes,
        )
        found, names = read_new_graphs(_whole(graphs), **given, known=form, reading=reading_for(options))
        return self._on(self._opened.task.on(replace(known, graphs=found, graph_names=names)), len(names))


def _whole(graphs: PathLike | Sequence[Any]) -> InputFile | InputFolder | GivenLines:
    if not isinstance(graphs, str | os.PathLike):
        return GivenLines(graphs, "new")
    path = expanded(graphs, "new")
    if not path.exists():
        raise RequestError(f"new={path}: there is no such file or folder: name a table, JSON lines, or a folder of graphs")
    return InputFolder(path) if path.is_dir() else InputFile(path)
