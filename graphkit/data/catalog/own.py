"""The user's own files."""

from __future__ import annotations

from graphkit.data.catalog.entries import DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY, DRAWN_FOLDS, EDGE_SPLIT, LINKS, PROJECTED, RANKING

_GRAPH = (
    "read as an undirected graph in which repeated edges count once, self-loops are dropped, and nodes without an edge stay"
)
_DIRECTED_GRAPH = "read as a directed graph in which repeated edges count once, and self-loops and nodes without an edge stay"


_DRAWN = "labeled nodes are split class by class in the shares of data.split, with a new draw for every seed"
_MASKS = "labeled nodes are split by the masks of the data, every seed alike, and data.split says nothing"


def own_nodes(directed: bool, masks: bool) -> Protocol:
    """The protocol of own files for node classification.

    Args:
        directed: Whether edges keep their direction.
        masks: Whether the data brings its split along.
    """
    graph, split = _DIRECTED_GRAPH if directed else _GRAPH, _MASKS if masks else _DRAWN
    statement = f"Own files, {graph}; {split}; the whole graph is in message passing."
    return Protocol(statement, "accuracy", ACCURACY)


ENTRIES = (
    DatasetEntry(
        "custom",
        "own files: data.edges, data.features, data.labels, data.graphs, data.images, data.interactions",
        {
            "node": own_nodes(directed=False, masks=False),
            "link": Protocol(f"Own files, {_GRAPH}. {EDGE_SPLIT.format('in the shares of data.split')}", LINKS[0], LINKS),
            "graph": Protocol(
                f"Own graphs. {DRAWN_FOLDS}",
                "accuracy",
                ACCURACY,
                reader="graphkit.data.own.read:read_graphs",
            ),
            "image": Protocol(
                "Own images, split as their folders or the column split say; else class by class in the shares of data.split, "
                "with a new draw for every seed.",
                "accuracy",
                PROJECTED,
                reader="graphkit.data.own.read:read_images",
            ),
            "recommend": Protocol(
                "Own interactions, split in the shares of data.split, held-out ones in no graph. All items a user has not been "
                "seen with are ranked, at test also without the validation items; users without held-out items do not count.",
                "recall@20",
                RANKING,
                reader="graphkit.data.own.read:read_interactions",
            ),
        },
        "own files",
        reader="graphkit.data.own.read:read_graph",
        takes_split=True,
    ),
)
