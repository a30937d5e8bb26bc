"""Every fenced block of the README is run from the README itself, in one folder, in the order in which it stands there.

`tests/blocks.py` tells the kinds of blocks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from graphkit.conf.catalog import MODELS
from graphkit.conf.model_table import with_table
from tests.blocks import KINDS, ROOT, Block, check_not_run, check_printed, read_blocks, run_block

BLOCKS = read_blocks(ROOT / "README.md")
RUN = [block for block in BLOCKS if block.runs]
NOT_RUN = [block for block in BLOCKS if block.kind == "bash no-run"]


def name_of(block: Block) -> str:
    return f"line {block.line}"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder in which the README is followed from top to bottom."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def printed() -> dict[int, str]:
    """What the blocks that have run printed, by line."""
    return {}


@pytest.mark.parametrize("block", RUN, ids=name_of)
def test_block_runs(block: Block, workdir: Path, printed: dict[int, str], programs: Path):
    printed[block.line] = run_block(block, workdir, programs)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "text"], ids=name_of)
def test_printed_text_is_what_was_printed(block: Block, workdir: Path, printed: dict[int, str], programs: Path):
    before = max((one for one in RUN if one.line < block.line), key=lambda one: one.line)
    if before.line not in printed:  # another worker ran it
        printed[before.line] = run_block(before, workdir, programs)
    check_printed(block.text, printed[before.line])


def test_blocks_are_collected():
    assert {block.kind for block in BLOCKS} == set(KINDS), "every block says what it is"
    assert len(RUN) >= 8
    assert sum(block.kind == "python" for block in RUN) >= 2


@pytest.mark.parametrize("block", NOT_RUN, ids=name_of)
def test_what_is_not_run_is_excused_and_exists(block: Block):
    check_not_run(block)


def test_the_table_of_models_is_that_of_the_catalog() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(text) == text, "run python -m graphkit.conf.model_table"
    assert all(name in text for models in MODELS.values() for name in models)
