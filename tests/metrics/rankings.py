"""Small rankings, and their metrics by the definitions alone."""

import math

import torch

from graphkit.sparse import CSR


def matrix(rows, num_cols):
    pairs = [(column, row) for row, columns in enumerate(rows) for column in columns]
    edges = torch.tensor(pairs).T if pairs else torch.empty(2, 0, dtype=torch.long)
    return CSR.from_edge_index(edges, (len(rows), num_cols))


def loop_metric(name, scores, seen, relevant):
    """By the definitions alone: mask, sort, count; one user after the other."""
    kind, k = name.split("@")
    k, values = int(k), []
    for own, masked, wanted in zip(scores, seen, relevant, strict=True):
        if not wanted:
            continue
        left = [item for item in range(len(own)) if item not in masked]
        hits = [int(item in wanted) for item in sorted(left, key=lambda item: (-own[item], item))[:k]] or [0]
        dcg = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
        values.append(
            {"recall": sum(hits) / len(wanted), "precision": sum(hits) / k, "hit": max(hits), "ndcg": dcg / ideal}[kind]
        )
    return 100 * sum(values) / len(values)


def random_rows(source, users, items, share):
    return [[i for i in range(items) if torch.rand((), generator=source) < share] for _ in range(users)]
