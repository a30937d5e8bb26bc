"""A finished run of link prediction that answers by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphkit.conf.predict import Prediction
from graphkit.data.dataset import LinkData
from graphkit.data.own.pairs import OwnPairs, Rows, read_pairs, table_from
from graphkit.data.splits.negatives import pair_keys
from graphkit.errors import RequestError, RunError, shown
from graphkit.models.link.base import LinkModel
from graphkit.paths import expanded
from graphkit.serving.files import Columns
from graphkit.serving.names import Names
from graphkit.serving.opened import Array, Opened
from graphkit.sparse import CSR, UnrankedScore, top_columns
from graphkit.training.table import as_text

_SCORES = 1 << 23
"""Scores of candidates that are in memory at a time."""
_PAIRS, _ROWS = 1 << 16, 1 << 13
"""Pairs whose features are made at a time, and rows of them that the head takes, whose activations stay in cache."""

PairsLike = Rows | str | os.PathLike[str]
"""Pairs by name, of edges perhaps with a weight; or a table of them."""


class Suggested(NamedTuple):
    """A node of a list, best first."""

    node: str
    score: float


class Scored(NamedTuple):
    """A pair with its score, and the split that knows it as a link: `train`, `valid`, `test` or `new`; empty: none."""

    source: str
    target: str
    score: float
    known: str


class NewEdges(NamedTuple):
    """Edges [2, M] that are added to a run's graph, with weights [M] where that has some."""

    pairs: Tensor
    weight: Tensor | None


class ServedPairs:
    """A finished run of link prediction, ready to answer; `graphkit.predict.load` makes one.

    Nodes go by the names that the data has, else by their numbers, from 0 on. Scores are those of the run's evaluation, on the
    graph of its training edges; the last digits may differ with the pairs that are scored together.

    Args:
        opened: A seed of the run.
        new: Edges that are added to the graph of its training edges, see `with_edges`.

    Attributes:
        names: Names of the nodes.
        num_new: How many edges were added that the graph did not have.

    Raises:
        CheckpointError: If the predictions that the run left cannot come from its data as it is now.
    """

    def __init__(self, opened: Opened, new: NewEdges | None = None) -> None:
        dataset = opened.dataset
        assert isinstance(dataset, LinkData)
        opened.require_same_data(lambda arrays: _same_pairs(dataset, arrays))
        self._opened, self._trainer, self.seed, self.data_files = opened, opened.restored, opened.seed, opened.data_files
        self._model: LinkModel = opened.model
        x, adj = opened.task.inputs(self._model)
        links = {split: pairs.positive.to(adj.device) for split, pairs in dataset.splits.items()}
        self.num_new, self._new = 0, new
        if new is not None:
            both, weight = torch.cat([adj.edge_index(), new.pairs, new.pairs.flip(0)], dim=1), None
            if adj.value is not None and new.weight is not None:
                weight = torch.cat([adj.value, new.weight, new.weight])
            before, links = adj.nnz, {**links, "new": new.pairs}
            adj = CSR.from_edge_index(both, adj.shape[0], weight, duplicates="first")
            self.num_new = (adj.nnz - before) // 2
        adj.t()  # like the order of the names below, made once: in a large graph it takes as long as an answer
        self._adj, n = adj, adj.shape[0]
        self.names = Names("node", n, dataset.node_names)
        self._order = self.names.numbers
        itself = torch.arange(n, device=adj.device).expand(2, -1)
        everything = torch.cat([itself, *(torch.cat([pairs, pairs.flip(0)], dim=1) for pairs in links.values())], dim=1)
        self._hidden = {
            "hide": CSR.from_edge_index(everything, n, duplicates="first"),
            "show": CSR.from_edge_index(itself, n),
        }
        self._keys = {split: pair_keys(pairs, n).sort().values for split, pairs in links.items()}
        with self._trainer.evaluating():
            self._nodes = self._model.encode(x, adj)

    def with_edges(self, edges: PairsLike) -> ServedPairs:
        """The same run on its graph and new edges between the same nodes.

        Args:
            edges: Pairs of different nodes by name, or a table of them; those that are in the graph already change nothing.

        Raises:
            RequestError: If the model has learned an embedding of each node of the graph it was trained on, there is no such
                node, a pair is one node twice, or the graph has weights and the edges have none.
            DataError: If the table cannot be read.
        """
        if self._model.bound_to_nodes:
            raise RequestError(
                f"edges=: model={self._opened.model_name} has learned an embedding for each node, since the data has no "
                "features, and those belong to the graph it was trained on: train again with the new edges, or take "
                "data.features= or a model without embeddings (cn, aa, ra, katz, ppr, nbfnet)"
            )
        read, old = self._read(edges, "edges"), self._new
        weighted = self._adj.value
        if weighted is not None and read.weight is None:
            raise RequestError("edges=: the edges of the run's graph have weights: give a third column 'weight'")
        pairs = read.ids.to(self._adj.device)
        weight = None if weighted is None or read.weight is None else read.weight.to(weighted)
        if old is not None:
            pairs = torch.cat([old.pairs, pairs], dim=1)
            weight = None if weight is None or old.weight is None else torch.cat([old.weight, weight])
        return ServedPairs(self._opened, NewEdges(pairs, weight))

    def score(self, pairs: PairsLike, *, seen: str = "hide") -> list[Scored]:
        """Scores of pairs, in their order.

        Args:
            pairs: Pairs of different nodes by name, or a table of them.
            seen: `hide` refuses edges of the training graph, whose scores are no predictions, `show` scores them.

        Raises:
            RequestError: If there is no pair, no such node, a pair is one node twice, or a training edge with `hide`.
            DataError: If the table cannot be read.
        """
        found = self.scored(pairs, seen=seen)
        return [Scored(*row) for row in zip(*(found[name].tolist() for name in Scored._fields), strict=True)]

    def scored(self, pairs: PairsLike, *, seen: str = "hide") -> Columns:
        """As `score`, in columns."""
        read = self._read(pairs)
        ids = read.ids.to(self._adj.device)
        known = self._known(ids)
        if seen == "hide":
            told = "the model was trained on this edge, its score is no prediction: leave it out, or give seen=show"
            self._refuse(read, torch.from_numpy(known == "train"), told)
        with self._trainer.evaluating():
            scores = [
                self._head(self._model.pair_features(self._nodes, self._adj, block)) for block in ids.split(_PAIRS, dim=1)
            ]
        source, target = (self.names.array[part] for part in read.ids.numpy())
        return {"source": source, "target": target, "score": torch.cat(scores).cpu().numpy(), "known": known}

    def split(self, request: Prediction) -> list[str]:
        """The names that a request asks for."""
        return self.names.split(request.asked)

    def top(self, node: str | int, k: int = 20, *, seen: str = "hide") -> list[Suggested]:
        """The best new links of a node.

        Args:
            node: The node's name.
            k: Nodes wanted, at least 1; fewer are returned where fewer are left.
            seen: `hide` leaves out the links that the data has, of all splits, and new ones; `show` does not.

        Raises:
            RequestError: If there is no such node.
        """
        return self.tops([node], k, seen=seen)[0]

    def tops(self, nodes: Sequence[str | int], k: int = 20, *, seen: str = "hide") -> list[list[Suggested]]:
        """As `top`, of several nodes at once."""
        numbers = torch.tensor(self.names.find_all(nodes), dtype=torch.int64)
        rows = [row for block in self._ranked(numbers, k, seen) for row in zip(*(part.tolist() for part in block), strict=True)]
        return [
            [Suggested(str(self.names.array[number]), score) for score, number in zip(*row, strict=True) if number >= 0]
            for row in rows
        ]

    def rows(self, nodes: Sequence[int] | None = None, k: int = 20, *, seen: str = "hide") -> Iterator[Columns]:
        """The lists of many nodes, a block of nodes at a time: columns `source`, `rank` from 1 on, `target` and `score`.

        Args:
            nodes: Numbers of nodes as `names.find` gives them; None: all.
            k: Nodes in a list.
            seen: As in `top`.
        """
        asked = torch.arange(self._adj.shape[0]) if nodes is None else torch.tensor(nodes, dtype=torch.int64)
        for part, (scores, found) in zip(asked.split(self._block), self._ranked(asked, k, seen), strict=True):
            place, rank = (array.numpy() for array in (found >= 0).nonzero(as_tuple=True))
            yield {
                "source": self.names.array[part.numpy()[place]],
                "rank": rank + 1,
                "target": self.names.array[found.numpy()[place, rank]],
                "score": scores.numpy()[place, rank],
            }

    @property
    def _block(self) -> int:
        return max(1, _SCORES // len(self.names.array))

    def _ranked(self, sources: Tensor, k: int, seen: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Scores and nodes [B, k] of each block of sources; -inf and -1 where no node is left."""
        n = self._adj.shape[0]
        for block in sources.to(self._adj.device).split(self._block):
            with self._trainer.evaluating():
                features = self._model.from_sources(self._nodes, self._adj, block)
                scores = []
                for cells in torch.arange(block.numel() * n, device=block.device).split(_PAIRS):
                    place = cells // n
                    scores.append(self._head(features(torch.stack([block[place], cells - place * n]))))
                try:
                    best, found = top_columns(torch.cat(scores).view(-1, n), k, self._hidden[seen], block)
                except UnrankedScore as error:
                    raise RunError("the model scores pairs with NaN: lower train.lr or use precision=32-true") from error
            yield best.cpu(), found.cpu()

    def _head(self, features: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([self._model.head(*rows) for rows in zip(*(part.split(_ROWS) for part in features), strict=True)])

    def _known(self, ids: Tensor) -> Array:
        """The split that knows each pair as a link [P]; empty: none."""
        wanted = pair_keys(ids, self._adj.shape[0])
        known = as_text([""]).repeat(wanted.numel())
        for split, keys in self._keys.items():
            place = torch.searchsorted(keys, wanted).clamp(max=max(keys.numel() - 1, 0))
            if keys.numel():
                known[((keys[place] == wanted).cpu().numpy()) & (known == "")] = split
        return known

    def _read(self, pairs: PairsLike, key: str = "pairs") -> OwnPairs:
        """Pairs by number; none of them is one node twice."""
        source = expanded(pairs, key) if isinstance(pairs, str | os.PathLike) else table_from(pairs, key)
        read = read_pairs(source, self._order, self.names.unknown)
        self._refuse(read, read.ids[0] == read.ids[1], "a pair needs two different nodes")
        return read

    def _refuse(self, read: OwnPairs, wrong: Tensor, why: str) -> None:
        def told(row: int) -> str:
            u, v = (shown(str(self.names.array[end])) for end in read.ids[:, row].tolist())
            return f"'{u}' and '{v}': {why}"

        read.refuse(wrong, told)


def _same_pairs(dataset: LinkData, arrays: Mapping[str, Array]) -> bool:
    """Whether scores can be those of this data's held-out pairs."""
    held_out = {
        f"{split}_{kind}_pairs": getattr(dataset.splits[split], kind)
        for split in ("valid", "test")
        for kind in ("positive", "negative")
    }
    return all(pairs is None or np.array_equal(arrays[name], pairs.numpy()) for name, pairs in held_out.items())
