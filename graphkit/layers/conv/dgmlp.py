"""DGMLP's smoothing: each node takes the hops at which it has heard of others and is not yet like all of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_one_graph, check_positive
from graphkit.sparse import CSR, Adjacency, as_csr, normalize, remember, untraced
from graphkit.sparse.graph_measures import connected_components, simple_graph


class NodeAdaptiveSmoothing(nn.Module):
    r"""A mean over hops with weights that each node's smoothing decides; nothing is learned.

    x'_i = sum_k c_ik h^(k)_i over k = 0, ..., K, with H^(k) = A_hat^k X, A_hat = D^-1/2 (A + I) D^-1/2, and

    c_i = softmax over k of cos(h^(k)_i, x_i) (1 - cos(h^(k)_i, h^(inf)_i)) / T

    The first factor falls as a node forgets itself, the second as it comes near to H^(inf), the limit of all smoothing: for the
    nodes i of a connected component C, h^(inf)_i = d_i^1/2 (sum over j in C of d_j^1/2 x_j) / (sum over j in C of d_j). The
    cosine with zero is zero.

    The graph is read as undirected, without weights and self-loops. For features that need no gradient the result is kept with
    the graph: propagation takes place once, not in every step.

    Args:
        num_hops: Hops K, at least 0.
        temperature: T, above 0: near 0 the best hop alone counts, far above all hops count alike.

    Raises:
        ValueError: If `num_hops` is negative or `temperature` not positive.

    Source: Zhang et al., Evaluating Deep Graph Neural Networks, arXiv:2108.00955. The authors' code takes for h^(inf) the mean
    of x_j weighed by d_j, the limit of D^-1 (A + I), while it propagates with A_hat; here it is the limit of A_hat itself.

    Example:
        >>> NodeAdaptiveSmoothing(num_hops=20)(x, edge_index)  # [N, F] -> [N, F]
    """

    def __init__(self, *, num_hops: int = 20, temperature: float = 1.0) -> None:
        super().__init__()
        check_at_least(0, num_hops=num_hops)
        check_positive(temperature=temperature)
        self.num_hops, self.temperature = num_hops, temperature

    def reset_parameters(self) -> None:
        """Do nothing; the layer has no parameters."""

    @untraced
    def forward(self, x: Float[Tensor, "N F"] | CSR, edge_index: Adjacency) -> Float[Tensor, "N F"]:
        """Smooth.

        Args:
            x: Features, dense or sparse.
            edge_index: Sources and targets [2, E], PyG `EdgeIndex`, torch CSR or graphkit CSR.

        Returns:
            The weighted mean over hops.
        """
        check_one_graph(x=x)
        adj = as_csr(edge_index, x.shape[0])
        key = "node-adaptive smoothing", self.num_hops, self.temperature
        smoothed: Tensor = remember(lambda: self._smoothed(x, adj), key, x, adj)
        return smoothed

    def _smoothed(self, x: Tensor | CSR, adj: CSR) -> Tensor:
        own = x.to_dense() if isinstance(x, CSR) else x
        loops = simple_graph(adj).with_self_loops()
        a_hat = normalize(loops, "gcn", dtype=torch.promote_types(own.dtype, torch.float32))
        limit = _limit(own, loops)
        # Hops are made twice: once for their weights, once for their sum, so that two of them are held instead of all.
        levels, h = [], own
        for k in range(self.num_hops + 1):
            h = a_hat.matmul(h) if k else h
            levels.append(F.cosine_similarity(h, own, dim=1) * (1.0 - F.cosine_similarity(h, limit, dim=1)))
        weights = (torch.stack(levels) / self.temperature).softmax(dim=0).unsqueeze(2)
        h, out = own, weights[0] * own
        for weight in weights[1:]:
            h = a_hat.matmul(h)
            out = out + weight * h
        return out

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_hops={self.num_hops}, temperature={self.temperature:g})"


def _limit(x: Tensor, loops: CSR) -> Tensor:
    """The limit of A_hat^k X, from the graph with self-loops: its projection on D^1/2 1 of each component."""
    component = connected_components(loops)
    nodes = torch.arange(x.size(0), device=x.device)
    sums = CSR.from_edge_index(torch.stack([nodes, component]), (int(component.max()) + 1 if x.size(0) else 0, x.size(0)))
    degree = loops.degree().to(x.dtype).unsqueeze(1)
    root = degree.sqrt()
    return root * sums.t().matmul(sums.matmul(root * x) / sums.matmul(degree))
