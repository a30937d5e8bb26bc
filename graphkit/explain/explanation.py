"""An explanation as plain values: what makes a score, what speaks against it, what was checked. Pages and JSON show the same.

Whoever explains a task fills these classes; the page knows nothing else. Names are as the data has them, unescaped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
"""Of the JSON form; it changes when a field changes its meaning or goes."""

_ROUNDING = 1e-5
"""Of an account in single precision, as a share of the sizes of its summands."""


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
        legend: What each of these numbers stands for; empty: the numbers themselves.
        directed: Whether edges have a direction, from the first end to the second.
        left_out: How many nodes are not drawn, because there were too many.
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    target: int | None = None
    node_weights: tuple[float, ...] = ()
    edge_weights: tuple[float, ...] = ()
    colors: tuple[int, ...] = ()
    legend: tuple[str, ...] = ()
    directed: bool = False
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
    """A summand of a score: value x weight = contribution, or a contribution alone.

    Attributes:
        name: What it is.
        value: E.g. a similarity, from -1 to 1; None: there is a contribution alone.
        weight: What it is multiplied with; None likewise.
        contribution: The product.
        query: What of the explained sample it is about; None: the sample as a whole.
        source: The training part that it is like; None: none, or not one any longer.
    """

    name: str
    value: float | None
    weight: float | None
    contribution: float
    query: Part | None = None
    source: Part | None = None


@dataclass(frozen=True)
class Account:
    """A score as a sum: score = bias + contributions of the terms + unlisted + remainder.

    Attributes:
        name: Whose score it is, e.g. a class.
        score: The score as the model gave it.
        bias: What there is without any term.
        terms: The summands that are listed, the largest in either direction first.
        unlisted: The sum of the contributions that have no term.
        remainder: What the rule of attribution leaves over.
        value_name: What `Term.value` is, e.g. similarity; empty: there are contributions alone.
        rule: How contributions are attributed where the score is not a sum by itself; empty: it is one.

    Raises:
        ValueError: The summands do not add up to the score, or one is no number.
    """

    name: str
    score: float
    bias: float
    terms: tuple[Term, ...]
    unlisted: float = 0.0
    remainder: float = 0.0
    value_name: str = "similarity"
    rule: str = ""

    def __post_init__(self) -> None:
        allowed = _ROUNDING * max(1.0, sum(map(abs, self._parts())))
        if not math.isfinite(self.score) or not abs(self.total() - self.score) <= allowed:
            raise ValueError(f"the account of {self.name!r} adds up to {self.total():g}, not to the score {self.score:g}.")

    def total(self) -> float:
        """The sum, which is the score up to rounding."""
        return math.fsum(self._parts())

    def _parts(self) -> list[float]:
        return [self.bias, *(term.contribution for term in self.terms), self.unlisted, self.remainder]

    def for_it(self) -> tuple[Term, ...]:
        """The terms that speak for it, the strongest first."""
        return tuple(sorted((term for term in self.terms if term.contribution > 0), key=lambda term: -term.contribution))


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
    """A line of the receipt: something was removed, and the model was run again.

    Attributes:
        done: E.g. the three strongest neighbors removed.
        before: The score as it was.
        result: What it became.
        control: What it became when as much was removed at random: mean; None: there is nothing else to remove.
        spread: Standard deviation of the control; None: it was drawn once, or not at all.
        draws: How often the control was drawn.
        lowers: Whether a true explanation lowers the score more than chance does; False: it keeps the score higher.
    """

    done: str
    before: float
    result: float
    control: float | None = None
    spread: float | None = None
    draws: int = 0
    lowers: bool = True

    @property
    def is_better_than_chance(self) -> bool | None:
        """Whether the outcome is on the side of the control that a true explanation is on; None without a control."""
        if self.control is None:
            return None
        return self.result < self.control if self.lowers else self.result > self.control


@dataclass(frozen=True)
class Agreement:
    """What another seed of the run says of the same.

    Attributes:
        seed: The seed.
        predicted: What it decides.
        is_same: Whether that is what is explained here.
        shared: Share of the strongest reasons, from 0 to 1, that both name (Jaccard); None: the other has nothing to compare.
    """

    seed: int
    predicted: str
    is_same: bool
    shared: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a sample got its score.

    Attributes:
        subject: What is explained, e.g. `node ada`.
        sentence: The answer in a sentence.
        predicted: The score that decided.
        runner_up: The score that came second, with what spoke for it; None: there is none.
        verdict: What was decided, as other seeds are compared with it; empty: the name of `predicted`.
        also: The score of `predicted` taken apart otherwise, e.g. by features instead of by nodes.
        probability: Of the prediction, from 0 to 1; None: scores are no probabilities.
        looks: How the subject itself looks; None: it has no looks.
        bars: Contexts of the node; empty: none.
        context: The contexts in words.
        checks: The receipt.
        agreements: What other seeds of the run say; empty: it has no others, or they were not asked.
        warnings: Why the explanation may mislead, in plain sentences.
        facts: What it was made from: run, seed, model, data set.
    """

    subject: str
    sentence: str
    predicted: Account
    runner_up: Account | None = None
    verdict: str = ""
    also: tuple[Account, ...] = ()
    probability: float | None = None
    looks: Drawing | Picture | None = None
    bars: tuple[Bar, ...] = ()
    context: str = ""
    checks: tuple[Check, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"version": VERSION, **asdict(self)}

    def to_json(self) -> str:
        """The same values as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_html(self) -> str:
        """One page that needs no other file."""
        from graphkit.explain.page import html_page  # jinja2, which plain values need not wait for

        return html_page([self])

    def to_text(self) -> str:
        """What a terminal shows."""
        from graphkit.explain.text import text_page

        return text_page([self])
