"""Data sets that need no file: those that come with the dependencies, and generated ones."""

from __future__ import annotations

from graphkit.data.catalog.entries import DatasetEntry, Protocol
from graphkit.data.catalog.shared import ACCURACY, EDGE_SPLIT, LINKS, PROJECTED, RANKING

ENTRIES = (
    DatasetEntry(
        "digits",
        "1,797 images of 8x8 pixels, 10 classes, also as a cosine 10-nearest-neighbor graph (embedded)",
        {
            "node": Protocol(
                "A fixed split: 20 labeled images per class for training, 500 for validation, the other 1,097 for test; the "
                "whole graph is in message passing.",
                "accuracy",
                ACCURACY,
            ),
            "link": Protocol(EDGE_SPLIT.format("70/10/20"), LINKS[0], LINKS),
            "image": Protocol(
                "A fixed split, that of the graph: 20 images per class for training, 500 for validation, the other 1,097 for "
                "test.",
                "accuracy",
                PROJECTED,
                reader="graphkit.data.generated.images:read_digits",
            ),
        },
        "Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, as shipped with scikit-learn",
        "https://archive.ics.uci.edu/dataset/80",
        "CC BY 4.0",
        reader="graphkit.data.generated.embedded:read_digits",
    ),
    DatasetEntry(
        "karate",
        "Zachary's karate club: 34 members, 78 ties, 2 factions (embedded)",
        {
            "node": Protocol(
                "A fixed split of the members: 4 a faction, the two leaders among them, for training, 10 for validation, 16 "
                "for test; the whole graph is in message passing, features are one-hot ids.",
                "accuracy",
                ACCURACY,
            ),
            "link": Protocol(EDGE_SPLIT.format("70/10/20"), "roc-auc", ("roc-auc", "hits@3", "mrr")),
        },
        "Zachary, An Information Flow Model for Conflict and Fission in Small Groups, J. Anthropological Research 1977",
        "https://doi.org/10.1086/jar.33.4.3629752",
        reader="graphkit.data.generated.embedded:read_karate",
    ),
    DatasetEntry(
        "planted-partition",
        "generated: 800 nodes, 4 classes that show in the edges, weakly in the features (embedded)",
        {
            "node": Protocol(
                "A new graph per seed, split class by class in the shares of data.split; the whole graph is in message "
                "passing. Features alone allow an accuracy of 55 %.",
                "accuracy",
                ACCURACY,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        reader="graphkit.data.generated.planted:read_partition",
        takes_split=True,
    ),
    DatasetEntry(
        "planted-categories",
        "generated: 800 nodes with six categorical fields, two of which decide the class together (embedded)",
        {
            "node": Protocol(
                "A new graph per seed, split class by class in the shares of data.split; the whole graph is in message "
                "passing. The fields of a node alone allow an accuracy of 86 %, and any one of them 25 %.",
                "accuracy",
                ACCURACY,
            )
        },
        "A stochastic block model with categorical features, after Chen et al., CatGCN, TKDE 2021 (arXiv:2009.05303)",
        "https://arxiv.org/abs/2009.05303",
        reader="graphkit.data.generated.planted:read_categories",
        takes_split=True,
    ),
    DatasetEntry(
        "dictionary-lookup",
        "generated: 500 dictionaries of ten keys and values, and a node that asks for each key (embedded)",
        {
            "node": Protocol(
                "For every seed the same 300, 100 and 100 dictionaries for training, validation and test; those who ask are "
                "judged. Edges lead from the entries of a dictionary to those who ask, and keep their direction. A model that "
                "sends the same to all who ask is right in 10 %.",
                "accuracy",
                ACCURACY,
            )
        },
        "Brody, Alon, Yahav, How Attentive are Graph Attention Networks?, ICLR 2022 (arXiv:2105.14491)",
        "https://arxiv.org/abs/2105.14491",
        reader="graphkit.data.generated.dictionaries:read",
        directed=True,
    ),
    DatasetEntry(
        "planted-communities",
        "generated: 50 dense communities of 20 nodes and a few stray edges; common neighbors decide (embedded)",
        {
            "link": Protocol(
                f"Every seed draws a new graph. {EDGE_SPLIT.format('in the shares of data.split')} A twentieth of the edges "
                "are stray and cannot be foretold.",
                LINKS[0],
                LINKS,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        reader="graphkit.data.generated.planted:read_communities",
        takes_split=True,
    ),
    DatasetEntry(
        "planted-interactions",
        "generated: 500 users and 500 items in 20 communities that decide who takes what (embedded)",
        {
            "recommend": Protocol(
                "New interactions per seed; each user's items split in the shares of data.split, held-out ones in no "
                "graph. All items a user has not been seen with are ranked, at test also without the validation items. A "
                "twentieth of the interactions is stray and cannot be foretold.",
                "recall@20",
                RANKING,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        reader="graphkit.data.generated.interactions:read",
        takes_split=True,
    ),
    DatasetEntry(
        "planted-days",
        "generated: 500 users, 500 items, ten days; the past tells nothing of the next day, other users all of it (embedded)",
        {
            "recommend": Protocol(
                "New interactions per seed, split in the shares of data.split, held-out ones in no graph. All items a user has "
                "not been seen with are ranked, at test also without the validation items; users without held-out items do not "
                "count. What a community of users takes to is drawn again for each day.",
                "recall@20",
                RANKING,
            )
        },
        "Holland, Laskey, Leinhardt, Stochastic Blockmodels: First Steps, Social Networks 1983",
        "https://doi.org/10.1016/0378-8733(83)90021-7",
        reader="graphkit.data.generated.interactions:read_days",
        takes_split=True,
        timed=True,
    ),
)
