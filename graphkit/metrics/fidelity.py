"""How faithful an explanation by edges is: what a prediction becomes without it, and what is left of it by itself.

Any model is measured through a function `predict`: for masks [S, E] of the edges that S copies of a graph keep, it gives the
class probabilities [S, C] of each copy. Edges that are one undirected edge, a group, are removed and kept together
(`edge_groups`).

S masks, E edges, C classes, X explanations, G groups. Agreement between runs, consistency and stability are in `prototypes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

Predict: TypeAlias = Callable[[Tensor], Tensor]
"""Class probabilities [S, C] of S copies of a graph, each with the edges that a row of the mask [S, E], bool, keeps."""

Measure: TypeAlias = Literal["probability", "accuracy"]


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Fidelity:
    """Fidelity of X explanations of one prediction, higher `plus` and lower `minus` being better.

    Attributes:
        plus_samples: y(G) - y(G without a random share of the explanation), one per sample [X, S].
        minus_samples: y(G) - y(the explanation and a random share of the rest) [X, S].
        target: The class y is about.
        explains: `prediction` if that is the class predicted for the whole graph, `label` if the caller gave it.
        measure: `probability` if y is the probability of the target, `accuracy` if it is 1 where the target is predicted,
            else 0.
    """

    plus_samples: Tensor
    minus_samples: Tensor
    target: int
    explains: Literal["prediction", "label"]
    measure: Measure

    @property
    def plus(self) -> Tensor:
        """Mean over samples [X]: Fid+, the drop without the explanation."""
        return self.plus_samples.mean(dim=1)

    @property
    def minus(self) -> Tensor:
        """Mean over samples [X]: Fid-, the drop of what the explanation is by itself."""
        return self.minus_samples.mean(dim=1)

    @property
    def delta(self) -> Tensor:
        """Fid+ - Fid- [X]."""
        return self.plus - self.minus


def fidelity(
    predict: Predict,
    explanations: Tensor,
    groups: Tensor,
    *,
    removed: float = 1.0,
    kept: float = 0.0,
    samples: int = 1,
    label: int | None = None,
    measure: Measure = "probability",
    generator: torch.Generator | None = None,
) -> Fidelity:
    """Fid+ and Fid- of explanations, or their robust variants.

    Fid_{a1,+} = y(G) - E y(G minus a random share a1 of the explanation),
    Fid_{a2,-} = y(G) - E y(the explanation plus a random share a2 of the rest).

    Each group of edges is drawn by itself. With a1 = 1 and a2 = 0 nothing is random: Fid+ and Fid- as they were first defined,
    whose subgraphs may be unlike any graph the model has seen. With a1 = 0.1 and a2 = 0.9, as in the paper's code, about a
    tenth of either side is touched per sample.

    Args:
        predict: The model.
        explanations: Which edges belong to each explanation [X, E] or [E], bool.
        groups: The group of each edge [E], as `edge_groups` gives them.
        removed: a1, the expected share of the explanation that is removed, in [0, 1].
        kept: a2, the expected share of the other edges that is kept, in [0, 1].
        samples: S, the number of draws, at least 1; one is enough where nothing is random.
        label: The class that is explained; None: the class predicted for the whole graph.
        measure: `probability` or `accuracy`.
        generator: Where draws come from; needed where a1 or a2 is neither 0 nor 1.

    Raises:
        ValueError: A share out of its range, an unknown measure, no generator where one is needed, an edge of one group
            inside an explanation and another of it outside, or a model that gives no probabilities.

    Source: Zheng et al., Towards Robust Fidelity for Evaluating Explainability of Graph Neural Networks, ICLR 2024. Unlike in
    its code for PyG, self-loops and edges of one direction are drawn as well, and y is a probability.
    """
    explanations = explanations.unsqueeze(0) if explanations.dim() == 1 else explanations
    _check(explanations, groups, measure)
    if not 0 <= removed <= 1 or not 0 <= kept <= 1 or samples < 1:
        raise ValueError(f"removed and kept must lie in [0, 1] and samples be at least 1, got {removed}, {kept}, {samples}.")
    if generator is None and not {removed, kept} <= {0.0, 1.0}:
        raise ValueError("a share other than 0 or 1 is drawn at random: pass a generator.")
    count, edges = explanations.shape
    whole = _probabilities(predict, torch.ones(1, edges, dtype=torch.bool, device=explanations.device))
    target = int(whole.argmax(dim=1)) if label is None else label
    if not 0 <= target < whole.size(1):
        raise ValueError(f"label must be a class from 0 to {whole.size(1) - 1}, got {target}.")
    shape = (count, samples, int(groups.max()) + 1 if groups.numel() else 0)
    gone = _draw(removed, shape, groups, generator)
    stays = _draw(kept, shape, groups, generator)
    inside = explanations.unsqueeze(1)
    masks = torch.stack([~(inside & gone), inside | stays]).flatten(0, 2)
    y = _value(_probabilities(predict, masks), target, measure).view(2, count, samples)
    drop = _value(whole, target, measure) - y
    return Fidelity(
        plus_samples=drop[0],
        minus_samples=drop[1],
        target=target,
        explains="prediction" if label is None else "label",
        measure=measure,
    )


def edge_groups(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Which edges are one: both directions of an undirected edge, and repetitions.

    An edge of one direction is a group by itself, and so is a self-loop.

    Args:
        edge_index: (source, target) ids [2, E].
        num_nodes: Number of nodes.

    Returns:
        The group of each edge [E], int64, numbered from 0 by its smaller and then its larger node.
    """
    low, high = edge_index.long().aminmax(dim=0)
    groups: Tensor = (low * num_nodes + high).unique(return_inverse=True)[1]
    return groups


def group_means(scores: Tensor, groups: Tensor) -> Tensor:
    """The mean score of each group [..., G] from scores of edges [..., E]; float64."""
    count = int(groups.max()) + 1 if groups.numel() else 0
    size = torch.bincount(groups, minlength=count).double()
    total = scores.new_zeros(*scores.shape[:-1], count, dtype=torch.float64)
    return total.index_add_(-1, groups, scores.double()) / size


def top_edges(scores: Tensor, groups: Tensor, count: int) -> Tensor:
    """The explanation [E], bool, of the groups with the highest mean scores; of equal ones the first.

    Args:
        scores: How much each edge matters [E]; -inf for edges that are no candidates.
        groups: As of `edge_groups` [E].
        count: How many groups, at least 0; groups that are no candidates are never taken.
    """
    means = group_means(scores, groups)
    order = means.sort(descending=True, stable=True).indices[:count]
    chosen = torch.zeros(means.numel(), dtype=torch.bool, device=scores.device)
    chosen[order] = means[order] > -torch.inf
    return chosen[groups]


def random_explanations(
    explanation: Tensor, groups: Tensor, count: int, *, generator: torch.Generator, among: Tensor | None = None
) -> Tensor:
    """Explanations [count, E], bool, of as many groups as a given one, drawn at random: what any explanation has to beat.

    Args:
        explanation: The given one [E], bool.
        groups: As of `edge_groups` [E].
        count: How many, at least 1.
        generator: Where draws come from.
        among: The edges to draw from [E], bool, e.g. those that reach the explained node; None: all. A group counts if one of
            its edges does.
    """
    num_groups = int(groups.max()) + 1 if groups.numel() else 0
    size = groups[explanation].unique().numel()
    draw = torch.rand(count, num_groups, generator=generator, dtype=torch.float64, device=groups.device)
    if among is not None:
        allowed = torch.zeros(num_groups, dtype=torch.bool, device=groups.device)
        allowed[groups[among]] = True
        size, draw = min(size, int(allowed.sum())), draw.masked_fill(~allowed, 2.0)
    chosen = torch.zeros(count, num_groups, dtype=torch.bool, device=groups.device)
    chosen.scatter_(1, draw.sort(dim=1).indices[:, :size], True)
    return chosen[:, groups]


def explanation_sparsity(explanation: Tensor, groups: Tensor) -> float:
    """Share of groups that are not in the explanation [E], bool; NaN for a graph without edges."""
    total = groups.unique().numel()
    return 1 - groups[explanation].unique().numel() / total if total else float("nan")


def unfaithfulness(before: Tensor, after: Tensor) -> Tensor:
    """1 - exp(-KL(before || after)): 0 where a prediction stays as it was, 1 where it rules out a class it held possible.

    KL(p || q) = sum over classes of p_c log(p_c / q_c), with p the prediction of the whole graph and q that of the explanation.

    Args:
        before: Class probabilities of the whole graph [..., C].
        after: Class probabilities of the explanation [..., C].

    Returns:
        [...], from 0 to 1.

    Raises:
        ValueError: They are no probabilities.

    Source: Agarwal et al., Evaluating Explainability for Graph Neural Networks, 2023, equation of GEF. PyG computes the
    divergence the other way around.
    """
    before, after = _checked(before.double()), _checked(after.double())
    terms = torch.where(before > 0, before * (before.log() - after.log()), 0.0)
    return 1 - torch.exp(-terms.sum(dim=-1).clamp(min=0.0))


def confidence_interval(values: Tensor, *, generator: torch.Generator, level: float = 0.95, draws: int = 2000) -> Interval:
    """The mean of values and its interval by the percentile bootstrap: quantiles of means of draws with replacement.

    Args:
        values: One per explained sample [n], n at least 1.
        generator: Where draws come from.
        level: In (0, 1).
        draws: How many, at least 1.
    """
    values = values.double()
    pick = torch.randint(values.numel(), (draws, values.numel()), generator=generator, device=values.device)
    means = values[pick].mean(dim=1)
    low, high = torch.quantile(means, values.new_tensor([(1 - level) / 2, (1 + level) / 2])).tolist()
    return Interval(values.mean().item(), low, high)


def _draw(share: float, shape: tuple[int, int, int], groups: Tensor, generator: torch.Generator | None) -> Tensor:
    """For X explanations, S samples and each edge, whether its group is drawn [X, S, E]."""
    if share in (0.0, 1.0):
        return torch.full((1, 1, groups.numel()), bool(share), device=groups.device).expand(*shape[:2], -1)
    return (torch.rand(shape, generator=generator, device=groups.device) < share)[:, :, groups]


def _probabilities(predict: Predict, masks: Tensor) -> Tensor:
    found = predict(masks)
    if found.dim() != 2 or found.size(0) != masks.size(0):
        raise ValueError(f"predict must give probabilities [{masks.size(0)}, C], a row per mask, got {list(found.shape)}.")
    return _checked(found.detach().double())


def _checked(found: Tensor) -> Tensor:
    if bool((found < 0).any()) or not torch.allclose(found.sum(dim=-1), found.new_ones(()), atol=1e-4):
        raise ValueError("class probabilities are needed, which sum to 1: apply softmax to logits first.")
    return found


def _value(probabilities: Tensor, target: int, measure: Measure) -> Tensor:
    if measure == "probability":
        return probabilities[:, target]
    return (probabilities.argmax(dim=1) == target).double()


def _check(explanations: Tensor, groups: Tensor, measure: str) -> None:
    if explanations.dtype != torch.bool or explanations.dim() != 2 or groups.shape != explanations.shape[1:]:
        raise ValueError(
            f"explanations must be bool [X, E] with E = {groups.numel()} edges, got {explanations.dtype} "
            f"{list(explanations.shape)}: choose edges by their scores with top_edges."
        )
    if measure not in ("probability", "accuracy"):
        raise ValueError(f"measure must be probability or accuracy, got {measure!r}.")
    whole = group_means(explanations, groups)
    if bool(((whole > 0) & (whole < 1)).any()):
        raise ValueError("both directions of an undirected edge must be in an explanation or neither: see top_edges.")
