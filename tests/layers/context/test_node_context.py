"""Contexts against loops over nodes; what is unknown; and that nothing is told of a label which must not be known."""

import pytest
import torch

from graphkit.layers import NodeContext
from graphkit.layers.context import measures
from graphkit.layers.context.measures import FirstPass
from graphkit.layers.context.registry import CONTEXTS, DEFAULT, choose_contexts
from graphkit.sparse import CSR, sparse_features
from tests.layers.context import oracle

ALL = tuple(CONTEXTS)
N = 24


def graph(seed=0):
    """Directed edges with repeats and self-loops; the last three nodes are isolated."""
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(N - 5, (2, 45), generator=generator)
    return torch.cat([edges, edges[:, :4], torch.tensor([[N - 5, 2], [N - 4, 2]])], dim=1)  # and a pair of its own


def features(seed=1):
    """Mostly zeros; some rows hold nothing."""
    x = torch.rand(N, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.where(x < 0.6, 0.0, x)


def labels():
    y = torch.full((N,), -1)
    y[torch.arange(0, N, 2)] = torch.arange(N // 2) % 3
    return y


def first_pass():
    generator = torch.Generator().manual_seed(4)
    return FirstPass(torch.randint(3, (N,), generator=generator), torch.rand(N, generator=generator, dtype=torch.float64))


def fitted(x=None, y=None, contexts=ALL, first=None, edges=None):
    context = NodeContext(N, contexts=contexts).double()
    context.fit(features() if x is None else x, graph() if edges is None else edges, labels() if y is None else y, first)
    return context


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("first", [None, first_pass()], ids=["before a first pass", "after it"])
def test_contexts_equal_an_oracle(first, layout):
    x = features()
    context = fitted(x if layout == "dense" else sparse_features(x, density=1.0), first=first)
    assert isinstance(context, NodeContext) and context.contexts == ALL
    numbers = oracle.raw(graph(), x, labels(), *(() if first is None else (first.predicted.tolist(), first.saliency)))
    expected = torch.tensor([[float("nan") if v is None else v for v in numbers[name]] for name in ALL]).double().t()
    torch.testing.assert_close(context.raw, expected, rtol=0, atol=1e-5, equal_nan=True)  # the eigenvector's tolerance
    rough = ALL.index("eigenvector centrality")
    exact = [k for k in range(len(ALL)) if k != rough]
    torch.testing.assert_close(context.raw[:, exact], expected[:, exact], rtol=0, atol=1e-6, equal_nan=True)  # and PageRank's
    train = (labels() >= 0).nonzero().flatten().tolist()
    found, table = context(), oracle.table(ALL, numbers, train)
    assert found.shape == (N, context.out_channels) == table.shape
    torch.testing.assert_close(found[:, rough], table[:, rough], rtol=0, atol=1e-4)
    columns = [c for c in range(table.size(1)) if c != rough]
    torch.testing.assert_close(found[:, columns], table[:, columns], rtol=0, atol=2e-6)


def test_similarity_of_sparse_features_is_summed_in_blocks(monkeypatch):
    x = features()
    whole = fitted(sparse_features(x, density=1.0), contexts=["neighbor similarity"]).raw
    for fill in (1, 7, 40):
        monkeypatch.setattr(measures, "_FILL", fill)
        found = fitted(sparse_features(x, density=1.0), contexts=["neighbor similarity"]).raw
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-12, equal_nan=True)


def test_ones_that_are_not_stored_are_features_too():
    x = (features() > 0).double()
    plain = CSR(sparse_features(x, density=1.0).structure)
    assert plain.value is None
    found = fitted(plain, contexts=["neighbor similarity"]).raw
    torch.testing.assert_close(found, fitted(x, contexts=["neighbor similarity"]).raw, rtol=0, atol=1e-7, equal_nan=True)


def test_training_nodes_have_mean_zero_and_deviation_one():
    context = fitted()
    known = context.trained.unsqueeze(1) & ~context.raw.isnan()
    for name in DEFAULT:
        own = context.table[known[:, ALL.index(name)], ALL.index(name)]
        torch.testing.assert_close(own.mean(), torch.tensor(0.0).double(), rtol=0, atol=1e-12)
        torch.testing.assert_close(own.square().mean(), torch.tensor(1.0).double(), rtol=0, atol=1e-12)
    others = context.table[~context.trained, : len(ALL)]
    assert abs(float(others.mean())) > 1e-3  # no statistics of theirs


def test_a_node_s_own_label_is_not_in_its_context():
    before = fitted(contexts=["label agreement"]).raw
    for node in range(0, N, 2):
        y = labels()
        y[node] = (y[node] + 1) % 3
        after = fitted(y=y, contexts=["label agreement"]).raw
        torch.testing.assert_close(after[node], before[node], rtol=0, atol=0, equal_nan=True)


def test_a_context_does_not_give_away_which_label_was_left_out():
    """Leaves of a star: those of one fold have one context, whatever their labels; with only its own left out it tells them."""
    hub, leaves = 0, torch.arange(1, N)
    y = torch.cat([torch.tensor([-1]), leaves % 3 % 2])
    context = fitted(y=y, contexts=["label agreement"], edges=torch.stack([leaves, torch.full_like(leaves, hub)]))
    fold = oracle.folds(y)
    for f in range(5):
        members = [i for i in leaves.tolist() if fold[i] == f]
        assert len(set(y[members].tolist())) == 2  # both classes are among them
        assert len(set(context.raw[members, 0].tolist())) == 1


def test_unknown_is_flagged_and_average():
    context = fitted()
    isolated = N - 1
    numbers = dict(zip(ALL, context.raw[isolated].tolist(), strict=True))
    unknown = {name for name in ALL if numbers[name] != numbers[name]}
    assert unknown == {"neighbor similarity", "label agreement", "feature saliency", "predicted agreement"}
    row = context()[isolated]
    for column, k in enumerate(context.columns):
        if ALL[k] in unknown:
            assert float(row[column]) == (0.0 if column < len(ALL) else 1.0)
    readings = {one.name: one for one in context.readings(isolated)}
    assert {name for name in readings if readings[name].value is None} == unknown
    assert {name for name in readings if readings[name].percentile is None} == unknown
    assert readings["degree"].value == 0.0 and readings["degree"].percentile == 0.0


def test_percentiles_are_shares_of_training_nodes_below():
    context = fitted(first=first_pass())
    for node in (0, 1, 5, N - 1):
        for k, percentile in enumerate(context.percentiles(node)):
            own = float(context.raw[node, k])
            others = [float(context.raw[i, k]) for i in range(N) if labels()[i] >= 0]
            others = [v for v in others if v == v]
            expected = None if own != own else 100.0 * sum(v < own for v in others) / len(others)
            assert percentile == (None if expected is None else pytest.approx(expected))


def test_a_context_that_does_not_differ_is_left_out_of_the_scale():
    """A ring: every node has two neighbors, core number 2, and PageRank 1 up to rounding."""
    ring = torch.arange(N)
    context = fitted(torch.ones(N, 2).double(), contexts=DEFAULT, edges=torch.stack([ring, ring.roll(1)]))
    assert torch.equal(context.table[:, :5], torch.zeros(N, 5, dtype=torch.float64))


@pytest.mark.usefixtures("unchecked_shapes")
def test_no_label_is_needed_outside_of_training_and_one_inside():
    with pytest.raises(ValueError, match="of which there is none"):
        fitted(y=torch.full((N,), -1))
    with pytest.raises(ValueError, match="made for 24 nodes, got features of 25"):
        fitted(torch.ones(N + 1, 2))


def test_a_fit_goes_into_the_state_dict_and_back():
    context, other = fitted(first=first_pass()), NodeContext(N, contexts=ALL).double()
    other.load_state_dict(context.state_dict())
    assert torch.equal(other(), context()) and other.readings(3) == context.readings(3)


def test_names_are_chosen():
    assert choose_contexts("default") == DEFAULT and choose_contexts("all") == ALL
    assert choose_contexts("label-agreement + core number") == ("label agreement", "core number")
    assert not NodeContext(3).needs_first_pass and NodeContext(3, contexts=ALL).needs_first_pass
    for wrong, message in [
        ("degre", "there is no context 'degre': did you mean degree"),
        ("xyz", "no context 'xyz': contexts are degree"),
        ("degree+degree", "each once"),
        ("", "no context ''"),
    ]:
        with pytest.raises(ValueError, match=message):
            choose_contexts(wrong)
    with pytest.raises(ValueError, match="got none"):
        NodeContext(3, contexts=())
    with pytest.raises(ValueError, match="num_nodes must be at least 1"):
        NodeContext(0)
