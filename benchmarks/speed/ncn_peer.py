"""NCN step by step as its paper's code computes it, in plain torch: adjacency rebuilt, keys searched, modules as written."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.speed.search_peer import Rows
from graphkit.conf.models.link import NCNModel


class PeerNCN(nn.Module):
    """NCN at the settings of ogbl-ddi: an embedding, h = x + Dropout(A x), and the head with its maps in the written order.

    s_ij = lin( beta * xcnlin( sum_{u in N(i) & N(j)} x'_u ) + xijlin( h_i * h_j ) ),   x' = h + xlin(h)

    Its parameters come in the order and shapes of `graphkit.models.link.ncn.NCN` at the same settings.

    Args:
        num_nodes: Number of nodes N.
        settings: Width and dropouts; the rest is fixed as above.
    """

    def __init__(self, num_nodes: int, settings: NCNModel) -> None:
        super().__init__()
        d, p = settings.hidden_channels, settings.head_dropout
        self.num_nodes = num_nodes
        self.table = nn.Parameter(torch.empty(num_nodes + 1, d))
        self.embedding_dropout = nn.Dropout(settings.dropout)
        self.tail_dropout = nn.Dropout(settings.tail_dropout)
        self.beta = nn.Parameter(torch.ones(1))

        def linear() -> nn.Linear:
            return nn.Linear(d, d)

        def drop() -> list[nn.Module]:
            return [nn.Dropout(p), nn.ReLU()]

        def normed() -> list[nn.Module]:
            return [nn.LayerNorm(d), *drop()]

        self.xlin = nn.Sequential(linear(), *drop(), linear(), *normed())
        self.xcnlin = nn.Sequential(linear(), *drop(), linear(), *normed(), linear())
        self.xijlin = nn.Sequential(linear(), *normed(), linear())
        self.lin = nn.Sequential(linear(), *normed(), linear(), *normed(), nn.Linear(d, 1))

    def encode(self, adj: Tensor) -> Tensor:
        """Node embeddings [N, d] on a torch CSR adjacency."""
        x = self.embedding_dropout(self.table[: self.num_nodes])
        return x + self.tail_dropout(torch.sparse.mm(adj, x, "sum"))

    def score(self, h: Tensor, rows: Rows, pairs: Tensor) -> Tensor:
        """Logits [P] of pairs [2, P]."""
        product = self.xijlin(h[pairs[0]] * h[pairs[1]])
        pooled = rows.pool(rows.common(pairs), pairs.size(1), h + self.xlin(h))
        return self.lin(self.beta * self.xcnlin(pooled) + product).squeeze(1)

    def loss(self, edges: Tensor, removed: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Loss of a batch on the graph without its edges: mean softplus(-s) of positives plus mean softplus(s) of negatives.

        Args:
            edges: All training edges [2, E], each once.
            removed: Which of them the batch holds [E], bool.
            positive: The batch's edges [2, B].
            negative: Its non-edges [2, B].
        """
        adj, rows = adjacency(edges[:, ~removed], self.num_nodes)
        h = self.encode(adj)
        return F.softplus(-self.score(h, rows, positive)).mean() + F.softplus(self.score(h, rows, negative)).mean()


def adjacency(edges: Tensor, num_nodes: int) -> tuple[Tensor, Rows]:
    """Both directions of edges [2, E], each once, sorted: as torch CSR and as rows to search."""
    both = torch.cat([edges, edges.flip(0)], dim=1)
    shape = num_nodes, num_nodes
    matrix = torch.sparse_coo_tensor(both, torch.ones(both.size(1)), shape, check_invariants=False).coalesce().to_sparse_csr()
    return matrix, Rows(matrix.crow_indices(), matrix.col_indices())
