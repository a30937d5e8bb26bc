"""The name that was probably meant."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping
from difflib import SequenceMatcher

from graphkit.conf.settings import Setting

_CLOSE = 0.6
_CUT_SHORT = 0.8
_LEAST_LETTERS = 3
_MANY = 2_000
_MEANT = {"gpu": "cuda", "nvidia": "cuda"}
"""Words that mean a name which is spelled in another way."""


def similarity(typed: str, name: str) -> float:
    """How alike a typed word and a name are; 1: equal but for case, hyphens and underscores; 0: of too different lengths."""
    typed, name = (word.lower().replace("-", "_") for word in (typed, name))
    shorter, longer = sorted((len(typed), len(name)))
    # A ratio is at most 2 * shorter / (shorter + longer). Where that is too little, comparing would only take time: minutes for
    # a word of 100,000 letters and many names.
    ratio = SequenceMatcher(None, typed, name).ratio() if 2 * shorter >= _CLOSE * (shorter + longer) else 0.0
    return max(ratio, _CUT_SHORT) if len(typed) >= _LEAST_LETTERS and name.startswith(typed) else ratio


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The most similar name, None where nothing is close; ties: the first."""
    names = list(names)
    if (meant := _MEANT.get(word.lower())) in names:
        return meant
    best = max(names, key=lambda name: similarity(word, name), default=None)
    return best if best is not None and similarity(word, best) >= _CLOSE else None


def nearest_names(word: str, names: Collection[str], count: int = 3) -> list[str]:
    """The most similar names, best first, at most `count`, none where nothing is close; ties: the first.

    Of many names only those are compared that begin alike, so that a mistake is answered at once.
    """
    for length in range(1, len(word) + 1):
        if len(names) <= _MANY:
            break
        names = [name for name in names if name[:length].lower() == word[:length].lower()]
    scored = ((similarity(word, name), name) for name in names)
    best = heapq.nlargest(count, (pair for pair in scored if pair[0] >= _CLOSE), key=lambda pair: pair[0])
    return [name for _, name in best]


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`: did you mean NAME?`, empty where nothing is close."""
    name = nearest(word, names)
    return f": did you mean {name}?" if name else ""


def nearest_key(key: str, settings: Mapping[str, Setting]) -> str | None:
    """The setting that a mistyped key most likely means.

    It may be mistyped (`train.epoch`), lack its section (`epochs`), be cut short (`model.hidden`) or be named by its meaning
    (`learning_rate`).
    """
    leaf = key.rpartition(".")[2]
    words = leaf.lower().replace("_", " ")

    def score(setting: Setting) -> float:
        alike = max(similarity(key, setting.key), similarity(leaf, setting.leaf))
        named = len(words) >= _LEAST_LETTERS and setting.help.lower().startswith(words)
        return max(alike, _CUT_SHORT) if named else alike

    best = max(settings.values(), key=score)
    return best.key if score(best) >= _CLOSE else None
