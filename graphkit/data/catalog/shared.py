"""What the protocols of several families of data sets share."""

from __future__ import annotations

ACCURACY = ("accuracy",)
PROJECTED = ("accuracy", "accuracy-before-projection")
"""Of images: by prototypes that are training patches, and as these were learned; models without prototypes have the first."""
ROC_AUC = ("roc-auc", "accuracy")
LINKS = ("roc-auc", "mrr", "hits@20", "hits@50", "hits@100")
"""Of random edge splits. The first judges: one negative is enough for it to decide, and it is the steadiest. Over five seeds of
digits test roc-auc is 99.2 +- 0.1, mrr 22 +- 8, hits@20 64 +- 8 and hits@100 97.9 +- 0.3."""
HITS_AT_100 = ("hits@100", "hits@20", "hits@50", "mrr", "roc-auc")
RANKING = ("recall@20", "ndcg@20", "precision@20", "hit@20")

EDGE_SPLIT = (
    "The undirected edges are split {} at random, with a new draw for every seed. Validation and test get the same number of "
    "negatives, as many as the larger of the two has edges, so that hits@K asks the same of both: distinct pairs of nodes that "
    "are no edge of the whole graph. Messages pass along training edges only, also at test time."
)

NCN_SPLIT = (
    "NCN's 70/10/20 protocol: a fresh split of the undirected edges a seed; validation has 10% of the edges as positives and "
    "as many negatives as 20% of the edges, test 20% of both; negatives are distinct true non-edges. Only training edges are "
    "in message passing, also at test"
)

TEN_SPLITS = "Seed s takes split s mod 10, so that seeds=10 takes each of them once."

TEN_FOLDS = (
    "Ten folds, {}: seed s tests fold s mod 10 and selects the epoch on the fold after it (task.protocol=nested); the other "
    "eight are training, so that seeds=10 tests each fold once."
)
DRAWN_FOLDS = TEN_FOLDS.format("class by class, always the same ones")

GEOM_SPLITS = "Ten published splits of 48/32/20 %."
WHOLE_GRAPH = "The whole graph is in message passing, made symmetric without self-loops."
ROW_NORMALIZED = "Features are row-normalized (each node's sum to 1), as in the code of Geom-GCN, NSD and Dir-GNN."
WEBKB = (
    "Craven et al., Learning to Extract Symbolic Knowledge from the World Wide Web, AAAI 1998; splits of Pei et al., Geom-GCN, "
    "ICLR 2020 (arXiv:2002.05287)"
)
