"""Policies and presets by name."""

import pytest

from graphkit import testing
from graphkit.layers import AGGREGATIONS, POLICIES, PRESETS, BagFeatures, SubgraphPooling, make_bags
from graphkit.sparse.egonets import BagSample, ego_bags

NUMBERS = {"hops": 2, "length": 2}


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_makes_bags_and_labels(name):
    x, edge_index, ptr = testing.graph_batch()
    policy = POLICIES[name]
    assert policy.paper
    numbers = {key: NUMBERS[key] for key in policy.needs}
    bags = make_bags(edge_index, ptr, name, **numbers)
    assert bags.num_graphs == 5 and bags.total is None
    num_roots = 1 if bags.roots is None else bags.roots.size(1)
    assert BagFeatures(4, policy.labels, num_roots=num_roots)(x.float(), bags).size(0) == bags.num_rows
    assert make_bags(edge_index, ptr, name, **numbers, sample=BagSample(1)).bag_ptr.diff().max() == 1
    for key in policy.needs:
        with pytest.raises(ValueError, match=f"needs {key}"):
            make_bags(edge_index, ptr, name, **{k: v for k, v in numbers.items() if k != key})
    for key in {"hops", "length"} - set(policy.needs):
        with pytest.raises(ValueError, match=f"does not take {key}"):
            make_bags(edge_index, ptr, name, **numbers, **{key: 1})


def test_unknown_policies_are_refused():
    with pytest.raises(ValueError, match="unknown policy 'egoo'; choose one of node-marking"):
        make_bags(*testing.graph_batch()[1:], "egoo")


def test_presets_name_what_exists():
    wanted = {"ds", "dss", "ngnn", "id-gnn", "gnn-ak", "gnn-ak+", "sun", "swl", "gswl", "sswl", "sswl+"}
    assert wanted <= set(PRESETS)
    for preset in PRESETS.values():
        assert preset.policy in POLICIES and preset.paper and set(preset.aggregations) <= set(AGGREGATIONS)
        SubgraphPooling(4, preset.order, inner=preset.inner)
        assert preset.conv(3, 4, residual=False).in_channels == 3


def test_policy_and_function_agree():
    _, edge_index, ptr = testing.graph_batch()
    assert make_bags(edge_index, ptr, "ego", hops=1).node.tolist() == ego_bags(edge_index, ptr, 1).node.tolist()
