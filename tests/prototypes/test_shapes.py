"""The shapes in signatures are checked in these tests: what they say is what goes in and comes out."""

from __future__ import annotations

import jaxtyping
import pytest
import torch

from graphkit.prototypes import ComponentsHead, LinearHead, OwnClassHead, PartBatch, PrototypeBank, losses
from graphkit.prototypes.similarity import SIMILARITIES
from tests.prototypes.compare import IDENTITY


@pytest.mark.parametrize("name", SIMILARITIES)
def test_similarities_notice_wrong_shapes(name: str) -> None:
    z, weight = torch.randn(2, 3, 4), torch.randn(6, 4)
    assert SIMILARITIES[name](z, weight).shape == (2, 3, 6)
    for wrong in ((z[..., :3], weight), (z, weight[0]), (z.long(), weight)):
        with pytest.raises(jaxtyping.TypeCheckError):
            SIMILARITIES[name](*wrong)


def test_modules_and_losses_notice_wrong_shapes() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match="typechecking parameter 'identity'"):
        PrototypeBank(IDENTITY.float(), 4)
    for head in (LinearHead(IDENTITY), OwnClassHead(IDENTITY), ComponentsHead(IDENTITY)):
        assert head(torch.rand(2, 6)).shape == (2, 3)
        with pytest.raises(jaxtyping.TypeCheckError, match="typechecking parameter 'similarity'"):
            head(torch.rand(2, 6, 1))
    with pytest.raises(jaxtyping.TypeCheckError, match="typechecking parameter 'identity'"):
        losses.cluster(torch.rand(2, 6), torch.tensor([0, 1]), IDENTITY[:5])
    with pytest.raises(jaxtyping.TypeCheckError):
        PartBatch(torch.rand(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3, 3, dtype=torch.long))
