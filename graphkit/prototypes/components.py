"""Classification-by-Components: prototypes speak by being present and by being absent, and a decision has a margin."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_OWN_START = 2.0
_NOISE = 0.1
_LEAST = 1e-12


class ComponentsHead(nn.Module):
    """p_c = sum_k d_k R+_kc + (1 - d_k) R-_kc = sum_k d_k (R+_kc - R-_kc) + sum_k R-_kc, in [0, 1].

    d_k in [0, 1] is how surely component k is detected. R+ and R- come from one softmax over 2 M entries per class: the chance
    that the class asks for component k and its presence, or its absence, counts. A class may have several such concepts; then
    the largest p decides. The p of different classes do not sum to 1: train with a margin, not with cross entropy.

    Args:
        identity: Classes of the components.
        concepts: Concepts per class, at least 1.
        own_start: Own components start with exp(own_start) times the positive reasoning of the others; 2 is our choice.

    Raises:
        ValueError: `concepts` is below 1.

    Source: stable Classification-by-Components, AAAI 2025 (arXiv 2412.15499).
    """

    identity: Tensor

    def __init__(self, identity: Bool[Tensor, "M C"], *, concepts: int = 1, own_start: float = _OWN_START) -> None:
        super().__init__()
        if concepts < 1:
            raise ValueError(f"concepts must be at least 1, got {concepts}")
        self.concepts, self.own_start = concepts, own_start
        self.register_buffer("identity", identity.t().clone(), persistent=False)
        classes, components = self.identity.shape
        self.weight = nn.Parameter(torch.empty(classes * concepts, 2 * components))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start in favor of own components, with noise that tells concepts apart."""
        own = self.identity.to(self.weight).unsqueeze(1).expand(-1, self.concepts, -1).flatten(0, 1)
        with torch.no_grad():
            nn.init.normal_(self.weight, std=_NOISE)
            self.weight[:, : own.size(1)].add_(own, alpha=self.own_start)

    def reasoning(self) -> tuple[Float[Tensor, "Q M"], Float[Tensor, "Q M"]]:
        """R+ and R-, a row per concept, the concepts of a class one after the other; together a row sums to 1."""
        positive, negative = self.weight.softmax(dim=1).chunk(2, dim=1)
        return positive, negative

    def forward(self, similarity: Float[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        """The p of every class.

        Args:
            similarity: Detections; `rbf` and `relu-cosine` give such.

        Raises:
            ValueError: A detection lies outside [0, 1].
        """
        return self._by_concept(similarity).max(dim=2).values

    def weights(
        self, similarity: Float[Tensor, "B M"], classes: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B M"], Float[Tensor, " B"]]:
        """R+ - R- and sum R- of the concept that decides for each sample's class."""
        best = self._by_concept(similarity).argmax(dim=2)
        row = classes * self.concepts + best.gather(1, classes.unsqueeze(1)).squeeze(1)
        positive, negative = self.reasoning()
        return (positive - negative).index_select(0, row), negative.sum(dim=1).index_select(0, row)

    def margin(self, similarity: Float[Tensor, "B M"], labels: Int[Tensor, " B"], scale: float = 1.0) -> Float[Tensor, " B"]:
        """How far an input may move before another class can win.

        Under `rbf` a move by eps changes every d_k by a factor within exp(+-eps / scale). Let i be a concept of the right class
        and j one of another. After the move their p differ by at least a t + b + c / t with t = exp(eps / scale),

        a = -sum_k d_k (R-_ki + R+_kj),   b = sum_k R-_ki - R-_kj,   c = sum_k d_k (R-_kj + R+_ki),

        and the positive root t* gives the margin scale log t*; the least over j, the largest over i. It is conservative, since
        it does not use d <= 1.

        Args:
            similarity: Detections of the similarity `rbf`.
            labels: Right classes.
            scale: The smallest scale of the components, in the unit of the margin.

        Returns:
            Distances in the space of embeddings, or in that of inputs if the encoder is an identity. Positive exactly where the
            right class alone has the largest p; +inf if there is no other class.
        """
        positive, negative = self.reasoning()
        present, absent = self._checked(similarity) @ positive.t(), similarity @ negative.t()
        bias = negative.sum(dim=1)
        concept_class = torch.arange(bias.numel(), device=bias.device) // self.concepts
        right = (labels.unsqueeze(1) * self.concepts + torch.arange(self.concepts, device=bias.device)).unsqueeze(2)
        of_right = (right.squeeze(2).flatten(), similarity.size(0))
        a = -(absent.gather(1, right.squeeze(2)).unsqueeze(2) + present.unsqueeze(1))
        c = absent.unsqueeze(1) + present.gather(1, right.squeeze(2)).unsqueeze(2)
        b = bias.index_select(0, of_right[0]).view(of_right[1], -1, 1) - bias
        margins = scale * _positive_root(a, b, c).log()
        own = (concept_class == labels.unsqueeze(1)).unsqueeze(1)
        return margins.masked_fill(own, torch.inf).min(dim=2).values.max(dim=1).values

    def _by_concept(self, similarity: Tensor) -> Tensor:
        positive, negative = self.reasoning()
        p = self._checked(similarity) @ (positive - negative).t() + negative.sum(dim=1)
        return p.view(similarity.size(0), -1, self.concepts)

    def _checked(self, similarity: Tensor) -> Tensor:
        if bool(((similarity < -1e-6) | (similarity > 1 + 1e-6)).any()):
            raise ValueError("detections must lie in [0, 1]: use the similarity rbf or relu-cosine")
        return similarity


def _positive_root(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The positive root of a t^2 + b t + c with a <= 0 <= c, at most about 1e12, by whichever of two forms loses no digits."""
    root = (b.square() - 4 * a * c).clamp(min=_LEAST**2).sqrt()
    # Chosen before the division: the gradient of a quotient that is thrown away could be 0 times infinity.
    above = torch.where(b > 0, b + root, 2 * c)
    below = torch.where(b > 0, -2 * a, root - b)
    return (above / below.clamp(min=_LEAST)).clamp(min=_LEAST)
