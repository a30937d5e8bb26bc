"""Tuned GAE as a whole against dense algebra in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphkit.models.link.gae_tuned import SharedPropagation, TunedGAE
from graphkit.sparse import CSR
from tests.models.link.dense import NODES, assert_same, gcn, graph


@pytest.mark.parametrize(
    "options",
    [
        {"num_steps": 2},
        {"num_steps": 4, "residual": 0.3, "step_norm": True},
        {"num_steps": 1},
        {"num_steps": 3, "propagation": "averaged", "step_norm": True, "decay": 0.5},
        {"num_steps": 1, "propagation": "averaged"},
    ],
    ids=["shared", "shared-norm", "one-step", "averaged-norm", "averaged-one-step"],
)
@pytest.mark.parametrize("features", [6, 0])
def test_equals_dense_oracle(features: int, options: dict) -> None:
    torch.manual_seed(0)
    x, edges, adjacency, pairs = graph(features)
    model = TunedGAE(features, NODES, hidden_channels=5, head_layers=3, activation="silu", **options).double().eval()
    encoder, p = model.encoder, gcn(adjacency)
    if encoder.weights is not None:
        assert encoder.weights.tolist() == [options.get("decay", 1.0) ** k for k in range(options["num_steps"])]
        with torch.no_grad():
            encoder.weights += torch.randn_like(encoder.weights)

    def between(h, k):
        return F.layer_norm(h, (5,), encoder.norms[k].weight, encoder.norms[k].bias) if options.get("step_norm") else h

    given = encoder.input.table if x is None else x
    if options.get("propagation") == "averaged":
        steps = [p @ (given @ encoder.lin.weight.t())]
        for k in range(options["num_steps"] - 1):
            steps.append(p @ between(steps[-1], k))
        weights = encoder.weights.exp() / encoder.weights.exp().sum()
        h = sum(weight * step for weight, step in zip(weights, steps, strict=True))
    else:
        r = options.get("residual", 0.1)
        h = p @ given @ encoder.first.lin.weight.t() + encoder.first.bias
        root = h if x is not None else given
        h = h if x is not None else h + r * root
        for k in range(options["num_steps"] - 1):
            h = p @ between(h, k) @ encoder.later.lin.weight.t() + encoder.later.bias + r * root
    z = product = h[pairs[0]] * h[pairs[1]]
    for lin in model.score.lins:
        z = F.silu(lin(z) + product)
    assert_same(model(x, CSR.from_edge_index(edges, NODES), pairs), model.score.out(z).squeeze(1), list(model.parameters()))


def test_steps_after_the_first_share_one_map() -> None:
    counts = {n: sum(p.numel() for p in SharedPropagation(0, NODES, 8, num_steps=n).parameters()) for n in (1, 2, 7)}
    assert counts[2] == counts[7] == counts[1] + 8 * 8 + 8


def test_the_table_is_orthogonal_at_first() -> None:
    table = SharedPropagation(0, NODES, 8).input.table
    torch.testing.assert_close(table.t() @ table, torch.eye(8), rtol=0, atol=1e-5)


def test_dropout_between_steps_works_in_training_only() -> None:
    x, edges, _, _ = graph()
    adj, x = CSR.from_edge_index(edges, NODES), x.float()
    for propagation in ("shared", "averaged"):
        encoder = SharedPropagation(6, NODES, 8, propagation=propagation, step_norm=True, dropout=0.5)
        assert not torch.equal(encoder(x, adj), encoder(x, adj))
        encoder.eval()
        assert torch.equal(encoder(x, adj), encoder(x, adj))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1"),
        ({"residual": -1.0}, "residual must be at least 0"),
        ({"decay": 0.0}, "decay must be positive"),
        ({"propagation": "other"}, "propagation must be one of shared, averaged"),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SharedPropagation(3, NODES, 4, **options)


def test_missing_features_are_told() -> None:
    adj = CSR.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 3)
    with pytest.raises(ValueError, match=r"pass x \[N, in_channels\]"):
        SharedPropagation(3, 3, 4)(None, adj)
