from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from graphkit.models.recommend.sheaf import SheafRecommender
from graphkit.run import main
from tests.layers.sheaf.oracle import dense_laplacian, dense_layer
from tests.models.recommend.pairwise import NUM_ITEMS, NUM_USERS, assert_same, loop_loss, some_interactions, some_triples

ALL_USERS = torch.arange(NUM_USERS)
VARIANTS = {
    "identity": {"maps": "identity", "stalk_dim": 2},
    "diagonal": {"maps": "diagonal", "stalk_dim": 3},
    "orthogonal": {"maps": "orthogonal", "stalk_dim": 3, "activation": "tanh"},
    "general": {"maps": "general", "stalk_dim": 2},
    "as-the-code": {"maps": "diagonal", "stalk_dim": 1, "activation": "none", "combine": "concat", "num_layers": 3},
    "concat": {"maps": "general", "stalk_dim": 3, "combine": "concat"},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())


def fitted(weighted: bool = False, **settings) -> tuple[SheafRecommender, Tensor]:
    """A model in double precision, its parameters away from their first values, and the dense interactions."""
    settings = {"hidden_channels": 6, "num_layers": 2, "stalk_dim": 2, **settings}
    model = SheafRecommender(NUM_USERS, NUM_ITEMS, **settings).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.6)
    interactions, dense = some_interactions(weighted)
    model.fit(interactions)
    return model, dense


def dense_final(model: SheafRecommender, dense: Tensor) -> Tensor:
    """E of users followed by items, by block Laplacians that are built edge by edge."""
    users, items = dense.nonzero().t()
    weight = dense[users, items].repeat(2)
    edge_index = torch.stack([torch.cat([users, items + NUM_USERS]), torch.cat([items + NUM_USERS, users])])
    states = [model.embedding]
    for layer in model.layers:
        laplacian = dense_laplacian(layer, states[-1], edge_index, weight)
        states.append(dense_layer(layer, states[-1], laplacian))
    return torch.cat(states, dim=1) if model.combine == "concat" else sum(states) / len(states)


@pytest.mark.parametrize(
    ("variant", "weighted"),
    [*((variant, False) for variant in VARIANTS.values()), (VARIANTS["general"], True)],
    ids=[*VARIANTS, "weighted"],
)
def test_scores_and_their_gradients_equal_dense_oracle(variant: dict, weighted: bool) -> None:
    model, dense = fitted(weighted, **variant)
    users, items = model.compute_embeddings()
    final = dense_final(model, dense)
    probe = torch.linspace(-1.0, 1.0, NUM_USERS * NUM_ITEMS, dtype=torch.float64).sin().view(NUM_USERS, NUM_ITEMS)
    expected = final[:NUM_USERS] @ final[NUM_USERS:].t()
    assert_same((users @ items.t() * probe).sum(), (expected * probe).sum(), list(model.parameters()))
    model.prepare()
    some = torch.tensor([4, 0, 6])
    actual = model.scores(some)
    torch.testing.assert_close(actual, expected[some].detach(), rtol=1e-9, atol=1e-10)
    assert not actual.requires_grad


@pytest.mark.parametrize(("combine", "num_negatives"), [("mean", 1), ("concat", 3)])
def test_loss_equals_loop_oracle(combine: str, num_negatives: int) -> None:
    model, dense = fitted(combine=combine, embedding_penalty=0.3)
    triples = some_triples(num_negatives)
    expected = loop_loss(dense_final(model, dense), model.embedding, triples, 0.3)
    assert_same(model.loss(*triples), expected, list(model.parameters()))


def test_widths() -> None:
    for combine, width in (("mean", 6), ("concat", 18)):
        model, _ = fitted(combine=combine)
        model.prepare()
        assert [tuple(table.shape) for table in model.embeddings()] == [(NUM_USERS, width), (NUM_ITEMS, width)]


def test_maps_come_from_both_ends() -> None:
    """Turning one user's embedding changes the maps, and with them the scores, at the far side of its items."""
    model, dense = fitted(maps="general", num_layers=1)
    model.prepare()
    before = model.scores(ALL_USERS)
    neighbor = int(((dense[1:] * dense[0]).sum(1) > 0).nonzero()[0]) + 1
    with torch.no_grad():
        model.embedding[0] *= -1
    model.prepare()
    assert not torch.allclose(model.scores(ALL_USERS)[neighbor], before[neighbor])


def test_first_parameters_diffuse_evenly() -> None:
    """With identity maps and no sigma, an untrained step is the graph's own smoothing, (D + I)^-1/2 (A + I) (D + I)^-1/2."""
    settings = {"num_layers": 1, "maps": "identity", "stalk_dim": 1, "activation": "none", "combine": "concat"}
    model = SheafRecommender(NUM_USERS, NUM_ITEMS, hidden_channels=3, **settings).double()
    interactions, dense = some_interactions()
    model.fit(interactions)
    a = torch.eye(NUM_USERS + NUM_ITEMS, dtype=torch.float64)
    a[:NUM_USERS, NUM_USERS:], a[NUM_USERS:, :NUM_USERS] = dense, dense.t()
    scale = a.sum(1).rsqrt().diag()
    final = torch.cat(model.compute_embeddings())
    torch.testing.assert_close(final[:, :3], model.embedding)
    torch.testing.assert_close(final[:, 3:], scale @ a @ scale @ model.embedding)


@every_variant
def test_new_user_is_a_known_one_without_an_embedding_of_its_own(variant: dict) -> None:
    model, dense = fitted(**variant)
    users = [0, 3, 5, 6]
    with torch.no_grad():
        model.embedding[users] = 0.0
    model.prepare()
    items = [dense[user].nonzero().flatten().flip(0) for user in users]
    assert [len(bag) for bag in items][-1] == 0
    folded = model.fold_in(items)
    torch.testing.assert_close(folded, model.scores(torch.tensor(users)), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(model.fold_in(items[1:2]), folded[1:2], rtol=1e-12, atol=1e-13)
    assert not folded.requires_grad and bool((folded[-1] == 0).all())
    assert model.fold_in([]).shape == (0, NUM_ITEMS)


def test_fold_in_follows_prepare() -> None:
    model, _ = fitted()
    items = [torch.tensor([0, 3])]
    model.prepare()
    before = model.fold_in(items)
    with torch.no_grad():
        model.embedding.mul_(2.0)
    model.prepare()
    assert not torch.allclose(model.fold_in(items), before)


def test_float32_training_step_follows_the_double_one() -> None:
    model, _ = fitted()
    single = SheafRecommender(NUM_USERS, NUM_ITEMS, hidden_channels=6, num_layers=2)
    single.fit(some_interactions()[0])
    single.load_state_dict(model.state_dict())
    triples = some_triples(2)
    for one in (model, single):
        one.loss(*triples).backward()
    for ours, exact in zip(single.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.double(), exact.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"combine": "sum"}, "combine must be one of mean, concat, got 'sum'"),
        ({"maps": "scalar"}, "maps must be one of identity, diagonal, orthogonal, general, got 'scalar'"),
        ({"hidden_channels": 7}, "in_channels must be a positive multiple of 2"),
        ({"penalty": "l2"}, "penalty must be one of"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SheafRecommender(3, 4, **settings)


def test_fit_comes_first() -> None:
    with pytest.raises(RuntimeError, match="call fit\\(\\)"):
        SheafRecommender(NUM_USERS, NUM_ITEMS).loss(*some_triples(1))


def test_finds_the_communities_through_the_task(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["task=recommend", "dataset=planted-interactions", "model=sheaf", "model.num_layers=2", "model.hidden_channels=32"]
    loop = ["train.epochs=2", "train.eval_every=2", "train.lr=0.02", "train.batch_size=512", "device=cpu", "progress=false"]
    assert main([*asked, *loop, "format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["test"]["recall@20"]["mean"] > 85
