"""Groups of prototypes: a class speaks through a few products of similarities, e.g. of a part at several scales."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_NOISE = 0.1


class GroupedHead(nn.Module):
    r"""logit_c = sum_k v_ck g_ck with the group values g_ck = prod_j s_j^{W_ckj} = exp(sum_j W_ckj log s_j).

    The powers W_ck of a group are a softmax over the own prototypes of class c: a group is a weighted geometric mean, large
    only if all that matter in it are similar. It scales with the similarities, so that by Euler's theorem the logit is exactly
    sum_j s_j w_cj with w_cj = d logit_c / d s_j = sum_k v_ck W_ckj g_ck / s_j. Similarities must be positive: `log-l2`, `rbf`.

    Args:
        identity: Classes of the prototypes; every class needs one.
        groups: Groups per class, at least 1.

    Raises:
        ValueError: `groups` is below 1, or a class has no prototype.

    Source: the grouping of ScaleProtoSeg, there for segmentation. That powers sum to 1 is ours.
    """

    identity: Tensor

    def __init__(self, identity: Bool[Tensor, "M C"], *, groups: int = 3) -> None:
        super().__init__()
        empty = (~identity.any(dim=0)).nonzero().flatten().tolist()
        if groups < 1 or empty:
            raise ValueError(f"groups must be at least 1 and every class needs a prototype, got {groups}; without: {empty}")
        self.groups = groups
        self.register_buffer("identity", identity.t().clone(), persistent=False)
        prototypes, classes = identity.shape
        self.power = nn.Parameter(torch.empty(classes, groups, prototypes))
        self.weight = nn.Parameter(torch.empty(classes, groups))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start with nearly equal powers, whose noise tells groups apart, and weights of 1."""
        nn.init.normal_(self.power, std=_NOISE)
        nn.init.ones_(self.weight)

    def powers(self) -> Float[Tensor, "C K M"]:
        """W: at least 0, of a group they sum to 1, and 0 for prototypes of other classes."""
        return self.power.masked_fill(~self.identity.unsqueeze(1), -math.inf).softmax(dim=2)

    def entropy(self) -> Float[Tensor, ""]:
        """Mean entropy of the powers of a group, in nats: small where a group rests on few prototypes."""
        own = self.identity.unsqueeze(1)
        log = self.power.masked_fill(~own, -math.inf).log_softmax(dim=2)
        # The gradient of entr is infinite at 0, which powers of other classes are.
        return -(log.exp() * log.masked_fill(~own, 0.0)).sum(dim=2).mean()

    def forward(self, similarity: Float[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        """The logits.

        Args:
            similarity: Positive.

        Raises:
            ValueError: A similarity is not positive.
        """
        return torch.einsum("bck,ck->bc", self._values(similarity), self.weight)

    def weights(
        self, similarity: Float[Tensor, "B M"], classes: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B M"], Float[Tensor, " B"]]:
        """The derivative of each sample's logit by the similarities, and zero."""
        rows = torch.arange(classes.numel(), device=classes.device)
        shares = self._values(similarity)[rows, classes] * self.weight[classes]
        parts = torch.einsum("bk,bkm->bm", shares, self.powers()[classes])
        return parts / similarity, similarity.new_zeros(similarity.size(0))

    def _values(self, similarity: Tensor) -> Tensor:
        """G [B, C, K]."""
        if not bool((similarity > 0).all()):
            raise ValueError("similarities of groups must be positive: use log-l2 or rbf")
        return torch.einsum("bm,ckm->bck", similarity.log(), self.powers()).exp()
