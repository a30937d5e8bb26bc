"""One prototype head on two sides: on nodes of the digits graph, and on the images themselves.

    python examples/same_head_on_nodes_and_images.py

Both runs take `graphkit.prototypes`: cosines, five prototypes per class, a linear head. On the graph a part is a node, on the
images a patch. `nodes-and-images.html` shows why both gave a digit its class.
"""

from __future__ import annotations

from pathlib import Path

from graphkit.explain import explain
from graphkit.explain.explanation import Explanation
from graphkit.explain.page import html_page
from graphkit.run import run

HEAD = {"per_class": 5, "similarity": "cosine", "warm_epochs": 3, "head_epochs": 5}


def main(digit: int = 900, epochs: int = 20, page: Path = Path("nodes-and-images.html")) -> list[Explanation]:
    """Train on both sides, and explain the same digit.

    Args:
        digit: Its number, from 0 to 1,796.
        epochs: How long each encoder is trained.
        page: Where the page goes.

    Returns:
        The explanation as a node and that as an image.
    """
    common = {"seeds": 1, "device": "cpu"}
    train = {"epochs": epochs, "lr": 0.005, "batch_size": 32, "eval_every": 5}
    nodes = run("node", "digits", {"name": "prototype", **HEAD}, train={**train, "batch_size": 0, "lr": 0.01}, **common)
    images = run("image", "digits", {"name": "protopnet", "cluster": 2.0, "separation": 0.5, **HEAD}, train=train, **common)
    found = [explain(nodes.folder, node=digit), explain(images.folder, image=digit)]
    page.write_text(html_page(found), encoding="utf-8")
    return found


if __name__ == "__main__":
    for explanation in main():
        print(explanation.sentence)
