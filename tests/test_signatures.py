"""What may be given by position: one swapped pair of numbers is silent, one swapped pair of keywords cannot be.

The rules, read off the source of `graphkit`:

1. A call of a class of `layers` or `models` gives at most three arguments by position, and no star.
2. A constructor in `layers` and `models` takes at most three by position, besides `self`: sizes (`int`) and what the object is
   built upon. A switch, a rate or a name (`bool`, `float`, `str`) is a keyword, unless it is the only argument.
3. A function or method there takes at most three by position besides its tensors, operators and graphs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphkit

PACKAGE = Path(graphkit.__file__).parent
MOST = 3
OPERANDS = ("Tensor", "CSR", "Adjacency", "NeighborSets", "SheafLaplacian", "EdgeEnds", "Hops", "Pattern", "Bags", "BagPairs")
"""Types whose values nobody swaps for a number."""
KEYWORDS = {"bool", "float", "str", "bool | None", "float | None", "str | None"}


def sources(*rooms: str) -> dict[str, ast.Module]:
    """The syntax trees of the files below some rooms of the package, by name."""
    paths = [path for room in rooms for path in sorted((PACKAGE / room).rglob("*.py"))]
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def class_names(trees: dict[str, ast.Module]) -> set[str]:
    return {node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def crowded_calls(name: str, tree: ast.AST, classes: set[str]) -> Iterator[str]:
    """Rule 1."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            if called in classes and (len(node.args) > MOST or starred):
                yield f"{name}:{node.lineno}: {called}({len(node.args)} by position)"


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef, list[ast.arg]]]:
    """Every function with the name of its class, if it has one, and what it takes by position besides `self` or `cls`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = {getattr(one, "id", "") for one in node.decorator_list}
            taken = [*node.args.posonlyargs, *node.args.args]
            yield inside, node, taken[1:] if inside and "staticmethod" not in decorators else taken
        yield from functions(node, node.name if isinstance(node, ast.ClassDef) else "")


def annotation(argument: ast.arg) -> str:
    return "" if argument.annotation is None else ast.unparse(argument.annotation)


def crowded_signatures(name: str, tree: ast.AST) -> Iterator[str]:
    """Rules 2 and 3."""
    for owner, node, taken in functions(tree):
        place = f"{name}:{node.lineno}: {owner + '.' if owner else ''}{node.name}"
        if node.name == "__init__":
            loose = [one.arg for one in taken if annotation(one) in KEYWORDS]
            if len(taken) > MOST or (loose and len(taken) > 1):
                yield f"{place}({', '.join(loose or [one.arg for one in taken])})"
        else:
            counted = [one.arg for one in taken if not any(kind in annotation(one) for kind in OPERANDS)]
            if len(counted) > MOST:
                yield f"{place}({', '.join(counted)})"


def test_no_call_of_a_class_gives_more_than_three_by_position() -> None:
    trees, classes = sources("."), class_names(sources("layers", "models"))
    assert len(trees) > 100 and {"GATConv", "SheafLaplacian", "Network", "LightGCN"} <= classes
    assert [found for name, tree in trees.items() for found in crowded_calls(name, tree, classes)] == []


def test_layers_and_models_take_little_by_position() -> None:
    trees = sources("layers", "models")
    assert len(trees) > 30
    assert [found for name, tree in trees.items() for found in crowded_signatures(name, tree)] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Net(1, 2, 3)", []),
        ("room.Net(1, 2, 3, 4)", ["x:1: Net(4 by position)"]),
        ("Net(*sizes)", ["x:1: Net(1 by position)"]),
        ("other(1, 2, 3, 4)", []),
    ],
)
def test_crowded_calls_are_found(source: str, expected: list[str]) -> None:
    assert list(crowded_calls("x", ast.parse(source), {"Net"})) == expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class A:\n def __init__(self, a: int, b: int, c: int, *, p: float = 0.0): ...", False),
        ("class A:\n def __init__(self, a: int, b: int, c: int, d: int): ...", True),
        ("class A:\n def __init__(self, a: int, p: float): ...", True),
        ("class A:\n def __init__(self, a: int, *rest: int, p: float | None = None): ...", False),
        ("class A:\n def __init__(self, name: str = 'gcn'): ...", False),
        ("class A:\n def f(self, x: Tensor, y: Tensor | None, z: CSR, adj: Adjacency, a, b, c): ...", False),
        ("def f(a, b, c, d): ...", True),
        ("def f(a, b, c, *, d): ...", False),
        ("class A:\n def g(self):\n  def f(a, b, c, d): ...", True),
    ],
)
def test_crowded_signatures_are_found(source: str, found: bool) -> None:
    assert bool(list(crowded_signatures("x", ast.parse(source)))) == found
