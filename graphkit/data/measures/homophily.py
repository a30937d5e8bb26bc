r"""How alike neighbors are: measures of homophily of a labeled graph, from the C x C table of its edges' classes.

In all of them an edge counts if both of its ends are labeled and different: self-loops and unlabeled nodes say nothing about
neighbors. Of an undirected graph both directions are given, so each edge counts twice, which no measure notices. Classes are
those that some node has. A measure is NaN where it is undefined, as on a graph without a counted edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

TWO_STEPS = ("A At", "At A", "A A", "At At")
"""The two-step patterns: both cite a third, both are cited by a third, cited by the cited, citing the citing."""


@dataclass(frozen=True)
class _Edges:
    """Counted edges [E] by their ends, the nodes' classes [N] from 0 (-1: unlabeled), and the number C of classes."""

    source: Tensor
    target: Tensor
    classes: Tensor
    num_classes: int

    def table(self) -> np.ndarray:
        """Edges [C, C] from each class to each class."""
        pairs = self.classes[self.source] * self.num_classes + self.classes[self.target]
        counts = torch.bincount(pairs, minlength=self.num_classes**2)
        return counts.view(self.num_classes, self.num_classes).double().numpy()

    def same(self) -> Tensor:
        """Whether each edge joins two nodes of one class [E]."""
        return self.classes[self.source] == self.classes[self.target]


def edge_homophily(edge_index: Tensor, y: Tensor) -> float:
    r"""Share of the edges that join nodes of one class.

    .. math:: h_{edge} = \frac{|\{(u, v) \in E : y_u = y_v\}|}{|E|}

    Args:
        edge_index: Edges [2, E], source and target; of an undirected graph in both directions.
        y: Class of each node [N]; below 0: unlabeled.

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.

    Source:
        "Beyond Homophily in Graph Neural Networks", NeurIPS 2020.
    """
    edges = _counted(edge_index, y)
    return float(edges.same().double().mean()) if edges.source.numel() else float("nan")


def node_homophily(edge_index: Tensor, y: Tensor) -> float:
    r"""Mean over nodes of the share of neighbors that have the node's class.

    .. math:: h_{node} = \frac{1}{|\{u : d_u > 0\}|} \sum_{u : d_u > 0} \frac{|\{v \in N(u) : y_u = y_v\}|}{d_u}

    Args:
        edge_index: Edges [2, E]; of a directed graph the targets of u's edges are its neighbors.
        y: Class of each node [N]; below 0: unlabeled.

    Returns:
        A share in [0, 1]; nodes without a counted edge of their own are left out.

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.

    Source:
        "Geom-GCN: Geometric Graph Convolutional Networks", ICLR 2020.
    """
    edges = _counted(edge_index, y)
    degree = torch.bincount(edges.source, minlength=y.numel())
    alike = torch.bincount(edges.source[edges.same()], minlength=y.numel())
    return _mean_share(alike.double().numpy(), degree.double().numpy())


def homophily_of_nodes(edge_index: Tensor, y: Tensor) -> Tensor:
    """Share of each node's neighbors that have its class [N], float64; NaN of a node without a counted edge of its own.

    Args:
        edge_index: Edges [2, E]; of a directed graph the targets of u's edges are its neighbors.
        y: Class of each node [N]; below 0: unlabeled.

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.
    """
    edges = _counted(edge_index, y)
    degree = torch.bincount(edges.source, minlength=y.numel()).double()
    return torch.bincount(edges.source[edges.same()], minlength=y.numel()).double() / degree


def class_insensitive_homophily(edge_index: Tensor, y: Tensor) -> float:
    r"""How far classes exceed their size among their own neighbors, averaged over classes.

    .. math:: \hat{h} = \frac{1}{C - 1} \sum_{k} \max\Big(0,\; h_k - \frac{|C_k|}{n}\Big), \qquad
        h_k = \frac{\sum_{u \in C_k} |\{v \in N(u) : y_v = k\}|}{\sum_{u \in C_k} d_u}

    Args:
        edge_index: Edges [2, E]; of a directed graph the targets of u's edges are its neighbors.
        y: Class of each node [N]; below 0: unlabeled. n counts labeled nodes.

    Returns:
        A number in [0, 1]; a class without counted edges adds nothing.

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.

    Source:
        "Large Scale Learning on Non-Homophilous Graphs", NeurIPS 2021.
    """
    edges = _counted(edge_index, y)
    if edges.num_classes < 2 or not edges.source.numel():
        return float("nan")
    table = edges.table()
    sizes = torch.bincount(edges.classes[edges.classes >= 0], minlength=edges.num_classes).double().numpy()
    out = table.sum(axis=1)
    own = np.divide(table.diagonal(), out, out=np.zeros_like(out), where=out > 0)
    return float(np.maximum(0.0, own - sizes / sizes.sum()).sum() / (edges.num_classes - 1))


def adjusted_homophily(edge_index: Tensor, y: Tensor) -> float:
    r"""Edge homophily beyond that of random edges with the same degrees: 0 for such, 1 for perfect.

    .. math:: h_{adj} = \frac{h_{edge} - \sum_k D_k^2 / |2E|^2}{1 - \sum_k D_k^2 / |2E|^2}

    with the degrees :math:`D_k` of class k summed. In a directed graph :math:`D_k^2` is out-degrees times in-degrees, which is
    Newman's coefficient of assortativity and the same for symmetric edges.

    Args:
        edge_index: Edges [2, E]; of an undirected graph in both directions.
        y: Class of each node [N]; below 0: unlabeled.

    Returns:
        A number up to 1; NaN where a single class has all edges.

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.

    Source:
        "Characterizing Graph Datasets for Node Classification: Homophily-Heterophily Dichotomy and Beyond", NeurIPS 2023.
    """
    edges = _counted(edge_index, y)
    table = edges.table()
    total = table.sum()
    if total == 0:
        return float("nan")
    expected = float((table.sum(axis=1) * table.sum(axis=0)).sum() / total**2)
    return float((table.trace() / total - expected) / (1.0 - expected)) if expected < 1.0 else float("nan")


def label_informativeness(edge_index: Tensor, y: Tensor) -> float:
    r"""Share of a node's class entropy that the class of a neighbor takes away, over random edges.

    .. math:: LI = \frac{I(y_u, y_v)}{H(y_u)}, \qquad (u, v) \sim \mathrm{uniform}(E)

    Args:
        edge_index: Edges [2, E]; of an undirected graph in both directions. In a directed one u is the source.
        y: Class of each node [N]; below 0: unlabeled.

    Returns:
        A share in [0, 1]; NaN where all sources are of one class.

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.

    Source:
        The edge variant of "Characterizing Graph Datasets for Node Classification", NeurIPS 2023.
    """
    table = _counted(edge_index, y).table()
    if table.sum() == 0:
        return float("nan")
    joint = table / table.sum()
    source = _entropy(joint.sum(axis=1))
    return float((source + _entropy(joint.sum(axis=0)) - _entropy(joint)) / source) if source > 0 else float("nan")


def two_step_homophily(edge_index: Tensor, y: Tensor) -> dict[str, float]:
    r"""Weighted node homophily of the four two-step patterns S of a directed graph.

    .. math:: h(S) = \frac{1}{|V_S|} \sum_{u \in V_S} \frac{\sum_v S_{uv} [y_u = y_v]}{\sum_v S_{uv}}, \qquad
        S \in \{A A^T, A^T A, A A, A^T A^T\}

    with :math:`V_S` the labeled nodes whose row holds a labeled node. S counts walks and keeps its diagonal: a node that cites
    is among those that cite the same, which raises :math:`A A^T` and :math:`A^T A`. S itself is never formed: with the one-hot
    classes Y [N, C], :math:`S Y` is two sparse products, in O(E C) time and O(N C) memory. A walk may pass an unlabeled node.

    Args:
        edge_index: Edges [2, E], source and target; repeated ones count once.
        y: Class of each node [N]; below 0: unlabeled.

    Returns:
        The measure by the names in `TWO_STEPS`; for an undirected graph all four are equal.

    Raises:
        ValueError: If shapes are wrong or an edge names a node that is not there.

    Source:
        "Edge Directionality Improves Learning on Heterophilic Graphs", LoG 2023; its code keeps the diagonal too.
    """
    edge_index, classes, num_classes = _checked(edge_index, y)
    num_nodes = classes.numel()
    source, target = edge_index[:, edge_index[0] != edge_index[1]].numpy()
    adjacency = csr_matrix((np.ones(len(source)), (source, target)), shape=(num_nodes, num_nodes))  # sums repeated edges
    adjacency.data[:] = 1.0
    labeled = np.flatnonzero(classes.numpy() >= 0)
    own = classes.numpy()[labeled]
    one_hot = np.zeros((num_nodes, num_classes))
    one_hot[labeled, own] = 1.0
    forward, backward = adjacency @ one_hot, adjacency.T @ one_hot
    products = (adjacency @ backward, adjacency.T @ forward, adjacency @ forward, adjacency.T @ backward)
    return {
        name: _mean_share(walks[labeled, own], walks[labeled].sum(axis=1))
        for name, walks in zip(TWO_STEPS, products, strict=True)
    }


def _checked(edge_index: Tensor, y: Tensor) -> tuple[Tensor, Tensor, int]:
    """Edges and classes on the CPU; classes numbered without gaps, and their number."""
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or y.dim() != 1:
        raise ValueError(f"edges [2, E] and labels [N] are needed, got shapes {tuple(edge_index.shape)} and {tuple(y.shape)}")
    edge_index, y = edge_index.detach().cpu(), y.detach().cpu()
    if edge_index.numel() and (int(edge_index.min()) < 0 or int(edge_index.max()) >= y.numel()):
        raise ValueError(f"an edge names a node outside of 0 to {y.numel() - 1}")
    classes = torch.full_like(y, -1, dtype=torch.long)
    names, classes[y >= 0] = torch.unique(y[y >= 0], return_inverse=True)
    return edge_index, classes, names.numel()


def _counted(edge_index: Tensor, y: Tensor) -> _Edges:
    edge_index, classes, num_classes = _checked(edge_index, y)
    source, target = edge_index
    counts = (source != target) & (classes[source] >= 0) & (classes[target] >= 0)
    return _Edges(source[counts], target[counts], classes, num_classes)


def _mean_share(part: np.ndarray, whole: np.ndarray) -> float:
    """Mean of part / whole over the entries where there is a whole."""
    there = whole > 0
    return float((part[there] / whole[there]).mean()) if there.any() else float("nan")


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
