"""An explanation as plain values: what makes a score, what speaks against it, what was checked. Pages and JSON show the same.

Whoever explains a task fills these classes; the page knows nothing else. Names are as the data has them, unescaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
"""Of the JSON form; it changes when a field changes its meaning or goes."""


@dataclass(frozen=True)
class Drawing:
    """A piece of a graph to be drawn.

    Attributes:
        nodes: Their names.
        edges: Ends of the edges, as positions in `nodes`.
        target: Position of the node that it is about; None: it is about the whole.
        node_weights: How much each node matters, from 0 to 1; empty: all alike.
        edge_weights: Likewise of edges.
        colors: A number per node that stands for its class or kind; empty: none.
        left_out: How many nodes are not drawn, because there were too many.
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    target: int | None = None
    node_weights: tuple[float, ...] = ()
    edge_weights: tuple[float, ...] = ()
    colors: tuple[int, ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Picture:
    """An image to be shown.

    Attributes:
        png: The image, base64.
        width: In pixels of the image.
        height: Likewise.
        box: The part that it is about: left, top, right, bottom in pixels, right and bottom excluded; None: all of it.
        heat: How similar each place is, rows of a grid over the image, from 0 to 1; empty: not shown.
    """

    png: str
    width: int
    height: int
    box: tuple[int, int, int, int] | None = None
    heat: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Part:
    """A thing that can be looked at: a node, a subgraph, an item, a patch.

    Attributes:
        name: What it is called.
        about: What else is known of it, e.g. its class and its split.
        shown: How it looks; None: it has no looks.
    """

    name: str
    about: str = ""
    shown: Drawing | Picture | None = None


@dataclass(frozen=True)
class Term:
    """A summand of a score: value x weight = contribution.

    Attributes:
        name: What it is.
        value: E.g. a similarity, from -1 to 1.
        weight: What it is multiplied with.
        contribution: The product.
        query: What of the explained sample it is about; None: the sample as a whole.
        source: The training part that it is like; None: none, or not one any longer.
    """

    name: str
    value: float
    weight: float
    contribution: float
    query: Part | None = None
    source: Part | None = None


@dataclass(frozen=True)
class Account:
    """A score as a sum: score = bias + contributions of the terms + remainder.

    Attributes:
        name: Whose score it is, e.g. a class.
        score: The score as the model gave it.
        bias: What there is without any term.
        terms: The summands that are listed, the largest in either direction first.
        remainder: The sum of those that are not listed, and of what the rule of attribution leaves over.
        value_name: What `Term.value` is, e.g. similarity; empty: there are contributions alone.
        rule: How contributions are attributed where the score is not a sum by itself; empty: it is one.
    """

    name: str
    score: float
    bias: float
    terms: tuple[Term, ...]
    remainder: float = 0.0
    value_name: str = "similarity"
    rule: str = ""

    def total(self) -> float:
        """The sum, which is the score up to rounding."""
        return self.bias + sum(term.contribution for term in self.terms) + self.remainder


@dataclass(frozen=True)
class Bar:
    """A named context of a node.

    Attributes:
        name: What is measured.
        value: In its unit; None: unknown.
        unit: E.g. edges.
        percentile: Share of training nodes with a smaller value, in percent; None: unknown.
        effect: What it adds to the score by its gradient; None: not known.
    """

    name: str
    value: float | None
    unit: str = ""
    percentile: float | None = None
    effect: float | None = None


@dataclass(frozen=True)
class Check:
    """A line of the receipt: what was done, and what came of it.

    Attributes:
        done: E.g. the three strongest neighbors removed.
        result: What the score became.
        control: What it became when as much was removed at random: mean; None: there is no control.
        spread: Standard deviation of the control.
    """

    done: str
    result: float
    control: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a sample got its score.

    Attributes:
        subject: What is explained, e.g. `node ada`.
        sentence: The answer in a sentence.
        predicted: The score that decided.
        runner_up: The score that came second, with what spoke for it; None: there is none.
        probability: Of the prediction, from 0 to 1; None: scores are no probabilities.
        looks: How the subject itself looks; None: it has no looks.
        bars: Contexts of the node; empty: none.
        checks: The receipt.
        warnings: Why the explanation may mislead, in plain sentences.
        facts: What it was made from: run, seed, model, data set.
    """

    subject: str
    sentence: str
    predicted: Account
    runner_up: Account | None = None
    probability: float | None = None
    looks: Drawing | Picture | None = None
    bars: tuple[Bar, ...] = ()
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"version": VERSION, **asdict(self)}
