"""The name that was probably meant. Ground for all rooms, like `errors.py`: imports nothing of graphkit."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

CLOSE = 0.6
"""How alike two words are, at least, where one may stand for the other."""
CUT_SHORT = 0.8
"""How alike a name is to a word that it begins with."""
LEAST_LETTERS = 3
"""Letters of a word that may be a name cut short."""
_MANY = 2_000
_MEANT = {"gpu": "cuda", "nvidia": "cuda"}
"""Words that mean a name which is spelled in another way."""


def similarity(typed: str, name: str) -> float:
    """How alike a typed word and a name are; 1: equal but for case, hyphens and underscores; 0: of too different lengths."""
    typed, name = (word.lower().replace("-", "_") for word in (typed, name))
    shorter, longer = sorted((len(typed), len(name)))
    # A ratio is at most 2 * shorter / (shorter + longer). Where that is too little, comparing would only take time: minutes for
    # a word of 100,000 letters and many names.
    ratio = SequenceMatcher(None, typed, name).ratio() if 2 * shorter >= CLOSE * (shorter + longer) else 0.0
    return max(ratio, CUT_SHORT) if len(typed) >= LEAST_LETTERS and name.startswith(typed) else ratio


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The most similar name, None where nothing is close; ties: the first."""
    names = list(names)
    if (meant := _MEANT.get(word.lower())) in names:
        return meant
    best = max(names, key=lambda name: similarity(word, name), default=None)
    return best if best is not None and similarity(word, best) >= CLOSE else None


def nearest_names(word: str, names: Collection[str], count: int = 3) -> list[str]:
    """The most similar names, best first, at most `count`, none where nothing is close; ties: the first.

    Of many names only those are compared that begin alike, so that a mistake is answered at once.
    """
    for length in range(1, len(word) + 1):
        if len(names) <= _MANY:
            break
        names = [name for name in names if name[:length].lower() == word[:length].lower()]
    scored = ((similarity(word, name), name) for name in names)
    best = heapq.nlargest(count, (pair for pair in scored if pair[0] >= CLOSE), key=lambda pair: pair[0])
    return [name for _, name in best]


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`: did you mean NAME?`, empty where nothing is close."""
    name = nearest(word, names)
    return f": did you mean {name}?" if name else ""
