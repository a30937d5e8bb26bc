"""The saliency of a node's own features against a pass per node."""

import pytest
import torch

from graphkit.conf.catalog import MODELS
from graphkit.layers.context.saliency import own_saliency
from graphkit.sparse import CSR, sparse_features
from graphkit.tasks.build import model_maker

N, WIDTH = 9, 6
NAMES = ("adpa", "dir-gnn", "gat", "gcn", "linkx", "mlp", "polynsd", "sage", "sheaf")


@pytest.mark.parametrize("name", NAMES)
def test_one_pass_equals_a_pass_per_node(name):
    torch.manual_seed(0)
    model = model_maker("node", MODELS["node"][name].settings())(in_channels=WIDTH, out_channels=3, num_nodes=N)
    model = model.double().eval()
    x = torch.rand(N, WIDTH, dtype=torch.float64)
    x = torch.where(x < 0.5, 0.0, x)
    classes = torch.arange(N) % 3
    alone = CSR.from_edge_index(torch.zeros(2, 0, dtype=torch.long), N)
    expected = []
    for i in range(N):
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf, alone)[i, classes[i]], leaf, materialize_grads=True)
        expected.append(sum(abs(float(gradient[i, f] * x[i, f])) for f in range(WIDTH)))
    found = own_saliency(model, x, classes)
    assert not found.requires_grad
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12)
    assert bool(found.count_nonzero()) == (name != "dir-gnn")  # whose nodes hear their neighbors alone
    sparse = own_saliency(model, sparse_features(x, density=1.0), classes)
    torch.testing.assert_close(sparse, found, rtol=1e-9, atol=1e-12)
    plain = CSR(sparse_features(x, density=1.0).structure)
    torch.testing.assert_close(
        own_saliency(model.float(), plain, classes), own_saliency(model, (x > 0).float(), classes), rtol=1e-4, atol=1e-6
    )
