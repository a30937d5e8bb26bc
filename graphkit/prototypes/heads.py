"""From similarities to classes. Every head is a sum over prototypes: logit_c = sum_j s_j w_cj + b_c.

`weights` tells w and b of one class per sample, so that an explanation can be read off the decision itself. The head of
Classification-by-Components is in `components`, that on products of prototypes in `groups`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


@runtime_checkable
class Head(Protocol):
    """What explanations ask of a head."""

    def __call__(self, similarity: Float[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        """The logits."""

    def weights(
        self, similarity: Float[Tensor, "B M"], classes: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B M"], Float[Tensor, " B"]]:
        """Per sample the weights w_c and the bias b_c of one class c, with which its logit is sum_j s_j w_cj + b_c."""


def contributions(
    head: Head, similarity: Float[Tensor, "B M"], classes: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "B M"], Float[Tensor, " B"]]:
    """What every prototype adds to the logit of one class per sample, and the bias; in float64.

    Args:
        head: The head.
        similarity: Pooled similarities.
        classes: A class per sample, such as the predicted one.

    Returns:
        similarity x weight, and the bias. Their sum is the logit.
    """
    weight, bias = head.weights(similarity, classes)
    return similarity.double() * weight.double(), bias.double()


class _WeightedHead(nn.Module, ABC):
    """A head whose weights are the same for all samples and whose bias is zero."""

    @abstractmethod
    def matrix(self) -> Float[Tensor, "C M"]:
        """The weights w_cj."""

    def forward(self, similarity: Float[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        """Sum over prototypes: logit_c = sum_j s_j w_cj."""
        return functional.linear(similarity, self.matrix())

    def weights(
        self, similarity: Float[Tensor, "B M"], classes: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B M"], Float[Tensor, " B"]]:
        """The row of each sample's class, and zero."""
        return self.matrix().index_select(0, classes), similarity.new_zeros(similarity.size(0))


class LinearHead(_WeightedHead):
    """logit_c = sum_j s_j w_cj, where w starts at +1 for own prototypes of class c and at -0.5 for the others.

    Args:
        identity: Classes of the prototypes.
        own: Start of own weights.
        other: Start of the other weights.

    Source: ProtoPNet, NeurIPS 2019; with `losses.off_class_l1` the weights of other classes go to zero.
    """

    identity: Tensor

    def __init__(self, identity: Bool[Tensor, "M C"], *, own: float = 1.0, other: float = -0.5) -> None:
        super().__init__()
        self.own, self.other = own, other
        self.register_buffer("identity", identity.t().clone(), persistent=False)
        self.weight = nn.Parameter(torch.empty(self.identity.shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start at `own` and `other`."""
        with torch.no_grad():
            self.weight.copy_(torch.where(self.identity, self.own, self.other))

    def matrix(self) -> Float[Tensor, "C M"]:
        """The learned weights."""
        return self.weight


class OwnClassHead(_WeightedHead):
    """logit_c = sum over the m_c own prototypes of class c of s_j m_c softmax(v_c)_j: no prototype speaks for another class.

    The softmax is over the own prototypes of the class. It starts uniform: a logit starts as the sum of own similarities.

    Args:
        identity: Classes of the prototypes; every class needs one.

    Raises:
        ValueError: A class has no prototype.

    Source: score aggregation of EvalProtoPNet, ICCV 2023.
    """

    identity: Tensor

    def __init__(self, identity: Bool[Tensor, "M C"]) -> None:
        super().__init__()
        empty = (~identity.any(dim=0)).nonzero().flatten().tolist()
        if empty:
            raise ValueError(f"every class needs a prototype of its own, classes {empty} have none")
        self.register_buffer("identity", identity.t().clone(), persistent=False)
        self.weight = nn.Parameter(torch.empty(self.identity.shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start uniform."""
        nn.init.zeros_(self.weight)

    def matrix(self) -> Float[Tensor, "C M"]:
        """The weights m_c softmax(v_c)_j; zero for prototypes of other classes."""
        own = self.weight.masked_fill(~self.identity, -math.inf)
        return own.softmax(dim=1) * self.identity.sum(dim=1, keepdim=True)


class DistanceHead(_WeightedHead):
    """logit_c = sum_j d_j w_cj on the distances d_j = -s_j of the similarity `negative-l2`.

    Prototypes need no class: weights start random, and a large negative one marks the class of a prototype.

    Args:
        num_prototypes: M.
        num_classes: C.

    Raises:
        ValueError: A number is below 1.

    Source: Li et al., AAAI 2018.
    """

    def __init__(self, num_prototypes: int, num_classes: int) -> None:
        super().__init__()
        if min(num_prototypes, num_classes) < 1:
            raise ValueError(f"there must be prototypes and classes, got {num_prototypes} and {num_classes}")
        self.weight = nn.Parameter(torch.empty(num_classes, num_prototypes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights uniformly within 1 / sqrt(M)."""
        bound = self.weight.size(1) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def matrix(self) -> Float[Tensor, "C M"]:
        """The weights of the similarities, -w."""
        return -self.weight
