"""The first pair tensor against a loop over pairs."""

import pytest
import torch

from graphkit import testing
from graphkit.layers import BagFeatures
from graphkit.sparse.egonets import ego_bags, path_bags, whole_bags
from tests.sparse.egonets import oracle


@pytest.mark.parametrize("labels", ["none", "mark", "distance"])
def test_features_equal_the_oracle(labels):
    x, edge_index, ptr = testing.graph_batch()
    near = oracle.neighbors(edge_index, int(ptr[-1]))
    for bags, num_roots in ((whole_bags(edge_index, ptr), 1), (path_bags(edge_index, ptr, 2, 1), 2)):
        layer = BagFeatures(4, labels, max_distance=2, num_roots=num_roots).double()
        rows = []
        for s, nodes in enumerate(oracle.contents(bags)):
            for v in nodes:
                row = x[v]
                for i, root in enumerate(bags.roots[s].tolist()):
                    steps = oracle.distances(near, root, set(nodes)).get(v)
                    label = int(root != v) if labels == "mark" else 3 if steps is None else min(steps, 2)
                    if labels != "none":
                        row = row + layer.table[i * (2 if labels == "mark" else 4) + label]
                rows.append(row)
        torch.testing.assert_close(layer(x, bags), torch.stack(rows))
        if labels != "none":
            weight = torch.randn(bags.num_rows, 4, dtype=torch.float64)
            ours, theirs = (
                torch.autograd.grad((one * weight).sum(), layer.table)[0] for one in (layer(x, bags), torch.stack(rows))
            )
            torch.testing.assert_close(ours, theirs)


@pytest.mark.usefixtures("unchecked_shapes")
def test_wrong_arguments_are_refused():
    x, edge_index, ptr = testing.graph_batch()
    with pytest.raises(ValueError, match="labels must be"):
        BagFeatures(4, "hops")
    with pytest.raises(ValueError, match="max_distance and num_roots"):
        BagFeatures(4, "distance", max_distance=0)
    with pytest.raises(ValueError, match="x must have shape"):
        BagFeatures(3)(x.float(), ego_bags(edge_index, ptr, 1))
    with pytest.raises(ValueError, match=r"needs bags with 1 root\(s\), these have 2"):
        BagFeatures(4)(x.float(), path_bags(edge_index, ptr, 2, 1))
