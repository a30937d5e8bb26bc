"""Every fenced block of the README is run from the README itself, in one folder, in the order in which it stands there.

Kinds of blocks: `bash` and `python` run; `bash no-run` installs, downloads or takes hours, and only its commands are checked;
`text` is what the block before it printed, where digits stand for any digits and `...` for any lines.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from graphkit.conf.arguments import split
from graphkit.conf.catalog import MODELS
from graphkit.conf.model_table import with_table
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("bash", "python", "text", "bash no-run")


class Block(NamedTuple):
    line: int
    kind: str
    text: str


def read_blocks() -> list[Block]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(text.count("\n", 0, match.start()) + 1, match.group(1).strip(), match.group(2)) for match in found]


BLOCKS = read_blocks()
RUN = [block for block in BLOCKS if block.kind in ("bash", "python")]
NOT_RUN = [block for block in BLOCKS if block.kind == "bash no-run"]


def name_of(block: Block) -> str:
    return f"line {block.line}"


def commands(block: Block) -> list[list[str]]:
    joined = block.text.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in joined) if words]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder in which the README is followed from top to bottom."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def printed() -> dict[int, str]:
    """What the blocks that have run printed, by line."""
    return {}


@pytest.mark.parametrize("block", RUN, ids=name_of)
def test_block_runs(block: Block, workdir: Path, printed: dict[int, str]):
    printed[block.line] = run_block(block, workdir)


def run_block(block: Block, workdir: Path) -> str:
    """What a block prints; it must succeed."""
    source = workdir / ("block.py" if block.kind == "python" else "block.sh")
    source.write_text(block.text, encoding="utf-8")
    interpreter = [sys.executable] if block.kind == "python" else ["bash", "-euo", "pipefail"]
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(folders), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    command = [*interpreter, source.name]
    done = subprocess.run(command, cwd=workdir, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    return done.stdout


def as_pattern(line: str) -> str:
    """A regular expression for a printed line: any digits, any run of spaces or rule characters."""
    pattern = re.sub(r"\d+", "0", line.strip())
    pattern = re.escape(pattern).replace("0", r"\d+")
    return re.sub("[─━]{3,}", "[─━]+", re.sub(r"(?:\\ )+", r"\\s+", pattern))


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "text"], ids=name_of)
def test_printed_text_is_what_was_printed(block: Block, workdir: Path, printed: dict[int, str]):
    before = max((one for one in RUN if one.line < block.line), key=lambda one: one.line)
    if before.line not in printed:  # another worker ran it
        printed[before.line] = run_block(before, workdir)
    output = [line.strip() for line in printed[before.line].splitlines()]
    position = 0
    for line in filter(None, (line.strip() for line in block.text.splitlines())):
        if line == "...":
            continue
        hits = [i for i, printed_line in enumerate(output) if i >= position and re.fullmatch(as_pattern(line), printed_line)]
        assert hits, f"not printed: {line!r}\n" + "\n".join(output)
        position = hits[0] + 1


def test_blocks_are_collected():
    assert {block.kind for block in BLOCKS} == set(KINDS), "every block says what it is"
    fences = re.findall(r"^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert 2 * len(BLOCKS) == len(fences)
    assert len(RUN) >= 8
    assert sum(block.kind == "python" for block in RUN) >= 2


def takes_long(words: list[str]) -> bool:
    """Whether a command installs, downloads or takes hours, the only reasons for not running a block."""
    if words[0] in ("git", "cd", "make"):
        return words[0] != "git" or words[1] == "clone"
    if words[:2] == ["pip", "install"] or "pip install" in " ".join(words):
        return True
    if words[:2] != ["python", "-m"]:
        return False
    return words[2].startswith("benchmarks.") or "dataset=ogbl-ddi" in words


@pytest.mark.parametrize("block", NOT_RUN, ids=name_of)
def test_what_is_not_run_is_excused_and_exists(block: Block):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    rows = commands(block)
    assert rows
    for words in rows:
        assert takes_long(words), f"this could be run: {words}"
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= set(targets)
        if words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]) is not None, words[2]
        if words[:3] == ["python", "-m", "graphkit.run"]:
            request = split(words[3:])
            check(request.assignments, DATASETS, request.mistakes)  # raises what the command line would print


def test_the_table_of_models_is_that_of_the_catalog() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(text) == text, "run python -m graphkit.conf.model_table"
    assert all(name in text for models in MODELS.values() for name in models)
