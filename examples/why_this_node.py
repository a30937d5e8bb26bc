"""Why was this node classified so? Prototypes on a graph of a club's members, and one page that shows what a member is like.

    python examples/why_this_node.py

It trains, explains member 8 and writes `why-this-node.html`: the score as a sum over likenesses to training members, drawn side
by side, and what the score becomes when the reasons are removed.
"""

from __future__ import annotations

from pathlib import Path

from graphkit.explain import explain
from graphkit.explain.explanation import Explanation
from graphkit.run import run

MODEL = {"name": "prototype", "per_class": 3}


def main(node: int = 8, epochs: int = 60, page: Path = Path("why-this-node.html")) -> Explanation:
    """Train on the karate club with two seeds, and explain a node.

    Args:
        node: Which node.
        epochs: How long the encoder is trained.
        page: Where the page goes.

    Returns:
        The explanation, as plain values.
    """
    result = run("node", "karate", MODEL, train={"epochs": epochs}, seeds=2, device="cpu")
    explanation = explain(result.folder, node=node, device="cpu")
    page.write_text(explanation.to_html(), encoding="utf-8")
    return explanation


if __name__ == "__main__":
    explained = main()
    print(explained.sentence)
    for term in explained.predicted.terms:
        print(f"{term.contribution:+.3f}  {term.name}")
