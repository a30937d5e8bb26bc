"""The contexts there are: name, unit, what it means, how it is computed and brought to a common scale. One row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from graphkit.layers.context import measures
from graphkit.layers.context.measures import Surroundings
from graphkit.nearest import did_you_mean


def _as_is(value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class Context:
    """A named fact of a node.

    Attributes:
        unit: What its number counts, after the number.
        about: Its meaning, in a sentence.
        measure: From the surroundings to a number per node [N], float64, NaN where it is unknown.
        scaled: What is standardized: the number, or its logarithm where it spans orders of magnitude.
        may_be_unknown: Whether there are nodes without it, so that a flag says which.
        of_first_pass: Whether it is about what a first pass of the model said, and unknown before.
    """

    unit: str
    about: str
    measure: Callable[[Surroundings], Tensor]
    scaled: Callable[[Tensor], Tensor] = _as_is
    may_be_unknown: bool = False
    of_first_pass: bool = False


CONTEXTS: dict[str, Context] = {
    "degree": Context("neighbors", "how many neighbors it has, in either direction", measures.degree, scaled=torch.log1p),
    "clustering": Context(
        "of pairs", "share of the pairs of its neighbors that are neighbors of each other", measures.clustering
    ),
    "core number": Context(
        "neighbors",
        "the largest k of a subgraph with it whose nodes all have k neighbors there",
        measures.core,
        scaled=torch.log1p,
    ),
    "pagerank": Context(
        "of average", "how often a random surfer visits it, against the average node", measures.visits, scaled=torch.log
    ),
    "eigenvector centrality": Context(
        "of average",
        "its entry of the adjacency matrix's leading eigenvector, against the root mean square",
        measures.eigenvector,
    ),
    "neighbor similarity": Context(
        "cosine", "mean cosine of its features and those of its neighbors", measures.similarity, may_be_unknown=True
    ),
    "label agreement": Context(
        "of labels",
        "share of the commonest class among training labels up to two steps away; a training node sees neither its own label "
        "nor those of its fold",
        measures.label_agreement,
        may_be_unknown=True,
    ),
    "feature saliency": Context(
        "of score",
        "how strongly its own features, without any edge, move the score of the class that a first pass predicts: "
        "sum over features of |gradient x input|",
        measures.saliency,
        scaled=torch.log1p,
        may_be_unknown=True,
        of_first_pass=True,
    ),
    "predicted agreement": Context(
        "of neighbors",
        "share of its neighbors for which a first pass predicts the same class as for it",
        measures.predicted_agreement,
        may_be_unknown=True,
        of_first_pass=True,
    ),
}
"""By name. A further one is a function in `measures.py` and a row here."""

DEFAULT = ("degree", "clustering", "core number", "pagerank", "neighbor similarity", "label agreement")
"""Those that need no first pass; of the two centralities the one whose iteration always settles."""

_SETS = {"default": DEFAULT, "all": tuple(CONTEXTS)}


def choose_contexts(text: str) -> tuple[str, ...]:
    """Names of contexts, from `default`, `all`, or names joined by +, with - for spaces: `degree+label-agreement`.

    Raises:
        ValueError: A name is unknown or stands there twice.
    """
    return _SETS[text] if text in _SETS else check_contexts(name.replace("-", " ").strip() for name in text.split("+"))


def check_contexts(names: Iterable[str]) -> tuple[str, ...]:
    """The names, if each is a context and stands there once; else a ValueError."""
    chosen = tuple(names)
    for name in chosen:
        if name not in CONTEXTS:
            hint = did_you_mean(name, CONTEXTS) or f": contexts are {', '.join(CONTEXTS)}"
            raise ValueError(f"there is no context {name!r}{hint}")
    if len(set(chosen)) < len(chosen) or not chosen:
        raise ValueError(f"contexts must be named, each once, got {', '.join(chosen) or 'none'}")
    return chosen
