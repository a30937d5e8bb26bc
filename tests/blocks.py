"""Fenced blocks of a page: read, run, and compared with what they printed.

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

from graphkit.conf.arguments import split
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("bash", "python", "text", "bash no-run")


class Block(NamedTuple):
    line: int
    kind: str
    text: str

    @property
    def runs(self) -> bool:
        return self.kind in ("bash", "python")


def read_blocks(page: Path) -> list[Block]:
    """The blocks of a page; every fence of it begins or ends one, and every block says what it is."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    blocks = [Block(text.count("\n", 0, match.start()) + 1, match.group(1).strip(), match.group(2)) for match in found]
    fences = re.findall(r"^\s*(?:```|~~~)", text, flags=re.MULTILINE)
    assert 2 * len(blocks) == len(fences), f"{page.name}: a fence is indented, or never closed"
    assert {block.kind for block in blocks} <= set(KINDS), f"{page.name}: every block says what it is"
    return blocks


def run_block(block: Block, workdir: Path, programs: Path = Path(sys.executable).parent) -> str:
    """What a block prints; it must succeed.

    Args:
        block: The block.
        workdir: The folder that it runs in.
        programs: The folder that has the block's `python`.
    """
    source = workdir / ("block.py" if block.kind == "python" else "block.sh")
    source.write_text(block.text, encoding="utf-8")
    interpreter = [str(programs / "python")] if block.kind == "python" else ["bash", "-euo", "pipefail"]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
    }
    command = [*interpreter, source.name]
    done = subprocess.run(command, cwd=workdir, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}"
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def check_printed(said: str, output: str) -> None:
    """Every line of a `text` block is in the output, in that order."""
    printed = [line.strip() for line in output.splitlines()]
    position = 0
    for line in filter(None, (line.strip() for line in said.splitlines())):
        if line == "...":
            continue
        hits = [i for i, one in enumerate(printed) if i >= position and re.fullmatch(as_pattern(line), one)]
        assert hits, f"not printed: {line!r}\n{output}"
        position = hits[0] + 1


def as_pattern(line: str) -> str:
    """A regular expression for a printed line: any digits, any run of spaces or rule characters."""
    pattern = re.sub(r"\d+", "0", line.strip())
    pattern = re.escape(pattern).replace("0", r"\d+")
    return re.sub("[─━]{3,}", "[─━]+", re.sub(r"(?:\\ )+", r"\\s+", pattern))


def check_not_run(block: Block) -> None:
    """The commands of a `bash no-run` block exist, and each has a reason for not being run."""
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


def commands(block: Block) -> list[list[str]]:
    joined = block.text.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in joined) if words]


def takes_long(words: list[str]) -> bool:
    """Whether a command installs, downloads or takes hours, the only reasons for not running a block."""
    if words[0] in ("git", "cd", "make"):
        return words[0] != "git" or words[1] == "clone"
    if words[:2] == ["pip", "install"] or "pip install" in " ".join(words):
        return True
    if words[:2] != ["python", "-m"]:
        return False
    return words[2].startswith("benchmarks.") or "dataset=ogbl-ddi" in words
