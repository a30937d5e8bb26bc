import torch

from graphkit.explain.features import Features
from graphkit.sparse import sparse_features


def test_sparse_features_do_as_dense_ones():
    x = torch.zeros(6, 20)
    x[[0, 1, 1, 3, 5, 5], [2, 3, 7, 2, 0, 19]] = torch.tensor([1.0, 2.0, -1.0, 0.5, 3.0, 1.0])
    stored = sparse_features(x)
    assert not isinstance(stored, torch.Tensor)
    sparse, dense = Features(stored, torch.float32), Features(x, torch.float32)
    gradient = torch.arange(120.0).view(6, 20)
    of_stored = (gradient[stored.row, stored.col] * sparse.values).unsqueeze(0)
    assert torch.equal(sparse.by_node(of_stored), dense.by_node((gradient * x).unsqueeze(0)))
    assert torch.equal(sparse.by_feature(of_stored), dense.by_feature((gradient * x).unsqueeze(0)))
    some = torch.tensor([1, 2])
    for one in (
        sparse.without_nodes(some),
        sparse.without_features(some),
        Features(sparse.of(2 * sparse.values), torch.float32),
    ):
        assert not isinstance(one.x, torch.Tensor)
    assert torch.equal(sparse.without_nodes(some).x.to_dense(), dense.without_nodes(some).x)
    assert torch.equal(sparse.without_features(some).x.to_dense(), dense.without_features(some).x)
    assert torch.equal(sparse.of(2 * sparse.values).to_dense(), 2 * x)
