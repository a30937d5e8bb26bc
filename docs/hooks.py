"""The parts of the site that are made from the code: tables and API pages of the catalog, notebooks, and ARCHITECTURE.md.

A line `<!-- NAME -->` of a page is replaced by `PARTS[NAME]`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.model_table import dataset_table, models_of
from graphkit.data.catalog import DATASETS

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {"image/png": "png", "image/svg+xml": "svg"}


def _shown(target: str) -> str:
    """What mkdocstrings reads to show a class or function, given as `module:name` or with dots."""
    return f"::: {target.replace(':', '.')}\n"


def _models() -> str:
    """The tables of all models, task by task."""
    return "\n".join(f"### `task={task}`\n\n{TASKS[task].summary.capitalize()}.\n\n{models_of(task)}" for task in MODELS)


def _model_classes() -> str:
    """The classes of all models, each once, under the tasks that have them."""
    parts: list[str] = []
    seen: set[str] = set()
    for task, models in MODELS.items():
        targets = dict.fromkeys(entry.target for entry in models.values())
        parts += [f"## {task}\n", *(_shown(target) for target in targets if target not in seen)]
        seen |= set(targets)
    return "\n".join(parts)


PARTS = {
    "models": _models,
    "data sets": lambda: dataset_table(DATASETS),
    "classes of models": _model_classes,
    "classes of tasks": lambda: "\n".join(_shown(entry.target) for entry in TASKS.values()),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not written in docs/."""
    files.append(File.generated(config, "architecture.md", content=(ROOT / "graphkit/ARCHITECTURE.md").read_text("utf-8")))
    for path in sorted((ROOT / "examples/notebooks").glob("*.ipynb")):
        pictures: dict[str, bytes | str] = {}
        page = "\n\n".join(_cells(nbformat.read(path, as_version=4), path.stem, pictures)) + "\n"
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page))
        for name, content in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marked lines of a page, and take from fences what is for the tests alone."""
    markdown = re.sub(r"^```bash no-run$", "```bash", markdown, flags=re.MULTILINE)
    return re.sub(r"^<!-- (.+) -->$", lambda found: PARTS[found[1]](), markdown, flags=re.MULTILINE)


def _cells(notebook: Any, stem: str, pictures: dict[str, bytes | str]) -> Iterator[str]:
    """The cells of a notebook as Markdown; the pictures among the outputs are collected by name."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
            continue
        yield f"```python\n{cell.source}\n```"
        for output in cell.outputs:
            data = output.get("data", {})
            kind = next((kind for kind in PICTURES if kind in data), None)
            if kind is None:
                yield f"```text\n{output.get('text') or data['text/plain']}\n```"
                continue
            name = f"{stem}-{len(pictures)}.{PICTURES[kind]}"
            pictures[name] = data[kind] if kind.endswith("xml") else base64.b64decode(data[kind])
            yield f"![What the cell draws]({name})"
