"""The table of models in README: `python -m graphkit.conf.model_table` writes it anew from the catalog. No torch."""

from __future__ import annotations

import re
from pathlib import Path

from graphkit.conf.catalog import MODELS
from graphkit.conf.entries import ModelEntry

BEGIN, END = "<!-- models -->\n", "<!-- end of models -->\n"


def model_table() -> str:
    """All models as a Markdown table, a row per task, each with a link to its paper."""
    lists = {task: ", ".join(_linked(name, entry) for name, entry in models.items()) for task, models in MODELS.items()}
    rows = [f"| {task} | {names} |\n" for task, names in lists.items()]
    return "".join(["| `task=` | `model=`, with its paper |\n", "|---|---|\n", *rows])


def with_table(text: str) -> str:
    """A page with the table between its two markers brought up to date.

    Args:
        text: The page.

    Raises:
        ValueError: It has not exactly one pair of markers.
    """
    fresh, count = re.subn(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}{model_table()}{END}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page has {count} places between {BEGIN.strip()} and {END.strip()}, and should have one")
    return fresh


def _linked(name: str, entry: ModelEntry) -> str:
    return f"[{name}]({entry.paper.url})" if entry.paper and entry.paper.url else name


if __name__ == "__main__":
    page = Path("README.md")
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
