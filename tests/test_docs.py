"""The documentation: every block of docs/ runs, the site is built without a warning, and a browser shows it offline."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from filelock import FileLock

from graphkit import layers, sparse, testing
from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.model_table import dataset_table, models_of
from graphkit.data.catalog import DATASETS
from tests.blocks import ROOT, check_not_run, check_printed, read_blocks, run_block
from tests.explain.browser import browsing, find_browser

DOCS = ROOT / "docs"
BLOCKS = {path.relative_to(DOCS).as_posix(): read_blocks(path) for path in sorted(DOCS.rglob("*.md"))}
RUN = [page for page, blocks in BLOCKS.items() if any(block.runs for block in blocks)]
PORT = "8000"
"""What the pages serve on; a free one takes its place here."""


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run_and_print_what_it_says(page: str, programs: Path, tmp_path: Path) -> None:
    if "curl" in "".join(block.text for block in BLOCKS[page]) and shutil.which("curl") is None:
        pytest.skip("the page asks a server with curl, which is not installed here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    printed = ""
    for block in BLOCKS[page]:
        if block.runs:
            printed = run_block(block._replace(text=block.text.replace(PORT, port)), tmp_path, programs)
        elif block.kind == "text":
            check_printed(block.text, printed)
        else:
            check_not_run(block)


def test_every_task_has_a_page_from_its_files_to_a_claim() -> None:
    commands = {page: "".join(block.text for block in BLOCKS[page] if block.runs) for page in RUN if page.startswith("how-to/")}
    doors = ("run", "predict", "serve", "claim", "verify")
    for task, entry in TASKS.items():
        (text,) = (text for text in commands.values() if f"task={task} dataset=custom" in text)
        assert all(f"python -m graphkit.{door} " in text for door in doors), task
        assert all(f"{key}=" in text for key in entry.needs), task


def test_tables_have_every_model_and_data_set() -> None:
    for task, models in MODELS.items():
        rows = models_of(task).splitlines()[2:]
        assert [row.split("`")[1] for row in rows] == list(models)
        assert all(row.count(" | ") == 3 for row in rows)
    rows = dataset_table(DATASETS).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(DATASETS)
    for row, entry in zip(rows, DATASETS.values(), strict=True):
        assert row.count(" | ") == 2 and all(task in row.split(" | ")[2] for task in entry.tasks)


# ------------------------------------------------------------------------------------------------------------- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; workers of one session share it."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = tmp_path_factory.getbasetemp().parent / f"site-{session}" if session else tmp_path_factory.mktemp("site")
    with FileLock(f"{folder}.lock"):
        if not (folder / "index.html").exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
            environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return folder


class Page(HTMLParser):
    """What a page asks for by itself, its links, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev"):
            self.asked.append(values["href"])
        self.asked += [values[key] for key in ("src", "srcset", "data", "poster") if key in values and tag != "a"]


def test_the_site_asks_no_other_host(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    asked = {(path.name, address) for path, page in pages.items() for address in page.asked}
    assert len(asked) > 100
    assert {one for one in asked if re.match("(?:[a-z]+:)?//", one[1])} == set()
    for style in site.rglob("*.css"):
        assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", style.read_text(encoding="utf-8")), style.name


def test_the_api_pages_show_what_is_exported(site: Path) -> None:
    api = {path.stem: Page(path).ids for path in (site / "api").glob("*.html")}
    assert {f"{room.__name__}.{name}" for room in (layers, testing) for name in room.__all__} <= api["layers"]
    assert {f"graphkit.sparse.{name}" for name in sparse.__all__} <= api["sparse"]
    targets = {entry.target.replace(":", ".") for models in MODELS.values() for entry in models.values()}
    assert targets <= api["models"] and {entry.target.replace(":", ".") for entry in TASKS.values()} <= api["tasks"]
    assert {"graphkit.run.run", "graphkit.verify.verify", "graphkit.errors.RequestError"} <= api["index"]
    assert {"graphkit.data.load", "graphkit.data.dataset.NodeData"} <= api["data"]
    assert {"graphkit.explain.explanation.Explanation", "graphkit.explain.pyg.EdgeAttribution"} <= api["explain"]


def test_the_search_knows_pages_and_classes(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    titles = {row["title"] for row in index["docs"]}
    assert {"Claim", "Cheat sheet", "Links of my graph"} <= titles and any("GCNConv" in title for title in titles)


@pytest.mark.skipif(find_browser() is None, reason="no Chromium here: apt-get install chromium")
def test_two_screens_fit_and_ask_for_nothing(site: Path) -> None:
    program = find_browser()
    assert program is not None
    with browsing(program) as browser:
        for name, headline in (("index.html", "graphkit"), ("notebooks/explain_one_decision.html", "Explain one decision")):
            for width, scheme in ((1200, "light"), (360, "dark")):
                browser.open(site / name, width, scheme)
                browser.evaluate("localStorage.clear()")  # the page keeps the scheme that it was first shown in
                browser.open(site / name, width, scheme)
                assert browser.evaluate("document.body.dataset.mdColorScheme") == {"light": "default", "dark": "slate"}[scheme]
                assert browser.evaluate("document.querySelector('h1').firstChild.textContent") == headline
                assert browser.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
                assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
                assert browser.complaints() == []
                assert browser.screenshot().startswith(b"\x89PNG")
