"""Which nodes make the score of a pair: sums over common neighbors, NCN's integral and GAE's occlusion against plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from graphkit.models.link.base import LinkModel
from graphkit.models.link.gae import GAE
from graphkit.models.link.heuristics import AdamicAdar, CommonNeighbors, ResourceAllocation
from graphkit.models.link.ncn import NCN
from graphkit.sparse import CSR
from tests.layers.pairs.graphs import graph_and_pairs

WEIGHTS = {
    CommonNeighbors: lambda degree: 1.0,
    AdamicAdar: lambda degree: 1 / math.log(degree),
    ResourceAllocation: lambda degree: 1 / degree,
}


def simple_graph() -> tuple[CSR, torch.Tensor, int]:
    """Undirected, without repeats and self-loops; the pairs include one of a node with itself and isolated ones."""
    edge_index, pairs, n = graph_and_pairs()
    edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    return CSR.from_edge_index(edge_index, n, duplicates="first"), pairs[:, :12], n


def neighbors(adj: CSR, node: int) -> list[int]:
    return adj.edge_index()[0][adj.edge_index()[1] == node].tolist()


@pytest.mark.parametrize("kind", sorted(WEIGHTS, key=str))
def test_heuristics_are_sums_over_common_neighbors(kind: type[LinkModel]) -> None:
    adj, pairs, _ = simple_graph()
    found = kind().reasons(None, adj, pairs)
    for p, (i, j) in enumerate(pairs.t().tolist()):
        common = set(neighbors(adj, i)) & set(neighbors(adj, j))
        assert dict(found.of(p)) == pytest.approx({u: WEIGHTS[kind](len(neighbors(adj, u))) for u in common})
    assert found.exact and found.ids.numel() > 20
    assert float(found.remainder.abs().max()) < 1e-10
    torch.testing.assert_close(found.score, kind()(None, adj, pairs), rtol=0, atol=0)


def ncn(n: int, dtype: torch.dtype = torch.float64) -> tuple[NCN, torch.Tensor]:
    torch.manual_seed(0)
    model = NCN(6, n, hidden_channels=8, num_layers=1, beta=0.7).to(dtype).eval()
    return model, torch.randn(n, 6, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ncn_integrates_the_head_over_the_common_neighbors(dtype: torch.dtype) -> None:
    """The path by plain differences of the head: many small steps, each neighbor moving by its share."""
    adj, pairs, n = simple_graph()
    model, x = ncn(n, dtype)
    found = model.reasons(x, adj, pairs)
    torch.testing.assert_close(found.score, model(x, adj, pairs).detach().double(), rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        h, z = model.double().encode(x.double(), adj)
        for p, (i, j) in enumerate(pairs.t().tolist()):
            product = (h[i] * h[j]).unsqueeze(0)
            common = sorted(set(neighbors(adj, i)) & set(neighbors(adj, j)))
            pooled = z[common].sum(0, keepdim=True)
            assert float(found.bias[p]) == pytest.approx(float(model.head(product, 0 * pooled)), abs=1e-5)
            expected = {}
            for u in common:
                path = [(step + 0.5) / 400 * pooled for step in range(400)]
                ahead = torch.cat([at + z[u] * 1e-6 for at in path])
                behind = torch.cat([at - z[u] * 1e-6 for at in path])
                many = product.expand(400, -1)
                expected[u] = float((model.head(many, ahead) - model.head(many, behind)).mean() / 2e-6)
            assert dict(found.of(p)) == pytest.approx(expected, rel=0.02, abs=3e-3)
    # The remainder is what the integral misses at kinks of the head: a small part of what common neighbors do.
    assert float(found.remainder.abs().max()) < 0.05 * float((found.score - found.bias).abs().max())


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("conv", ["puregcn", "gcn", "puremean"])
def test_gae_loses_what_a_neighbor_contributes(conv: str, learned: bool) -> None:
    adj, pairs, n = simple_graph()
    torch.manual_seed(0)
    model = GAE(0 if learned else 6, n, hidden_channels=8, num_layers=2, conv=conv).double().eval()
    x = None if learned else torch.randn(n, 6, dtype=torch.float64)
    found = model.reasons(x, adj, pairs)
    edges = set(map(tuple, adj.edge_index().t().tolist()))
    score = model(x, adj, pairs).detach()
    torch.testing.assert_close(found.score, score)

    def scored(without: list[int], i: int, j: int) -> float:
        gone = {(u, end) for u in without for end in (i, j)} | {(end, u) for u in without for end in (i, j)}
        left = torch.tensor(sorted(edges - gone)).t()
        return model(x, CSR.from_edge_index(left, n), torch.tensor([[i], [j]])).item()

    for p, (i, j) in enumerate(pairs.t().tolist()):
        near = sorted((set(neighbors(adj, i)) | set(neighbors(adj, j))) - {i, j}) + ([j] if j in neighbors(adj, i) else [])
        expected = {u: float(score[p]) - scored([u], i, j) for u in near}
        assert dict(found.of(p)) == pytest.approx(expected, abs=1e-10)
        assert float(found.bias[p]) == pytest.approx(scored(near, i, j), abs=1e-10)
        assert float(found.remainder[p]) == pytest.approx(
            float(score[p]) - float(found.bias[p]) - sum(expected.values()), abs=1e-10
        )


def test_an_account_depends_on_its_own_pair_alone() -> None:
    adj, pairs, n = simple_graph()
    some, x = ncn(n)
    for model in (some, GAE(6, n, hidden_channels=8).double().eval(), AdamicAdar()):
        together = model.reasons(x, adj, pairs)
        for p in (0, 5):
            alone = model.reasons(x, adj, pairs[:, p : p + 1])
            assert dict(alone.of(0)) == pytest.approx(dict(together.of(p)), rel=1e-9, abs=1e-12)
        assert model.reasons(x, adj, pairs[:, :0]).score.numel() == 0


def test_random_scores_have_no_reasons() -> None:
    adj, pairs, n = simple_graph()
    model, x = ncn(n)
    with pytest.raises(RuntimeError, match=r"call eval\(\) before"):
        model.train().reasons(x, adj, pairs)
    with pytest.raises(RuntimeError, match=r"call eval\(\) before"):
        GAE(6, n, hidden_channels=8).reasons(x, adj, pairs)
