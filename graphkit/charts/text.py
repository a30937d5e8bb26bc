"""Names as a chart writes them."""

from __future__ import annotations

from html import escape

from graphkit.errors import shown

LETTER = 6.8
"""Width of a letter of a chart's text in its units, about."""
_LONGEST = 200


def escaped(text: str) -> str:
    """A text for HTML and XML: what cannot be printed is written out, a very long one is cut."""
    return escape(shown(text, _LONGEST))


def clipped(name: str, longest: int) -> str:
    """A name that fits, escaped; of a longer one the beginning."""
    return escaped(name if len(name) <= longest else name[: longest - 1] + "…")
