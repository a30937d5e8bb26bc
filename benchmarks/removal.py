"""What a score loses without its strongest reasons, beside random ones: `python -m benchmarks.removal --write`.

Recommendations lose items of the user, links lose common neighbors; the model then scores the same pair again, on data
without them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from graphkit.conf.arguments import split
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.errors import GraphkitError
from graphkit.metrics.fidelity import confidence_interval
from graphkit.models.link.base import LinkModel
from graphkit.models.reasons import Reasons
from graphkit.models.recommend.base import Recommender, bipartite, rows_at_a_time
from graphkit.models.recommend.history import LinearRecommender
from graphkit.models.recommend.propagated import PropagatedRecommender
from graphkit.serving.opened import Opened, open_seed
from graphkit.sparse import CSR, NeighborSets, copies, normalize, polynomial, stacked
from graphkit.tasks.execute import execute
from graphkit.tasks.experiment import stored_request
from graphkit.training.environment import environment
from graphkit.training.files import write_atomic

_RESULTS = Path(__file__).parent / "results" / "fidelity"
_NODES = 1 << 16
"""Nodes of copies of a graph that are scored at a time."""

Rescore = Callable[[Tensor], Tensor]
"""Scores [P] without some reasons, from a mask of all contributions [K]."""

CASES = {
    "lastfm ease": ("task=recommend dataset=lastfm model=ease", 3),
    "lastfm gf-cf": ("task=recommend dataset=lastfm model=gf-cf", 3),
    "lastfm lightgcn": ("task=recommend dataset=lastfm model=lightgcn train.epochs=20", 3),
    "cora ncn": ("task=link dataset=cora model=ncn train.epochs=20", 1),
}
"""What is run, and how many reasons are removed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 the strongest reasons do not matter more everywhere, 2 the request is wrong.
    """
    asked = _parser().parse_args(argv)
    try:
        records = [measured(name, asked) for name in asked.cases]
    except GraphkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    record = {
        "command": f"python -m benchmarks.removal --predictions {asked.predictions} --draws {asked.draws} --seed {asked.seed}",
        "environment": environment(torch.device("cpu"), "32-true"),
        "cases": records,
    }
    print(page(record))
    if asked.write:
        asked.out.mkdir(parents=True, exist_ok=True)
        write_atomic(asked.out / "removal.json", (json.dumps(record, indent=1) + "\n").encode())
        write_atomic(asked.out / "removal.md", page(record).encode())
    return 0 if all(one["difference"][1] > 0 for one in records) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.removal",
        description="Remove the strongest reasons of predictions and score again, beside removing as many random ones.",
        allow_abbrev=False,
    )
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE",
                        help=f"of {', '.join(map(repr, CASES))} (default all)")  # fmt: skip
    parser.add_argument("--predictions", type=int, default=1000, metavar="N", help="per case (default %(default)s)")
    parser.add_argument("--draws", type=int, default=3, metavar="N", help="random removals (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of training, predictions and draws (default %(default)s)")
    parser.add_argument("--write", action="store_true", help="write JSON and page to results/fidelity/")
    parser.add_argument("--out", default=_RESULTS, type=Path, metavar="FOLDER", help="another folder")
    return parser


def measured(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Run a case and measure its removals."""
    settings, count = CASES[name]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        words = [*settings.split(), "seeds=1", f"seed={asked.seed}", f"out={folder}", "device=cpu"]
        result = execute(compose(check(split(words).assignments, DATASETS)), lambda *lines: None)
        opened = open_seed(result.folder, stored_request(result.folder), asked.seed, "cpu")
    random = torch.Generator().manual_seed(asked.seed)
    with opened.evaluating():
        find = _recommendations if isinstance(opened.model, Recommender) else _links
        reasons, rescore = find(opened, asked.predictions, count, random)
        found = removals(reasons, rescore, count, asked.draws, random)
    print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return {"case": name, "settings": settings, "removed": count, **found}


def removals(reasons: Reasons, rescore: Rescore, count: int, draws: int, random: torch.Generator) -> dict[str, Any]:
    """Mean losses of the scores without the strongest reasons and without random ones, and their difference."""
    strongest = reasons.score - rescore(reasons.ranks() < count)
    drawn = []
    for _ in range(draws):
        shuffled = replace(reasons, contributions=torch.rand(reasons.ids.numel(), generator=random, dtype=torch.float64))
        drawn.append(reasons.score - rescore(shuffled.ranks() < count))
    by_chance = torch.stack(drawn).mean(dim=0)
    figures = {
        key: [round(number, 6) for number in confidence_interval(values, generator=random)]
        for key, values in (("strongest", strongest), ("random", by_chance), ("difference", strongest - by_chance))
    }
    return {
        "predictions": reasons.score.numel(),
        "mean_score": round(float(reasons.score.mean()), 6),
        **figures,
        "more_than_random": round(float((strongest > by_chance).double().mean()), 4),
        "largest_remainder": float(reasons.remainder.abs().max()),
        "exact": reasons.exact,
    }


def _recommendations(opened: Opened, wanted: int, count: int, random: torch.Generator) -> tuple[Reasons, Rescore]:
    """The best new item of random users who have more than twice as many items as are removed."""
    model: Recommender = opened.model
    model.prepare()
    degree = model.interactions.degree()
    able = (degree > 2 * count).nonzero().flatten()
    users = able[torch.randperm(able.numel(), generator=random)[:wanted]]
    best = []
    for some in users.split(rows_at_a_time(model.num_items)):
        seen = model.interactions.to_dense()[some] != 0
        best.append(model.scores(some).masked_fill(seen, -torch.inf).argmax(dim=1))
    items = torch.cat(best)
    reasons = model.reasons(users, items)
    if isinstance(model, PropagatedRecommender):
        return reasons, lambda removed: _propagated_again(model, users, items, reasons, removed)
    assert isinstance(model, LinearRecommender)
    return reasons, lambda removed: _folded_in(model, items, reasons, removed)


def _folded_in(model: Recommender, items: Tensor, reasons: Reasons, removed: Tensor) -> Tensor:
    """Scores of users who have the other items alone; the model is not fitted again."""
    left = torch.bincount(reasons.prediction[~removed], minlength=items.numel())
    return model.fold_in_pairs(reasons.ids[~removed].split(left.tolist()), items).double()


def _propagated_again(model: PropagatedRecommender, users: Tensor, items: Tensor, reasons: Reasons, removed: Tensor) -> Tensor:
    """Scores by propagation on the graph without the interactions, each prediction on a graph of its own."""
    graph = bipartite(model.interactions)
    n = graph.shape[0]
    ends = torch.stack([reasons.ids + model.num_users, users[reasons.prediction]])[:, removed]
    which = reasons.prediction[removed]
    found = []
    for block in torch.arange(users.numel()).split(max(1, _NODES // n)):
        operator = normalize(_copies_without(graph, ends, which, block), "gcn", self_loops=False)
        final = polynomial(operator, model.coefficients(), cast(Tensor, stacked(model.embedding, block.numel())))
        shift = (block - block[0]) * n
        found.append((final[users[block] + shift] * final[items[block] + model.num_users + shift]).sum(dim=1).double())
    return torch.cat(found)


def _links(opened: Opened, wanted: int, count: int, random: torch.Generator) -> tuple[Reasons, Rescore]:
    """Random pairs of nodes without an edge and with more common neighbors than are removed."""
    model: LinkModel = opened.model
    x, adj = opened.task.inputs(model)
    two_steps = (adj.to_torch(torch.float64) @ adj.to_torch(torch.float64)).to_sparse_coo().coalesce()
    pairs = two_steps.indices()[:, two_steps.values() > count]
    apart = ~adj.structure.contains(pairs[0], pairs[1])
    pairs = pairs[:, apart & (pairs[0] < pairs[1])]
    pairs = pairs[:, torch.randperm(pairs.size(1), generator=random)[:wanted]]
    pairs = pairs[:, NeighborSets.of(adj).count(pairs) > count]
    reasons = model.reasons(x, adj, pairs)
    return reasons, lambda removed: _linked_again(model, x, adj, pairs, reasons, removed)


def _linked_again(
    model: LinkModel, x: Tensor | CSR | None, adj: CSR, pairs: Tensor, reasons: Reasons, removed: Tensor
) -> Tensor:
    """Scores of the whole model, encoder included, on graphs without the edges between the pair and the neighbors."""
    nodes, which = reasons.ids[removed], reasons.prediction[removed]
    ends = torch.cat([torch.stack([nodes, pairs[0, which]]), torch.stack([nodes, pairs[1, which]])], dim=1)
    inputs, n, found = model.node_inputs(x, adj), adj.shape[0], []
    for block in torch.arange(pairs.size(1)).split(max(1, _NODES // n)):
        graphs = _copies_without(adj, ends, which.repeat(2), block)
        found.append(model(stacked(inputs, block.numel()), graphs, pairs[:, block] + (block - block[0]) * n).double())
    return torch.cat(found)


def _copies_without(graph: CSR, ends: Tensor, which: Tensor, block: Tensor) -> CSR:
    """The graph once per prediction of a block, each without its own edges, both directions.

    Args:
        graph: An undirected graph.
        ends: The edges that are removed [2, R].
        which: The prediction that each belongs to [R].
        block: Consecutive predictions.
    """
    kept = torch.ones(block.numel(), graph.nnz, dtype=torch.bool)
    inside = (which >= block[0]) & (which <= block[-1])
    for one_way in (ends[:, inside], ends[:, inside].flip(0)):
        kept[which[inside] - block[0], graph.positions(one_way)] = False
    return copies(graph, kept)


def page(record: dict[str, Any]) -> str:
    """The page of a record."""
    lines = [
        "# What a score loses without its reasons",
        "",
        f"Written by `{record['command']}` from `removal.json`; not edited by hand.",
        "",
        "The mean loss of the score when the strongest reasons of a prediction are removed and the model scores it again, and "
        "when as many random ones of the same prediction are (mean over the draws), with 95 % intervals (bootstrap over "
        "predictions).",
        "",
        "- Recommendations: the best new item of a user; items of the user are removed. Models in closed form score the "
        "shorter row of the user as they are fitted; LightGCN propagates its embeddings again on the graph without the "
        "interactions.",
        "- Links: pairs without an edge and with at least two common neighbors; the edges of a common neighbor to both nodes "
        "are removed, and the whole model runs again.",
        "",
        "| case | predictions | removed | mean score | loss, strongest | loss, random | difference | more than random |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in record["cases"]:
        losses = [f"{one[key][0]:.4g}" for key in ("strongest", "random")]
        mean, low, high = one["difference"]
        lines.append(
            f"| {one['case']} | {one['predictions']} | {one['removed']} | {one['mean_score']:.4g} | {' | '.join(losses)} | "
            f"{mean:.4g} ({low:.4g} to {high:.4g}) | {100 * one['more_than_random']:.1f} % |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
