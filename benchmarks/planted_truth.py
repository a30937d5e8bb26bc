"""Explanations beside what is known to be true: `python -m benchmarks.planted_truth --write`.

Networks are trained on graphs whose classes rest on known edges. Our attribution, PyG's GNNExplainer and random scores then say
which edges matter for the same predictions, and are judged by the known ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import torch
from torch import Tensor

from benchmarks.edge_scorers import Scorer, gnn_explainer, ours, prototype_parts, shuffled_prototypes
from graphkit.conf.arguments import split
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.data.dataset import NodeData
from graphkit.errors import GraphkitError
from graphkit.explain.masked import Masked, MaskedGraph, MaskedNode
from graphkit.explain.neighborhood import steps_to
from graphkit.metrics.fidelity import confidence_interval, fidelity, group_means, top_edges
from graphkit.metrics.pairs import roc_auc
from graphkit.serving.opened import Opened, open_seed
from graphkit.sparse import GraphBatch
from graphkit.tasks.execute import execute
from graphkit.tasks.experiment import stored_request
from graphkit.training.environment import environment
from graphkit.training.files import write_atomic

_RESULTS = Path(__file__).parent / "results" / "fidelity"

_SHUFFLES = 5
"""Random exchanges of prototypes that are averaged: of few prototypes many are left in their class by a single one."""


@dataclass(frozen=True)
class Planted:
    """A data set with known edges, and the network that is trained on it.

    Attributes:
        settings: Of the run, beside the model.
        backbone: The model's name.
        network: Settings of the network, alike with a plain head and with prototypes.
        hops: Rounds of message passing.
        prototypes: Settings of prototypes, chosen by the accuracy on validation.
    """

    settings: str
    backbone: str
    network: str
    hops: int
    prototypes: str = ""


_NODES = "task=node train.lr=0.01"
SETS = {
    "ba-shapes": Planted(
        f"{_NODES} dataset=ba-shapes train.epochs=1000",
        "gcn",
        "model.num_layers=3 model.hidden_channels=32 model.dropout=0 model.linear_head=true",
        3,
    ),
    "tree-cycles": Planted(
        f"{_NODES} dataset=tree-cycles train.epochs=600",
        "gcn",
        "model.num_layers=5 model.hidden_channels=32 model.dropout=0 model.norm=batch model.linear_head=true",
        5,
    ),
    "mutagenicity-truth": Planted(
        "task=graph dataset=mutagenicity-truth train.epochs=30 train.lr=0.005",
        "gin",
        "model.num_layers=3 model.hidden_channels=32",
        3,
        "model.parts=graph",
    ),
}


@dataclass(frozen=True)
class Case:
    """A prediction that is explained.

    Attributes:
        masked: It.
        label: Its class.
        near: Edges that can matter for it [E], bool.
        truth: Edges that it should rest on [E], bool.
    """

    masked: Masked
    label: int
    near: Tensor
    truth: Tensor


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 ours are not better everywhere, 2 the request is wrong.
    """
    asked = _parser().parse_args(argv)
    try:
        records = [measured(name, asked) for name in asked.datasets]
    except GraphkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    record = {
        "command": f"python -m benchmarks.planted_truth --samples {asked.samples} --seed {asked.seed}",
        "environment": environment(torch.device("cpu"), "32-true"),
        "sets": records,
    }
    print(page(record))
    if asked.write:
        asked.out.mkdir(parents=True, exist_ok=True)
        write_atomic(asked.out / "planted-truth.json", (json.dumps(record, indent=1) + "\n").encode())
        write_atomic(asked.out / "planted-truth.md", page(record).encode())
    return 0 if all(verdict for one in records for verdict in one["verdicts"].values()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.planted_truth",
        description="Train networks on graphs with known edges and compare explanations with these.",
        allow_abbrev=False,
    )
    parser.add_argument("--datasets", nargs="+", default=list(SETS), choices=list(SETS), metavar="NAME", help="default all")
    parser.add_argument("--samples", type=int, default=30, metavar="N", help="predictions per data set (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of training, samples and draws (default %(default)s)")
    parser.add_argument("--epochs", type=int, metavar="N", help="train.epochs instead of the set's own")
    parser.add_argument("--gnn-explainer-epochs", type=int, default=100, metavar="N", help="(default %(default)s, PyG's)")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", help="keep the runs there (default: none is kept)")
    parser.add_argument("--write", action="store_true", help="write JSON and page to results/fidelity/")
    parser.add_argument("--out", default=_RESULTS, type=Path, metavar="FOLDER", help="another folder")
    return parser


def measured(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Train both networks of a set and judge explanations of their predictions."""
    planted, begun = SETS[name], time.perf_counter()
    rows: list[dict[str, Any]] = []
    verdicts: dict[str, bool] = {}
    for model in (planted.backbone, "prototype"):
        with tempfile.TemporaryDirectory() as folder:
            opened = _trained(planted, model, asked, asked.runs or Path(folder))
            accuracy = _accuracy(opened)
            with opened.evaluating():
                cases = chosen_cases(opened, planted.hops, asked.samples, asked.seed)
                scorers = _scorers(opened, planted.hops, asked)
                found = {label: averaged([judged(cases, one) for one in some]) for label, some in scorers.items()}
        facts = {"model": model, "accuracy": accuracy}
        rows += [{**facts, "explanation": label, **summary(scores, asked.seed)} for label, scores in found.items()]
        verdicts |= _verdicts(model, found)
        print(f"{name}, {model}: accuracy {accuracy}, {len(cases)} predictions", file=sys.stderr)
    return {"dataset": name, "seconds": round(time.perf_counter() - begun, 1), "verdicts": verdicts, "rows": rows}


def _trained(planted: Planted, model: str, asked: argparse.Namespace, folder: Path) -> Opened:
    chosen = f"model={model}" + (f" model.backbone={planted.backbone} {planted.prototypes}" if model == "prototype" else "")
    epochs = [] if asked.epochs is None else [f"train.epochs={asked.epochs}"]
    said = [one for one in planted.settings.split() if not (epochs and one.startswith("train.epochs"))] + epochs
    words = [*said, *chosen.split(), *planted.network.split(), "seeds=1", f"seed={asked.seed}", f"out={folder}", "device=cpu"]
    result = execute(compose(check(split(words).assignments, DATASETS)), lambda *lines: None)
    return open_seed(result.folder, stored_request(result.folder), asked.seed, "cpu")


def _accuracy(opened: Opened) -> float:
    result = json.loads((opened.folder / "result.json").read_text(encoding="utf-8"))
    return round(float(result["metrics"]["test"]["accuracy"]["mean"]), 1)


def chosen_cases(opened: Opened, hops: int, count: int, seed: int) -> list[Case]:
    """Predictions that are right, rest on known edges and could rest on others; the same for all explanations."""
    random = torch.Generator().manual_seed(seed)
    found: list[Case] = []
    for case in (_node_cases if isinstance(opened.dataset, NodeData) else _graph_cases)(opened, hops, random):
        if bool(case.truth[case.near].any()) and not bool(case.truth[case.near].all()):
            found.append(case)
        if len(found) == count:
            break
    return found


def _node_cases(opened: Opened, hops: int, random: torch.Generator) -> Iterator[Case]:
    """Nodes of motifs; edges within reach of the network."""
    graph, model = cast(NodeData, opened.dataset).graph, opened.model
    view = opened.task.view(model)
    known = torch.zeros(view.adj.nnz, dtype=torch.bool)
    known[view.adj.positions(graph.edge_index)] = cast(Tensor, graph.edge_truth)
    labels = model(view.x, view.adj).argmax(dim=1)
    right = (labels == cast(Tensor, graph.y)) & torch.zeros(graph.num_nodes, dtype=torch.bool).index_fill(
        0, view.adj.row[known], True
    )
    for node in _shuffled(right, random):
        steps = steps_to(view.adj, node, hops)
        near = (steps[view.adj.row] >= 0) & (steps[view.adj.row] < hops)
        yield Case(MaskedNode(model=model, x=view.x, adj=view.adj, node=node), int(labels[node]), near, known)


def _graph_cases(opened: Opened, hops: int, random: torch.Generator) -> Iterator[Case]:
    """Mutagenic molecules with a nitro or an amine group."""
    graphs, model = opened.dataset.graphs, opened.model  # type: ignore[attr-defined]
    whole: GraphBatch = next(iter(opened.task.prepared(model)))
    known = torch.zeros(whole.adj.nnz, dtype=torch.bool)
    known[whole.adj.positions(graphs.edge_index)] = graphs.edge_truth
    labels = graphs.y
    held = torch.zeros(whole.num_graphs, dtype=torch.bool)
    held[whole.graph[whole.adj.row[known]]] = True
    for number in _shuffled(held & (labels == 0), random):
        graph = whole.take(torch.tensor([number]))
        if int(model(graph).argmax()) != 0:
            continue
        inside = whole.graph[whole.adj.row] == number
        edges = torch.ones(graph.adj.nnz, dtype=torch.bool)
        yield Case(MaskedGraph(model=model, graph=graph.with_index(None)), 0, edges, known[inside])


def _shuffled(allowed: Tensor, random: torch.Generator) -> list[int]:
    ids = allowed.nonzero().flatten()
    return cast(list[int], ids[torch.randperm(ids.numel(), generator=random)].tolist())


def _scorers(opened: Opened, hops: int, asked: argparse.Namespace) -> dict[str, list[Scorer]]:
    """Explanations by name; of several scorers the figures are averaged."""
    random = torch.Generator().manual_seed(asked.seed)
    found: dict[str, list[Scorer]] = {
        "ours, gradients": [ours("gradients")],
        "ours, occlusion": [ours("occlusion")],
        "GNNExplainer": [gnn_explainer(hops, asked.gnn_explainer_epochs, asked.seed)],
        "random": [lambda masked, label, near: torch.rand(near.numel(), generator=random)],
    }
    if opened.model_name == "prototype":
        shuffled = [shuffled_prototypes(opened.model, random) for _ in range(_SHUFFLES)]
        found["ours, prototype parts"] = [prototype_parts(opened.model)]
        found["ours, prototype parts, shuffled prototypes"] = [prototype_parts(model) for model in shuffled]
        found["ours, gradients, shuffled prototypes"] = [ours("gradients", model) for model in shuffled]
    return found


def judged(cases: list[Case], scorer: Scorer) -> list[dict[str, float]]:
    """Of every case the ROC-AUC of edges, both directions together, and Fid+ - Fid- of as many of them as are true."""
    found = []
    random = torch.Generator().manual_seed(0)
    for case in cases:
        groups = case.masked.groups
        means = group_means(scorer(case.masked, case.label, case.near).double(), groups)
        near, truth = torch.zeros_like(means, dtype=torch.bool), torch.zeros_like(means, dtype=torch.bool)
        near[groups[case.near]] = True
        truth[groups[case.truth]] = True
        scores = means.masked_fill(~near, -torch.inf)[groups]
        chosen = top_edges(scores, groups, int((truth & near).sum()))
        robust = fidelity(case.masked, chosen, groups, removed=0.1, kept=0.9, samples=10, label=case.label, generator=random)
        plain = fidelity(case.masked, chosen, groups, label=case.label)
        found.append(
            {
                "auc": roc_auc(means[near & truth], means[near & ~truth]),
                "delta": float(robust.delta),
                "plus": float(plain.plus),
                "minus": float(plain.minus),
            }
        )
    return found


def averaged(runs: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """The mean over several runs of every figure of every case."""
    return [{key: fmean(run[key] for run in case) for key in case[0]} for case in zip(*runs, strict=True)]


def summary(scores: list[dict[str, float]], seed: int) -> dict[str, Any]:
    """Mean and 95 % interval of every figure."""
    random = torch.Generator().manual_seed(seed)
    intervals = {
        key: confidence_interval(torch.tensor([one[key] for one in scores]), generator=random)
        for key in ("auc", "delta", "plus", "minus")
    }
    return {"predictions": len(scores), **{key: [round(number, 4) for number in one] for key, one in intervals.items()}}


def _verdicts(model: str, found: dict[str, list[dict[str, float]]]) -> dict[str, bool]:
    """Whether ours has the larger mean ROC-AUC: than others, and prototypes in their places than shuffled ones."""
    mean = {label: sum(one["auc"] for one in scores) / len(scores) for label, scores in found.items()}
    claims = [("ours, gradients", "GNNExplainer"), ("ours, gradients", "random")]
    if model == "prototype":
        claims.append(("ours, prototype parts", "ours, prototype parts, shuffled prototypes"))
    return {f"{model}: {better} above {worse}": mean[better] > mean[worse] for better, worse in claims}


def page(record: dict[str, Any]) -> str:
    """The page of a record."""
    lines = [
        "# Explanations beside known edges",
        "",
        f"Written by `{record['command']}` from `planted-truth.json`; not edited by hand.",
        "",
        "ROC-AUC of edges within reach of the explained node or graph, both directions of an edge together, against those that "
        "the class is known to rest on: the mean over predictions with its 95 % interval (bootstrap over predictions). Every "
        "explanation is asked about the same right predictions. The model's test accuracy stands behind its name.",
        "",
        "Gradients and occlusion rank edges by the size of their contribution to the log-probability of the class, prototype "
        "parts by the score that their two ends have for the class, each compared with the prototypes by itself. With shuffled "
        "prototypes (mean over five exchanges at random) that comparison is wrong; the encoder, which gradients pass, stays.",
        "",
        "Delta is Fid+ - Fid- with a1 = 0.1 and a2 = 0.9; Fid+ and Fid- are those without chance. All three are of the highest "
        "ranked edges, as many as are true, by the probability of the predicted class.",
        "",
        "| data set | model | explanation | edge ROC-AUC | Delta | Fid+ | Fid- |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for one in record["sets"]:
        for row in one["rows"]:
            figures = [f"{row[key][0]:.3f} ({row[key][1]:.3f} to {row[key][2]:.3f})" for key in ("auc", "delta")]
            plain = [f"{row[key][0]:.3f}" for key in ("plus", "minus")]
            model = f"{row['model']} ({row['accuracy']} %)"
            lines.append(f"| {one['dataset']} | {model} | {row['explanation']} | {' | '.join([*figures, *plain])} |")
    lines += ["", "| claim | |", "|---|---|"]
    lines += [
        f"| {one['dataset']}, {claim} | {'yes' if holds else 'NO'} |"
        for one in record["sets"]
        for claim, holds in one["verdicts"].items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
