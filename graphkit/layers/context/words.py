"""The contexts of a node in words: a fixed template, and a way to have it rewritten that is handed nothing but facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from graphkit.layers.context.node_context import ContextReading

Rewrite = Callable[[dict[str, Any]], str]
"""From facts as plain values to a text, e.g. by a language model; see `in_words`."""

_LISTED = 2  # contexts that a sentence names in each direction


def in_words(readings: Sequence[ContextReading], prediction: str, rewrite: Rewrite | None = None) -> str:
    """A few sentences on what the contexts of a node do for its prediction.

    Args:
        readings: The contexts, with their effects on the score of the prediction where these are known.
        prediction: The predicted class, by name.
        rewrite: Gets `prediction`, `contexts` (the readings) and `text` (the template's sentences), and gives another text.
            All of that the model has seen or said itself: no label of the node, whether known or not, is among it.

    Returns:
        The text; the same for the same readings, unless `rewrite` is given.
    """
    text = " ".join(filter(None, [_effects(readings, prediction), _rest(readings)]))
    if rewrite is None:
        return text
    return rewrite({"prediction": prediction, "contexts": [asdict(reading) for reading in readings], "text": text})


def _effects(readings: Sequence[ContextReading], prediction: str) -> str:
    """What speaks for the prediction and against it, the strongest first."""
    ranked = sorted((one for one in readings if one.effect), key=lambda one: -abs(one.effect or 0.0))
    if not ranked:
        return f"The contexts of this node do not move the score of {prediction}."
    total = sum(one.effect or 0.0 for one in ranked)
    parts = []
    for sign, word in ((1.0, "for it"), (-1.0, "against it")):
        found = [one for one in ranked if sign * (one.effect or 0.0) > 0.0][:_LISTED]
        if found:
            parts.append(f"{word}: {', '.join(map(_told, found))}")
    direction = "raise" if total >= 0.0 else "lower"
    gained = f"{direction} the score of {prediction} by {abs(total):.2g}"
    return f"Against an average training node, its contexts {gained} in all; {'; '.join(parts)}."


def _told(reading: ContextReading) -> str:
    """A context with its number, place and effect."""
    return f"{_named(reading)} ({reading.effect:+.2g})"


def _named(reading: ContextReading) -> str:
    if reading.value is None:
        return f"{reading.name} unknown"
    place = "" if reading.percentile is None else f", above {reading.percentile:.0f} % of training nodes"
    return f"{reading.name} {reading.value:.3g} {reading.unit}{place}"


def _rest(readings: Sequence[ContextReading]) -> str:
    """What is unknown."""
    unknown = [one.name for one in readings if one.value is None]
    return f"Unknown: {', '.join(unknown)}." if unknown else ""
