"""What the protocols of several families of data sets share."""

from __future__ import annotations

ACCURACY = ("accuracy",)
ROC_AUC = ("roc-auc", "accuracy")
HITS = ("hits@20", "hits@50", "hits@100", "mrr", "roc-auc")
RANKING = ("recall@20", "ndcg@20", "precision@20", "hit@20")

EDGE_SPLIT = (
    "of the undirected edges, drawn anew a seed, with as many distinct true non-edges as negatives; only training edges are in "
    "message passing, also at test."
)

TEN_SPLITS = "Seed s takes split s mod 10, so that seeds=10 takes each of them once."

GEOM_SPLITS = "Ten published splits of 48/32/20 %."
WHOLE_GRAPH = "The whole graph is in message passing, made symmetric without self-loops."
ROW_NORMALIZED = "Features are row-normalized (each node's sum to 1), as in the code of Geom-GCN, NSD and Dir-GNN."
WEBKB = (
    "Craven et al., Learning to Extract Symbolic Knowledge from the World Wide Web, AAAI 1998; splits of Pei et al., Geom-GCN, "
    "ICLR 2020 (arXiv:2002.05287)"
)
