"""Explanations to show: hostile names, long ones, a graph beyond the limit, an image."""

from __future__ import annotations

import base64
import struct
import zlib

from graphkit.explain.explanation import (
    Account,
    Agreement,
    Bar,
    Check,
    Drawing,
    Explanation,
    Part,
    Picture,
    Term,
)  # fmt: skip

HOSTILE = "<script>alert(1)</script>\"&amp;' \u202eevil\u202c " + "x" * 120


def png(size: int = 8) -> str:
    """A gray image of that many pixels each way, base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(8 * (x + y) % 256 for x in range(size)) for y in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def ring(count: int = 70, directed: bool = False) -> Drawing:
    """A ring with names, weights and three colors."""
    return Drawing(
        nodes=tuple(f"node {number}" for number in range(count)),
        edges=tuple((number, (number + 1) % count) for number in range(count)),
        target=count - 1,
        node_weights=tuple(1 - number / count for number in range(count)),
        colors=tuple(number % 3 for number in range(count)),
        legend=("red", HOSTILE, "blue"),
        directed=directed,
    )


def explanation(subject: str = "node ada") -> Explanation:
    """Everything that a page can show."""
    picture = Picture(png(), 8, 8, (2, 2, 6, 6), ((0.1, 0.9), (0.4, 0.0)))
    query, source = Part(subject, "test node", ring()), Part("node bob", "training node of Theory", ring(directed=True))
    terms = (
        Term("likeness to node bob, prototype 3", 0.83123456, 1.2034567, 0.83123456 * 1.2034567, query, source),
        Term(HOSTILE, -0.2, 0.5, -0.1, query, Part(HOSTILE)),
        Term("likeness to image 3", 1 / 3, 1 / 3, 1 / 9, Part("this image", "", picture), Part("image 3", "", picture)),
    )
    total = sum(term.contribution for term in terms) + 0.05
    return Explanation(
        subject=subject,
        sentence=f"{subject} is predicted as Theory (93.0 %); the strongest reason: likeness to {HOSTILE}.",
        predicted=Account("Theory", total, 0.0, terms, unlisted=0.05),
        runner_up=Account("Systems", -0.2, 0.0, (Term("likeness to node eve", 0.5, 0.5, 0.25),), unlisted=-0.45),
        also=(
            Account("The same score by features", total, 0.25, (Term("feature 7", None, None, total - 0.25),), rule="A rule."),
        ),
        probability=0.93,
        looks=ring(),
        bars=(Bar("degree", 12.0, "edges", 83.2, 0.12), Bar("label agreement", None)),
        checks=(Check("Nodes 1, 2 removed", 1.0, 0.2, 0.9, 0.05, 5), Check("Node 4 removed", 1.0, 0.2)),
        agreements=(Agreement(1, "Theory", True, 0.5), Agreement(2, "Systems", False)),
        warnings=("The prototypes were not projected.", HOSTILE),
        facts={"run": "runs/" + "long-" * 40, "seed": "0"},
    )
