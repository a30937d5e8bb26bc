"""PPGN's block against dense matrices, one graph and channel at a time."""

import pytest
import torch

from graphkit import testing
from graphkit.layers import PPGNBlock
from graphkit.sparse.egonets import BagSample, ego_bags, whole_bags


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("sizes", [(7, 1, 5), (4, 4)])
def test_block_equals_the_oracle(plus, num_layers, sizes):
    torch.manual_seed(0)
    ptr = torch.tensor([0, *sizes]).cumsum(0)
    edge_index = torch.tensor([[0, 1, 2], [1, 0, 0]])
    bags = whole_bags(edge_index, ptr)
    layer = PPGNBlock(3, 4, num_layers=num_layers, plus=plus).double()
    h = torch.randn(bags.num_rows, 3, dtype=torch.float64, requires_grad=True)

    def perceptron(parts, x):
        for linear in list(parts)[::2]:
            x = (x @ linear.weight.t() + linear.bias).clamp(min=0)
        return x

    rows, start = [], 0
    for n in sizes:
        x = h[start : start + n * n].view(n, n, 3)
        start += n * n
        m = [perceptron(parts, x) for parts in layer.factors]
        product = torch.stack([m[0][:, :, c] @ m[1][:, :, c] for c in range(4)], dim=2)
        parts = [x, product] + ([x.transpose(0, 1), m[2] * m[3]] if plus else [])
        rows.append((torch.cat(parts, dim=2) @ layer.out.weight.t() + layer.out.bias).view(n * n, 4))
    expected, ours = torch.cat(rows), layer(h, bags)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-11)
    leaves = [h, *layer.parameters()]
    for one, two in zip(*(torch.autograd.grad(out.sin().sum(), leaves) for out in (ours, expected)), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


def test_wrong_bags_and_arguments_are_refused():
    _, edge_index, ptr = testing.graph_batch()
    for bags in (ego_bags(edge_index, ptr, 1), whole_bags(edge_index, ptr, sample=BagSample(2))):
        with pytest.raises(ValueError, match="take whole_bags, without a sample"):
            PPGNBlock(4, 4)(torch.zeros(bags.num_rows, 4), bags)
    with pytest.raises(ValueError, match="h must have shape"):
        PPGNBlock(4, 4)(torch.zeros(3, 4), whole_bags(edge_index, ptr))
    with pytest.raises(ValueError, match="num_layers must be"):
        PPGNBlock(4, 4, num_layers=0)
