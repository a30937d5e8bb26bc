"""STABLE: a poisoned graph repaired by embeddings that were learned without labels and without most of the poison."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import FeatureLinear
from graphkit.layers.checks import check_at_least, check_choice, check_positive, check_within
from graphkit.models.transforms.base import Changed, Transform
from graphkit.sparse import CSR, edge_products, gather, normalize, sparse_features
from graphkit.sparse.graph_measures import simple_graph

FEATURES = ("embedding", "own", "both")


class ContrastiveEncoder(nn.Module):
    """One convolution and what tells its output from that of shuffled features.

    H = prelu(S Z + b), Z = X W, for any normalized operator S; a summary is c = sigmoid(mean of H over nodes), and a node
    agrees with it by the logit h^T B c.

    Args:
        in_channels: Feature width F.
        channels: Width of H.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.lin = FeatureLinear(in_channels, channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.act = nn.PReLU()
        self.agree = nn.Parameter(torch.empty(channels, channels))
        nn.init.xavier_uniform_(self.lin.weight)
        nn.init.xavier_uniform_(self.agree)

    def embed(self, z: Tensor, operator: CSR) -> Tensor:
        """H [N, D] of mapped features z [N, D]."""
        h: Tensor = self.act(operator @ z + self.bias)
        return h

    def loss(self, x: Tensor | CSR, operator: CSR, views: tuple[CSR, ...], order: Tensor) -> Tensor:
        """Mean over views of the cross-entropy: nodes agree with the view's summary, and with shuffled features they do not.

        Args:
            x: Features [N, F].
            operator: That of the graph.
            views: Those of its views.
            order: A permutation of the nodes [N] that shuffles features.
        """
        z = self.lin(x)
        agree = torch.stack([self.embed(z, operator), self.embed(gather(z, order), operator)]) @ self.agree
        total: Tensor = z.new_zeros(())
        for view in views:
            summary = self.embed(z, view).mean(0).sigmoid()
            own, shuffled = agree @ summary
            total = total + F.softplus(-own).mean() + F.softplus(shuffled).mean()
        mean: Tensor = total / (2 * len(views))
        return mean


class Stable(Transform):
    """Repairs an undirected graph: drops edges between unlike nodes and links like ones, by unsupervised embeddings.

    1. Edges whose ends have a Jaccard index of features below `jaccard` are put aside. 2. An encoder is trained on what is
    left, against shuffled features, with two views that have a share `restore` of these edges again. 3. Of the given edges
    those stay whose ends have embeddings of a cosine above `cosine`, and every node is linked with its `neighbors` nearest
    nodes, by cosine, of those that had more than one edge. The result is undirected, without weights, and no node is its own
    neighbor.

    Args:
        jaccard: Least Jaccard index of the columns that are not 0, in [0, 1]; 0: no edge is put aside.
        restore: Share in [0, 1] of the edges put aside that a view has.
        channels: Width D of embeddings.
        epochs: Steps of training, at least 1.
        lr: Learning rate of Adam, above 0.
        self_weight: Weight of a node's own features beside its neighbors', S = D^-1/2 (A + self_weight I) D^-1/2.
        cosine: Edges stay above this cosine, in [-1, 1].
        neighbors: Nodes that each is linked with, at least 0.
        features: What a model reads: the `embedding`, the `own` features, or `both`.

    Raises:
        ValueError: A number is out of its range, or a name is unknown.

    Source: Li et al., "Reliable Representations Make A Stronger Defender", KDD 2022. The authors' code holds all pairs of
    nodes, links in one direction, spends one of the neighbors on the node itself and draws another seed every time. Its last
    part, a convolution with other powers of degrees, is a model and not here: any model may follow.
    """

    def __init__(
        self,
        *,
        jaccard: float = 0.03,
        restore: float = 0.2,
        channels: int = 256,
        epochs: int = 50,
        lr: float = 0.005,
        self_weight: float = 2.0,
        cosine: float = 0.5,
        neighbors: int = 5,
        features: str = "embedding",
    ) -> None:
        check_within(0, 1, jaccard=jaccard, restore=restore)
        check_within(-1, 1, cosine=cosine)
        check_at_least(1, channels=channels, epochs=epochs)
        check_at_least(0, neighbors=neighbors)
        check_positive(lr=lr, self_weight=self_weight)
        check_choice(FEATURES, features=features)
        self.jaccard, self.restore, self.cosine, self.neighbors = jaccard, restore, cosine, neighbors
        self.channels, self.epochs, self.lr, self.self_weight = channels, epochs, lr, self_weight
        self.features = features

    def __call__(self, x: Tensor | None, adj: CSR, seed: int) -> Changed:
        """The repaired graph, see `Transform`."""
        if x is None:
            raise ValueError("it compares features of nodes, and there are none")
        graph, x = simple_graph(adj), x.float()
        trusted = jaccard_index(x, graph) >= self.jaccard
        h = self.embeddings(x, graph, trusted, seed)
        unit = F.normalize(h, dim=1)
        stays = edge_products(graph, unit) > self.cosine
        n = graph.shape[0]
        kept = (graph.row * n + graph.col)[stays]
        new = self._nearest(unit, graph.degree() > 1)
        keys = torch.cat([kept, new[0] * n + new[1], new[1] * n + new[0]]).unique()
        added = int((~torch.isin(keys, graph.row * n + graph.col)).sum())
        told = (
            f"transform=stable: {(int(graph.nnz) - kept.numel()) // 2:,} of {graph.nnz // 2:,} edges are removed and "
            f"{added // 2:,} are added; {int((~trusted).sum()) // 2:,} were put aside while embeddings were learned"
        )
        given = {"embedding": h, "own": None, "both": torch.cat([x, h], dim=1)}[self.features]
        return Changed(torch.stack([keys // n, keys % n]), told, x=given)

    def embeddings(self, x: Tensor, graph: CSR, trusted: Tensor, seed: int) -> Tensor:
        """Unsupervised embeddings [N, D] of the trusted part of a graph.

        Args:
            x: Features [N, F].
            graph: The simple graph.
            trusted: Which of its entries are trained on [nnz], the same in both directions.
            seed: Of weights, views and shuffles.
        """
        generator = torch.Generator().manual_seed(seed)
        aside = ((graph.row < graph.col) & ~trusted).nonzero().view(-1)
        views = []
        for _ in range(2):
            back = aside[torch.rand(aside.numel(), generator=generator) < self.restore]
            mask = trusted.index_fill(0, torch.cat([back, graph.structure.perm[back]]), True)
            views.append(self._operator(graph, mask))
        features, operator = sparse_features(x), self._operator(graph, trusted)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(seed)
            encoder = ContrastiveEncoder(x.size(1), self.channels)
            optimizer = torch.optim.Adam(encoder.parameters(), lr=self.lr)
            for _ in range(self.epochs):
                optimizer.zero_grad()
                order = torch.randperm(len(x), generator=generator)
                encoder.loss(features, operator, tuple(views), order).backward()
                optimizer.step()
        with torch.no_grad():
            return encoder.embed(encoder.lin(features), operator)

    def _operator(self, graph: CSR, present: Tensor) -> CSR:
        """D^-1/2 (A + self_weight I) D^-1/2 of the entries that are present."""
        n = graph.shape[0]
        loops = torch.arange(n).expand(2, n)
        edges = torch.cat([torch.stack([graph.col, graph.row])[:, present], loops], dim=1)
        weight = torch.cat([torch.ones(edges.size(1) - n), torch.full((n,), self.self_weight)])
        return normalize(CSR.from_edge_index(edges, n, weight), "gcn", self_loops=False)

    def _nearest(self, unit: Tensor, reliable: Tensor) -> Tensor:
        """Pairs [2, P] of nodes and their nearest reliable ones, none of them itself."""
        from sklearn.neighbors import NearestNeighbors  # a second that other transforms need not wait for

        chosen = reliable.nonzero().view(-1).numpy()
        count = min(self.neighbors + 1, chosen.size)
        if count < 2 or not self.neighbors:
            return torch.empty(2, 0, dtype=torch.int64)
        search = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(unit[chosen].numpy())
        near = chosen[search.kneighbors(unit.numpy(), return_distance=False)]
        nodes = np.arange(len(unit))[:, None]
        last = (near == nodes).argsort(axis=1, kind="stable")  # the node itself, where it is there, goes to the end
        near = np.take_along_axis(near, last, axis=1)[:, : count - 1]
        return torch.from_numpy(np.stack([np.broadcast_to(nodes, near.shape).ravel(), near.ravel()]))


def jaccard_index(x: Tensor, graph: CSR) -> Tensor:
    """|x_i and x_j| / |x_i or x_j| of the columns that are not 0, for every entry (i, j) [nnz]; 0 of two nodes without any."""
    filled = (x != 0).float()
    shared, count = edge_products(graph, sparse_features(filled)), filled.sum(1)
    union = count[graph.row] + count[graph.col] - shared
    return torch.where(union > 0, shared / union.clamp(min=1), 0.0)
