"""An approximate index of items by inner product, beside exact search, with its recall measured."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphkit.errors import RequestError
from graphkit.sparse import CSR, top_columns
from graphkit.tasks.ranking import rank_items

BLOCK = 1024
"""Queries searched at a time; they share the number of items fetched."""
_LINKS = 32  # of an item in the graph
_BUILD_EFFORT = 100  # candidates kept while an item is linked
_POINTS_PER_LIST = 39  # below this the library finds its lists too thin


class ItemIndex:
    """The best items for query vectors by inner product, through faiss, on the CPU.

    A search fetches as many items more than wanted as the user has seen, drops those, and falls back to exact search for
    queries that are left with too few and for zero vectors, to which all items are equally near. It is built on one thread, so
    that it is the same each time.

    Args:
        items: Embeddings [I, d].
        kind: `hnsw`, a navigable graph of items, or `ivf`, lists of items by their nearest centroid.
        effort: Candidates kept during a search (hnsw, at least as many as are fetched) or lists visited (ivf).

    Raises:
        RequestError: If the extra `ann` is not installed or the embeddings are not finite.

    Source: Malkov and Yashunin, Efficient and Robust Approximate Nearest Neighbor Search Using HNSW Graphs, TPAMI 2020;
    Sivic and Zisserman, Video Google, ICCV 2003 (lists). Both through the faiss library.
    """

    def __init__(self, items: Tensor, kind: str = "hnsw", effort: int = 64) -> None:
        self._faiss = require_faiss()
        self.items, self.kind, self.effort = items, kind, effort
        if not bool(items.isfinite().all()):
            raise RequestError("index=faiss needs finite embeddings, and this model has others: train with a lower train.lr")
        vectors = _float32(items)
        width, metric = vectors.shape[1], self._faiss.METRIC_INNER_PRODUCT
        threads = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(1)
        try:
            if kind == "hnsw":
                self._index = self._faiss.IndexHNSWFlat(width, _LINKS, metric)
                self._index.hnsw.efConstruction = _BUILD_EFFORT
            else:
                lists = max(1, min(int(4 * len(vectors) ** 0.5), len(vectors) // _POINTS_PER_LIST))
                self._index = self._faiss.IndexIVFFlat(self._faiss.IndexFlatIP(width), width, lists, metric)
                self._index.train(vectors)
            self._index.add(vectors)
        finally:
            self._faiss.omp_set_num_threads(threads)

    def search(self, queries: Tensor, k: int, seen: CSR | None = None) -> tuple[Tensor, Tensor]:
        """The k best items of each query among those not seen, approximately.

        Args:
            queries: User embeddings [B, d].
            k: Items wanted, at least 1.
            seen: Items to leave out [B, I].

        Returns:
            Scores [B, k], best first, and items [B, k]; -inf and -1 where no item is left.
        """
        counts = torch.zeros(len(queries), dtype=torch.int64, device=queries.device) if seen is None else seen.degree()
        scores = queries.new_full((len(queries), k), -torch.inf)
        items = torch.full((len(queries), k), -1, device=queries.device)
        asked = (queries.norm(dim=1) > 0).nonzero().flatten()
        for rows in asked[counts[asked].argsort(stable=True)].split(BLOCK):
            fetched = min(len(self.items), k + int(counts[rows].max()))
            scores[rows], items[rows] = self._fetch(queries, rows, fetched, k, seen)
        short = (items < 0).any(1).nonzero().flatten()
        if short.numel():
            scores[short], items[short] = self._exact(queries, short, k, seen)
        return scores, items

    def recall(self, queries: Tensor, k: int, seen: CSR | None = None) -> tuple[float, int]:
        """Share of the k best items by exact search that `search` finds, and the number of queries that are not zero.

        Zero vectors are left out: they are not searched for. Without any other query the share is 1.
        """
        asked = (queries.norm(dim=1) > 0).nonzero().flatten()
        if not asked.numel():
            return 1.0, 0
        exact = self._exact(queries, asked, k, seen)[1]
        found = self.search(queries, k, seen)[1][asked]
        first = torch.arange(len(asked), device=queries.device).unsqueeze(1) * len(self.items)
        wanted = (exact + first)[exact >= 0]
        hits = torch.isin(wanted, (found + first)[found >= 0])
        return float(hits.double().mean()) if wanted.numel() else 1.0, len(asked)

    def _exact(self, queries: Tensor, rows: Tensor, k: int, seen: CSR | None) -> tuple[Tensor, Tensor]:
        return rank_items(lambda users: queries[users] @ self.items.t(), rows, len(self.items), k, seen)

    def _fetch(self, queries: Tensor, rows: Tensor, fetched: int, k: int, seen: CSR | None) -> tuple[Tensor, Tensor]:
        if self.kind == "hnsw":
            how = self._faiss.SearchParametersHNSW(efSearch=max(self.effort, fetched))
        else:
            how = self._faiss.SearchParametersIVF(nprobe=self.effort)
        found = self._index.search(_float32(queries[rows]), fetched, params=how)
        scores, items = (torch.from_numpy(part).to(queries.device) for part in found)
        items, order = items.sort(dim=1)  # so that of equal scores the lower item wins
        scores = scores.gather(1, order).masked_fill(items < 0, -torch.inf)
        if seen is not None:
            scores.masked_fill_(seen.structure.contains(rows.unsqueeze(1), items), -torch.inf)
        best, where = top_columns(scores, k)
        left = best > -torch.inf
        return best.to(queries.dtype), items.gather(1, where.clamp(min=0)).masked_fill(~left, -1)


def _float32(x: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ascontiguousarray(x.detach().float().cpu().numpy())


def require_faiss() -> ModuleType:
    """The faiss library; RequestError that names the extra where it is not installed."""
    try:
        return importlib.import_module("faiss")
    except ModuleNotFoundError:
        raise RequestError(
            "index=faiss needs the package faiss-cpu: install the extra with `pip install -e '.[ann]'`"
        ) from None
