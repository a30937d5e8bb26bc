"""Which network separates which generated pair, exactly: the table of the hierarchy, and networks at their ceilings."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from graphkit.conf import expressiveness as conf
from graphkit.data.generated.pairs import generated_pairs
from graphkit.layers import POLICIES
from graphkit.separation import verdicts
from graphkit.separation.collection import Collection
from graphkit.separation.networks import NETWORKS, Embedding
from graphkit.separation.refinement import CLASSES
from graphkit.separation.verdicts import Untrained, ceiling, measure

FUERER = ("fuerer-b1", "fuerer-b2", "fuerer-b3", "fuerer-b4", "fuerer-k4")
SEPARATED = {
    "1-wl": "",
    "swl-vs": "basic csl exp",
    "swl-sv": "basic csl exp fuerer-b1 fuerer-b4",
    "pswl-vs": "basic csl exp fuerer-b1",
    "pswl-sv": "basic csl exp fuerer-b1 fuerer-b4",
    "gswl": "basic csl exp fuerer-b1 fuerer-b4",
    "sswl": "basic csl exp fuerer-b1 fuerer-b2 fuerer-b4",
    "lfwl": "basic csl exp fuerer-b1 fuerer-b2 fuerer-b3 fuerer-b4",
    "slfwl": "basic csl exp fuerer-b1 fuerer-b2 fuerer-b3 fuerer-b4",
    "fwl": "basic csl exp fuerer-b1 fuerer-b2 fuerer-b3 fuerer-b4",
    "node-deleted": "basic csl exp",
    "edge-deleted": "basic csl exp fuerer-b1 fuerer-b2 fuerer-b3 fuerer-k4 strongly-regular",
    "dss-edge-deleted": "basic csl exp fuerer strongly-regular",
}
"""Categories and pairs that each class separates, of all generated pairs; the rest it does not."""
COUNTED = {
    "ego1": {"basic": 2, "csl": 9, "exp": 0},
    "ego2": {"basic": 4, "csl": 30, "exp": 3},
    "ego3": {"basic": 3, "csl": 44, "exp": 3},
    "ego+1": {"basic": 2, "csl": 9, "exp": 0},
    "ego+2": {"basic": 5, "csl": 30, "exp": 3},
    "ego+3": {"basic": 5, "csl": 44, "exp": 3},
}
NETWORK_OF = {"gin": "1-wl", "gcn": "1-wl", "swl": "swl-vs", "swl-sv": "swl-sv", "pswl": "pswl-vs", "pswl-sv": "pswl-sv",
              "gswl": "gswl", "sswl": "sswl", "sswl+": "sswl", "ppgn": "fwl", "ppgn++": "fwl"}  # fmt: skip


@cache
def collection(*categories):
    """Generated pairs; of the circulants every ninth."""
    pairs = [pair for pair in generated_pairs() if not categories or {pair.category, pair.name} & set(categories)]
    circulants = [pair for pair in pairs if pair.category == "csl"]
    left_out = {pair.name for pair in circulants} - {pair.name for pair in circulants[::9]} if not categories else set()
    return Collection([pair for pair in pairs if pair.name not in left_out])


def expected(name, pairs):
    return [bool({pair.category, pair.name} & set(SEPARATED[name].split())) for pair in pairs]


@pytest.mark.parametrize("name", SEPARATED)
def test_classes_separate_what_is_known(name):
    pairs = collection()
    assert ceiling(CLASSES[name], pairs).tolist() == expected(name, pairs.pairs)


@pytest.mark.parametrize("name", COUNTED)
def test_small_bags_separate_so_many(name):
    pairs = collection("basic", "csl", "exp")
    categories = np.array([pair.category for pair in pairs.pairs])
    found = ceiling(CLASSES[name], pairs)
    assert {one: int(found[categories == one].sum()) for one in ("basic", "csl", "exp")} == COUNTED[name]
    prism = [pair.name for pair in pairs.pairs].index("k33-prism")
    assert found[prism] == (name in ("ego1", "ego+1", "ego+2", "ego+3"))  # two hops are the whole graph


@pytest.mark.parametrize("name", NETWORK_OF)
def test_networks_with_random_weights_reach_their_class(name):
    pairs = collection()
    found = measure(NETWORKS[name], pairs, Untrained(draws=1, copies=1))
    assert found.separated.tolist() == expected(NETWORK_OF[name], pairs.pairs)
    assert ceiling(NETWORKS[name].ceiling, pairs).tolist() == expected(NETWORK_OF[name], pairs.pairs)
    ratio = found.difference / found.control
    assert (ratio[~found.separated] < 30).all() and (ratio[found.separated] > 1e4).all()  # nothing near the factor, 1000


@pytest.mark.parametrize(
    "name", [*sorted(set(NETWORKS) - set(NETWORK_OF)), "ds edge-deleted", "dss edge-deleted", "ds node-deleted"]
)
def test_other_networks_reach_their_ceiling(name):
    model, _, policy = name.partition(" ")
    pairs = collection()
    network = NETWORKS[model].on(model, policy or None, None, None)
    found = measure(network, pairs, Untrained(draws=1, copies=1)).separated
    assert found.tolist() == ceiling(network.ceiling, pairs).tolist()
    if policy == "edge-deleted":
        assert found.tolist() == expected("edge-deleted" if model == "ds" else "dss-edge-deleted", pairs.pairs)


def test_only_deleting_edges_and_polynomials_tell_strongly_regular_graphs_apart():
    pairs = collection("strongly-regular")
    for name in set(CLASSES) - {"edge-deleted", "dss-edge-deleted"}:
        assert not ceiling(CLASSES[name], pairs).any()
    assert ceiling(CLASSES["edge-deleted"], pairs).all() and ceiling(NETWORKS["ppgn++6"].ceiling, pairs).all()


def test_the_control_holds_back_verdicts_by_rounding(monkeypatch):
    pairs = collection("strongly-regular")
    how = Untrained(draws=2, copies=1)
    quiet = measure(NETWORKS["sswl"], pairs, how)
    assert not quiet.separated.any() and (quiet.difference < 1e-12).all()
    single = replace(how, factor=1e-9)
    assert measure(NETWORKS["sswl"], pairs, single).separated.sum() == (quiet.difference > 0).sum()
    embed, source = verdicts._embed, np.random.default_rng(0)
    monkeypatch.setattr(verdicts, "_embed", lambda *given: (out := embed(*given)) * (1 + 1e-3 * source.random(out.shape)))
    noisy = measure(NETWORKS["sswl"], pairs, how)
    assert not noisy.separated.any() and (noisy.difference > 1e-5).all() and (noisy.control > 1e-5).all()


def test_embeddings_depend_on_no_other_graph():
    pairs = collection("basic")
    torch.manual_seed(0)
    model = Embedding(NETWORKS["sswl+"], 8, 3).double().eval()
    together = verdicts._embed(model, pairs.batch(np.arange(4)))
    for place in range(4):
        alone = verdicts._embed(model, pairs.batch(np.array([place])))
        np.testing.assert_allclose(alone[0], together[place], rtol=1e-10)


def test_names_of_the_settings_are_those_of_the_library():
    assert tuple(NETWORKS) == conf.MODELS and tuple(CLASSES) == conf.TESTS and tuple(POLICIES) == conf.POLICIES
