"""What every link model promises: three steps whose last one works row by row, and a graph that is read where it is needed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphkit.conf.catalog import MODELS
from graphkit.models.link.base import LinkModel
from graphkit.sparse import CSR, NeighborSets
from graphkit.tasks.build import model_maker

NODES = 30
INTERSECTING = {"ncn", "ncnc", "cn", "aa", "ra"}
READING_EDGES_ALONE = {"nbfnet"}
SHARING = {"ncn", "cn", "aa", "ra", "katz", "ppr"}


def model_of(name: str) -> LinkModel:
    torch.manual_seed(0)
    return model_maker("link", MODELS["link"][name].settings())(in_channels=4, num_nodes=NODES).double().eval()


def graph() -> tuple[Tensor, CSR, Tensor]:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(NODES - 3, (2, 90), generator=generator)
    edges = edges[:, edges[0] != edges[1]]
    x = torch.randn(NODES, 4, dtype=torch.float64, generator=generator)
    pairs = torch.randint(NODES, (2, 50), generator=generator)
    return x, CSR.from_edge_index(torch.cat([edges, edges.flip(0)], dim=1), NODES, duplicates="first"), pairs


@pytest.mark.parametrize("name", MODELS["link"])
def test_a_score_depends_on_its_own_pair_alone(name: str) -> None:
    model, (x, adj, pairs) = model_of(name), graph()
    scores = model(x, adj, pairs)
    assert scores.shape == (50,) and len(scores.unique()) > 3
    nodes = model.encode(x, adj)
    assert all(part.size(0) == NODES for part in nodes)
    one_by_one = [model.head(*model.pair_features(nodes, adj, pairs[:, p : p + 1])) for p in range(50)]
    torch.testing.assert_close(torch.cat(one_by_one), scores, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS["link"])
def test_parameters_of_the_head_are_the_model_s(name: str) -> None:
    model = model_of(name)
    every, head = ({id(one) for one in part} for part in (model.parameters(), model.head_parameters()))
    assert head <= every and bool(every) == bool(head) == model.trained


@pytest.mark.parametrize("name", MODELS["link"])
def test_neighbor_sets_are_laid_out_for_models_that_intersect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out, lay_out = [], NeighborSets._lay_out
    monkeypatch.setattr(NeighborSets, "_lay_out", lambda sets: laid_out.append(sets) or lay_out(sets))
    model, (x, adj, pairs) = model_of(name), graph()
    for removed in (None, torch.tensor([0, 5]), torch.tensor([9])):
        model(x, adj if removed is None else adj.without(removed, mirror=True), pairs)
    assert len(laid_out) == (1 if name in INTERSECTING else 0)


@pytest.mark.parametrize("name", MODELS["link"])
def test_pairs_of_a_few_sources_score_as_others_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, (x, adj, _) = model_of(name), graph()
    sources = torch.tensor([7, 2, NODES - 1])
    pairs = torch.cartesian_prod(sources, torch.arange(NODES)).t()
    nodes = model.encode(x, adj)
    expected = model.head(*model.pair_features(nodes, adj, pairs))
    if name in SHARING:
        monkeypatch.setattr(NeighborSets, "pool", lambda *_: pytest.fail("a pair is visited"))
        monkeypatch.setattr(type(model), "pair_features", lambda *_: pytest.fail("a pair is visited"))
    features = model.from_sources(nodes, adj, sources)
    found = torch.cat([model.head(*features(block)) for block in pairs.split(13, dim=1)])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS["link"])
def test_rows_of_nodes_are_learned_without_features_alone(name: str) -> None:
    make = model_maker("link", MODELS["link"][name].settings())
    assert not make(in_channels=4, num_nodes=NODES).bound_to_nodes
    learned = model_of(name).trained and name not in READING_EDGES_ALONE
    assert make(in_channels=0, num_nodes=NODES).bound_to_nodes == learned
