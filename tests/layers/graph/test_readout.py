"""Readouts against a loop over graphs."""

import pytest
import torch

from graphkit.layers import Readout


@pytest.mark.parametrize("pools", ["sum", "mean", "max", ("max", "sum"), ("sum", "mean", "max")])
def test_readout_equals_the_oracle(pools):
    ptr = torch.tensor([0, 3, 3, 4, 9])
    x = torch.randn(9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rows = []
    for start, stop in zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True):
        part = x[start:stop]
        values = {"sum": part.sum(0), "mean": part.sum(0) / max(stop - start, 1)}
        values["max"] = part.max(0).values if stop > start else torch.zeros(5, dtype=torch.float64)
        rows.append(torch.cat([values[pool] for pool in ([pools] if isinstance(pools, str) else pools)]))
    expected = torch.stack(rows)
    layer = Readout(pools)
    ours = layer(x, ptr)
    torch.testing.assert_close(ours, expected)
    for one, two in zip(*(torch.autograd.grad(out.sin().sum(), x) for out in (ours, expected)), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("pools", ["median", (), ("sum", "avg")])
def test_unknown_pools_are_refused(pools):
    with pytest.raises(ValueError, match="one or several of sum, mean, max"):
        Readout(pools)
