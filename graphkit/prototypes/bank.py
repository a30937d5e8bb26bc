"""The prototypes of a model, their classes, and the training parts that they are."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from graphkit.prototypes import gaussian
from graphkit.prototypes.fingerprint import SIZE, fingerprint
from graphkit.prototypes.parts import PartBatch
from graphkit.prototypes.pooling import POOLS, Pooled, log_sum_exp_pool, max_pool, top_k_pool
from graphkit.prototypes.ragged import pool_ragged
from graphkit.prototypes.similarity import ANGULAR, SIMILARITIES, UNIT, log_of_distance, paired, rbf
from graphkit.prototypes.strongest import strongest

_EXPECTED = ("negative-l2", "log-l2")


class PrototypeBank(nn.Module):
    """Prototypes p_j, compared with every part of a sample: s_j = pool over parts z of similarity(z, p_j).

    Cosine is the default: it beat `log-l2` in accuracy, stability and sparsity (ProtoPNext, WACV 2026). Prototypes are kept as
    embeddings, not normalized, so that a projected prototype equals the embedding of its source exactly.

    Beside the prototypes, the state dict holds their classes (`identity`), whether they are training parts (`projected`), which
    parts (`source`: global ids of sample and part, -1 before the first projection), how similar those were just before
    (`source_similarity`), and a digest of encoder and prototypes at that moment (`fingerprint`).

    Args:
        identity: Which classes a prototype stands for: one or several each, any number of prototypes per class
            (`labels.class_identity`).
        dim: D, the width of embeddings.
        similarity: One of `cosine`, `relu-cosine`, `projection`, `negative-l2`, `log-l2` and `rbf`.
        pool: `max`; `top-k`, the mean of the k most similar parts; or `log-sum-exp`, a smooth maximum.
        top_k: The k of `top-k`, at least 1.
        sharpness: How close `log-sum-exp` is to the maximum; above 0.
        is_gaussian: Prototypes are Gaussians with a learned variance, compared by the expected squared distance; only with
            `negative-l2` and `log-l2`.

    Raises:
        ValueError: An argument is out of its range, or a prototype has no class.
    """

    weight: nn.Parameter
    log_scale: nn.Parameter | None
    log_variance: nn.Parameter | None
    identity: Tensor
    projected: Tensor
    source: Tensor
    source_similarity: Tensor
    fingerprint: Tensor

    def __init__(
        self,
        identity: Bool[Tensor, "M C"],
        dim: int,
        *,
        similarity: str = "cosine",
        pool: str = "max",
        top_k: int = 3,
        sharpness: float = 10.0,
        is_gaussian: bool = False,
    ) -> None:
        super().__init__()
        _check(identity, similarity, pool, is_gaussian)
        if dim < 1 or top_k < 1 or not sharpness > 0:
            raise ValueError(f"dim and top_k must be at least 1 and sharpness positive, got {dim}, {top_k} and {sharpness}")
        count = identity.size(0)
        self.similarity, self.pool, self.top_k, self.sharpness = similarity, pool, top_k, sharpness
        self.weight = nn.Parameter(torch.empty(count, dim))
        self.log_scale = nn.Parameter(torch.empty(count)) if similarity == "rbf" else None
        self.log_variance = nn.Parameter(torch.empty(count, dim)) if is_gaussian else None
        self.register_buffer("identity", identity.clone())
        self.register_buffer("projected", torch.zeros((), dtype=torch.bool))
        self.register_buffer("source", torch.full((count, 2), -1))
        self.register_buffer("source_similarity", torch.zeros(count))
        self.register_buffer("fingerprint", torch.zeros(SIZE, dtype=torch.uint8))
        self.reset_parameters()

    @property
    def num_prototypes(self) -> int:
        """M."""
        return self.weight.size(0)

    @property
    def num_classes(self) -> int:
        """C."""
        return self.identity.size(1)

    def reset_parameters(self) -> None:
        """Draw prototypes of random direction and expected squared length 1; scales are 1, standard deviations 0.1."""
        nn.init.normal_(self.weight, std=self.weight.size(1) ** -0.5)
        if self.log_scale is not None:
            nn.init.zeros_(self.log_scale)
        if self.log_variance is not None:
            nn.init.constant_(self.log_variance, -4.6)
        self.projected.fill_(False)
        self.source.fill_(-1)

    def compare(self, z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch M"]:
        """The similarity of single parts to all prototypes.

        A pass in training mode through which the encoder or the prototypes may learn clears `projected`.
        """
        self._clear_if_learning(z)
        if self.log_variance is not None:
            distance = gaussian.expected_squared_distance(z, self.weight, self.log_variance)
            return -distance if self.similarity == "negative-l2" else log_of_distance(distance)
        if self.log_scale is not None:
            return rbf(z, self.weight, self.log_scale.exp())
        return SIMILARITIES[self.similarity](z, self.weight)

    def unit(self, z: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Parts of length 1 where only their direction counts, else as they are."""
        return functional.normalize(z, dim=-1) if self.similarity in UNIT else z

    def compare_own(self, z: Float[Tensor, "*batch M D"]) -> Float[Tensor, "*batch M"]:
        """The similarity of prototype j to part j alone; for cosines parts have length 1, see `unit`."""
        if self.log_variance is not None:
            distance = self.log_variance.exp().sum(dim=1) - paired("negative-l2", z, self.weight)
            return -distance if self.similarity == "negative-l2" else log_of_distance(distance)
        return paired(self.similarity, z, self.weight, 1.0 if self.log_scale is None else self.log_scale.exp())

    def forward(self, parts: PartBatch) -> Pooled:
        """Compare samples with all prototypes; clears `projected` as `compare` does."""
        if self.pool == "max":
            self._clear_if_learning(parts.z)  # `strongest` looks for winners without gradients
            points = None if self.similarity in ANGULAR else self.weight.detach()
            return strongest(self.compare, self.compare_own, replace(parts, z=self.unit(parts.z)), points=points)
        return self._pooled(self.compare(parts.z), parts.mask)

    def pool_ragged(self, similarity: Float[Tensor, "T M"], ptr: Int[Tensor, " boundaries"]) -> Pooled:
        """Pool what `compare` gave of parts stored one sample after the other, as `forward` does of padded ones.

        Args:
            similarity: One row per part.
            ptr: Where each sample begins, and the end: B + 1 numbers from 0 to T.
        """
        return pool_ragged(similarity, ptr, self.pool, top_k=self.top_k, sharpness=self.sharpness)

    def sampled(self, parts: PartBatch, count: int, generator: torch.Generator) -> Float[Tensor, "S B M"]:
        """Similarities to sampled prototypes, where these are Gaussians; clears `projected` as `compare` does.

        Args:
            parts: Samples.
            count: S, how many sets of prototypes are drawn.
            generator: On the CPU.

        Raises:
            ValueError: The prototypes are points.
        """
        if self.log_variance is None:
            raise ValueError("prototypes are points, so there is nothing to sample: build the bank with is_gaussian=True")
        self._clear_if_learning(parts.z)
        drawn = gaussian.draw(self.weight, self.log_variance, count, generator).flatten(0, 1)
        pooled = self._pooled(SIMILARITIES[self.similarity](parts.z, drawn), parts.mask).similarity
        return pooled.view(-1, count, self.num_prototypes).transpose(0, 1)

    def is_projected(self, encoder: nn.Module) -> bool:
        """Whether every prototype is still the embedding of its source.

        Args:
            encoder: All that turns samples into parts. A change of its parameters or buffers, or of the prototypes, whether by
                training or by hand, makes this false.
        """
        return bool(self.projected) and torch.equal(self.fingerprint.cpu(), self._fingerprint(encoder))

    @torch.no_grad()
    def place(
        self, z: Float[Tensor, "M D"], source: Int[Tensor, "M 2"], similarity: Float[Tensor, " M"], encoder: nn.Module
    ) -> None:
        """Make prototypes equal to parts, in place, so that an optimizer goes on with the same parameter.

        Args:
            z: The embeddings of the parts.
            source: Their global ids of sample and part.
            similarity: How similar each was to its prototype before.
            encoder: All that made the embeddings.
        """
        self.weight.copy_(z)
        self.source.copy_(source)
        self.source_similarity.copy_(similarity)
        self.fingerprint.copy_(self._fingerprint(encoder))
        self.projected.fill_(True)

    def _fingerprint(self, encoder: nn.Module) -> Tensor:
        if any(module is self for module in encoder.modules()):
            raise ValueError("the encoder must not contain the bank: give the module that turns samples into parts")
        # A leading dot keeps the name apart from all names of an encoder.
        return fingerprint({**encoder.state_dict(), ".prototypes": self.weight})

    def _clear_if_learning(self, z: Tensor) -> None:
        if self.training and torch.is_grad_enabled() and (z.requires_grad or self.weight.requires_grad):
            self.projected.fill_(False)

    def _pooled(self, similarity: Tensor, mask: Tensor) -> Pooled:
        if self.pool == "top-k":
            return top_k_pool(similarity, mask, self.top_k)
        if self.pool == "log-sum-exp":
            return log_sum_exp_pool(similarity, mask, self.sharpness)
        return max_pool(similarity, mask)

    def __repr__(self) -> str:
        kind = ", is_gaussian=True" if self.log_variance is not None else ""
        classes = f"{self.num_prototypes} of {self.num_classes} classes"
        return f"{type(self).__name__}({classes}, {self.weight.size(1)}, {self.similarity!r}, {self.pool!r}{kind})"


def _check(identity: Tensor, similarity: str, pool: str, is_gaussian: bool) -> None:
    if identity.dim() != 2 or identity.size(0) == 0 or identity.dtype != torch.bool:
        shape = list(identity.shape)
        raise ValueError(f"identity must be a boolean table [M, C] with a row per prototype, got {identity.dtype} {shape}")
    orphans = (~identity.any(dim=1)).nonzero().flatten().tolist()
    if orphans:
        raise ValueError(f"every prototype needs a class, prototypes {orphans} have none")
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {', '.join(SIMILARITIES)}, got {similarity!r}")
    if pool not in POOLS:
        raise ValueError(f"pool must be one of {', '.join(POOLS)}, got {pool!r}")
    if is_gaussian and similarity not in _EXPECTED:
        raise ValueError(f"Gaussian prototypes need one of {', '.join(_EXPECTED)}, got {similarity!r}")
