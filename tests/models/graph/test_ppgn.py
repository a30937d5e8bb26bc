"""PPGN and PPGN++ against dense algebra on n x n pairs."""

from __future__ import annotations

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.models.graph.ppgn import PPGN, PPGNPlus
from tests.models.graph.frame import (
    EDGES,
    assert_same,
    assert_whole_model,
    batch_norm,
    example,
    graphs_of,
    linear,
    scrambled,
)

MODELS = {"ppgn": PPGN, "ppgn++": PPGNPlus}
SMALL = {"hidden_channels": 5, "num_layers": 2}


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("kind", MODELS.values(), ids=MODELS)
def test_whole_model(kind, edges):
    assert_whole_model(lambda: kind(4, 3, edge_channels=EDGES if edges else 0, **SMALL), edges)


def test_whole_model_of_other_settings():
    assert_whole_model(
        lambda: PPGN(4, 3, degree=3, norm=False, jumping_knowledge="none", readout="mean", node_features="constant", **SMALL)
    )


def expected(model, batch):
    rows = []
    edge = dict(zip(zip(*batch.adj.edge_index().tolist(), strict=True), batch.edge_attr, strict=True))
    start = 0
    for x, a in graphs_of(batch):
        n = x.size(0)
        h = torch.zeros(n, n, 2 + x.size(1) + EDGES, dtype=torch.float64)
        h[..., 0] = a
        for u in range(n):
            h[u, u, 1] = 1.0
            h[u, u, 2:6] = x[u]
            for v in range(n):
                if a[u, v]:
                    h[u, v, 6:] = edge[start + v, start + u]
        start += n
        found = []
        for block, norm in zip(model.blocks, model.norms, strict=True):
            left, right = (linear(part[2], linear(part[0], h).clamp(min=0)).clamp(min=0) for part in block.factors)
            h = linear(block.out, torch.cat([h, torch.einsum("uwc,wvc->uvc", left, right)], dim=2))
            h = batch_norm(norm, h)
            found.append(h)
        h = torch.cat(found, dim=2)
        rows.append(torch.cat([sum(h[u, u] for u in range(n)), h.sum((0, 1))]))
    first, _, _, last = model.head
    return linear(last, linear(first, torch.stack(rows)).clamp(min=0))


def test_equals_dense_algebra():
    batch = example(edges=True)
    batch.x.requires_grad_()
    model = scrambled(PPGN(4, 3, edge_channels=EDGES, **SMALL).double().eval())
    batch = batch.with_index(model.prepare(batch))
    assert_same(model(batch), expected(model, batch), [batch.x, *model.parameters()])


def test_polynomials_are_the_same_in_chunks_and_taken():
    batch = example()
    model = PPGNPlus(4, 3).double()
    many = batch.take(torch.arange(5).repeat(30))
    index = model.prepare(many)
    alone = model.prepare(batch)
    assert torch.equal(index.polynomials, alone.polynomials.repeat(30, 1)) and index.polynomials.size(1) == 8
    assert torch.equal(alone.take(torch.arange(5).repeat(30)).polynomials, index.polynomials)


def test_embeddings_of_nodes_are_the_diagonal():
    batch = example()
    model = PPGN(4, 3, **SMALL).double().eval()
    batch = batch.with_index(model.prepare(batch))
    rows = model.embed_nodes(batch)
    assert rows.shape == (batch.num_nodes, model.width // 2)
    torch.testing.assert_close(
        model.embed(batch)[:, : model.width // 2], torch.stack([r.sum(0) for r in rows.split(batch.ptr.diff().tolist())])
    )


def test_pairs_that_will_not_fit_are_refused():
    with pytest.raises(RequestError, match="more than max_bytes=1,000"):
        PPGN(4, 3, max_bytes=1000).prepare(example())
    with pytest.raises(ValueError, match=r"PPGN needs batch.with_index"):
        PPGN(4, 3)(example())
    with pytest.raises(ValueError, match="degree must be at least 1"):
        PPGN(4, 3, degree=0)
