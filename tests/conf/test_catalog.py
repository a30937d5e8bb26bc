"""The rows of the catalogs: what they name exists, and no other file tells tasks apart."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name

import pytest

import graphkit
from graphkit.conf.catalog import TASKS
from graphkit.conf.request import OPTIONS
from graphkit.conf.schema import Data
from graphkit.data.catalog import DATASETS
from graphkit.data.loading import Options

PACKAGE = Path(graphkit.__file__).parent
CATALOGS = ("conf/catalog.py", "data/catalog/")


def told_apart(code: str) -> list[int]:
    """Lines on which a task is compared with something, or a table is keyed by the names of tasks."""
    lines = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = [side for side in sides if _of_task(side)]
            words = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
            equal = any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
            if named and (equal or words & TASKS.keys()):
                lines.append(node.lineno)
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            lines += [node.lineno] if len(keys & TASKS.keys()) > 1 else []
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant) and node.value.value in TASKS:
            lines.append(node.value.lineno)
    return lines


def _of_task(side: ast.expr) -> bool:
    """`task`, `x.task`, `x.task.name` or `x["task"]...`."""
    if isinstance(side, ast.Subscript):
        return _of_task(side.value) or (isinstance(side.slice, ast.Constant) and side.slice.value == "task")
    if isinstance(side, ast.Attribute):
        return side.attr == "task" or (side.attr == "name" and _of_task(side.value))
    return isinstance(side, ast.Name) and side.id == "task"


@pytest.mark.parametrize(
    "code",
    [
        "task == 'x'",
        "'x' != task",
        "a.task != b",
        "settings.task.name == 'node'",
        "config['task']['name'] == name",
        "if task in ('node', 'link'): pass",
        "{'node': 1, 'link': 2}",
        "match task:\n case 'node': pass",
    ],
)
def test_what_is_looked_for_is_found(code: str):
    assert len(told_apart(code)) == 1


def test_no_other_file_tells_tasks_apart():
    files = [path for path in PACKAGE.rglob("*.py") if not path.relative_to(PACKAGE).as_posix().startswith(CATALOGS)]
    assert len(files) > 100
    found = {path.relative_to(PACKAGE).as_posix(): told_apart(path.read_text(encoding="utf-8")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_s_row_names_what_there_is(task: str):
    row = TASKS[task]
    assert all(
        callable(resolve_name(target)) for target in (row.target, row.data, row.serve, row.answer, row.explain) if target
    )
    assert bool(row.serve) == bool(row.answer) == bool(row.questions)
    assert all(OPTIONS[key].own for key in row.own) and row.refuses.keys() <= OPTIONS.keys()
    assert not row.refuses.keys() & set(row.own)
    assert row.settings().name == task and task in DATASETS[row.default_dataset].tasks


def test_every_reader_is_there():
    readers = {entry.reader for entry in DATASETS.values()}
    readers |= {protocol.reader for entry in DATASETS.values() for protocol in entry.protocols.values() if protocol.reader}
    assert len(readers) > 10 and all(callable(resolve_name(reader)) for reader in readers)


def test_load_takes_what_a_run_takes():
    assert Options.__annotations__.keys() == {field.name for field in fields(Data)}
