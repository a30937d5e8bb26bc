"""CatGCN's interactions: the categories of a node meet each other before nodes meet."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from graphkit.layers.checks import check_at_least, check_probability, check_within
from graphkit.sparse import CSR, at_cols, at_rows, dropout, remember, segment_sum, sparse_features, untraced


class CategoryInteractions(nn.Module):
    r"""What the categories of a node tell together: a convolution on their complete graph, and their products in pairs.

    A node has F categories with embeddings e_1, ..., e_F, rows of E times the entries of x, which are 1 for plain categories.

    global = mean over i of relu(p_i W), p_i = (sum_j e_j + r e_i) / (F + r)      local = sum over i < j of e_i * e_j

    x' = l MLP_1(global) + (1 - l) MLP_2(local)

    p = P E is the convolution on the artificial graph of the node: P = (1 1^T + r I) / (F + r), all categories adjacent, r on
    the diagonal. P is a matrix of ones beside the diagonal, so that a sum of all embeddings and one of its own give p_i, and no
    F x F matrix is formed. Likewise the pairs: ((sum_i e_i)^2 - sum_i e_i^2) / 2. F may differ from node to node; a node
    without categories has zeros in both.

    Args:
        num_categories: Columns of x: all categories of all fields.
        out_channels: Output width.
        embedding_channels: Width of e.
        num_layers: Layers of either perceptron, of the embeddings' width inside, at least 1.
        probe: r, at least 0: how much a category hears of itself.
        balance: l in [0, 1]: the share of the global part.
        dropout: Probability in [0, 1) of dropping an entry after every relu.

    Raises:
        ValueError: If a number is out of its range.

    Source: Chen et al., CatGCN: Graph Convolutional Networks with Categorical Node Features, TKDE 2021; local: He and Chua,
    Neural Factorization Machines, SIGIR 2017. The authors' nodes all have the same number of categories, drawn from theirs.

    Example:
        >>> layer = CategoryInteractions(30, 4)
        >>> layer(x)  # [N, 30] of zeros and ones -> [N, 4]
    """

    def __init__(
        self,
        num_categories: int,
        out_channels: int,
        *,
        embedding_channels: int = 64,
        num_layers: int = 1,
        probe: float = 1.0,
        balance: float = 0.5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(
            1,
            num_categories=num_categories,
            out_channels=out_channels,
            embedding_channels=embedding_channels,
            num_layers=num_layers,
        )
        check_at_least(0, probe=probe)
        check_within(0.0, 1.0, balance=balance)
        check_probability(dropout=dropout)
        self.num_categories, self.out_channels = num_categories, out_channels
        self.probe, self.balance, self.dropout = probe, balance, dropout
        self.embedding = nn.Parameter(torch.empty(num_categories, embedding_channels))
        self.conv = nn.Linear(embedding_channels, embedding_channels, bias=False)
        widths = [embedding_channels] * num_layers + [out_channels]
        self.global_layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.local_layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new parameters; embeddings from a normal distribution of deviation embedding_channels^-1/2."""
        nn.init.normal_(self.embedding, std=self.embedding.size(1) ** -0.5)
        for module in (self.conv, *self.global_layers, *self.local_layers):
            module.reset_parameters()

    @untraced
    def forward(self, x: Float[Tensor, "N {self.num_categories}"] | CSR) -> Float[Tensor, "N {self.out_channels}"]:
        """Let categories interact.

        Args:
            x: Categories of each node, a column per category; zero where the node does not have it.

        Returns:
            The new features.
        """
        given: CSR = x if isinstance(x, CSR) else remember(lambda: _entries(x), "categories", x)
        total = given.matmul(self.embedding)
        squares = given.with_value(given.weights(total.dtype).square()).matmul(self.embedding.square())
        own = self._perceptron(self.global_layers, self._global(given, total))
        pairs = self._perceptron(self.local_layers, 0.5 * (total.square() - squares))
        return torch.lerp(pairs, own, self.balance)

    def _global(self, given: CSR, total: Tensor) -> Tensor:
        """Mean over the categories of each node of relu(p_i W)."""
        count = given.degree().to(total.dtype).unsqueeze(1)
        entry = self.probe * given.weights(total.dtype).unsqueeze(1) * at_cols(self.conv(self.embedding), given.structure)
        heard = at_rows(self.conv(total), given.structure) + entry
        heard = (heard / at_rows(count + self.probe, given.structure)).relu()
        heard = dropout(heard, self.dropout, self.training)
        if given.mask is not None:
            heard = heard * given.mask.unsqueeze(1)
        return segment_sum(heard, given.rowptr, given.row) / count.clamp(min=1.0)

    def _perceptron(self, layers: nn.ModuleList, h: Tensor) -> Tensor:
        for number, layer in enumerate(layers):
            h = layer(dropout(h.relu(), self.dropout, self.training) if number else h)
        return h

    def __repr__(self) -> str:
        shares = f"probe={self.probe:g}, balance={self.balance:g}"
        return f"{type(self).__name__}({self.num_categories}, {self.out_channels}, {shares})"


def _entries(x: Tensor) -> CSR:
    """Dense features as an operator of those that are not zero."""
    found = sparse_features(x, density=1.0)
    assert isinstance(found, CSR)
    return found
