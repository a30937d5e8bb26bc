"""Train networks to count small patterns, and keep their curves: `python -m benchmarks.counting --patterns 5-cycle`."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphkit.conf.expressiveness import MODELS
from graphkit.data.generated.counting import CYCLES, NUM_GRAPHS, PATTERNS, CountingSet, counting_set
from graphkit.errors import GraphkitError, RequestError
from graphkit.separation.networks import NETWORKS, Network
from graphkit.sparse.egonets import Bags
from graphkit.training.environment import environment
from graphkit.training.files import write_atomic

_RESULTS = Path(__file__).parent / "results" / "counting"
_EVALUATED = 500  # graphs at a time


class Counter(nn.Module):
    """An embedding and a perceptron: one number per graph, or per node.

    Args:
        network: What to build.
        width: Channels.
        num_layers: Layers.
        level: `graph` or `node`.
    """

    def __init__(self, network: Network, width: int, num_layers: int, level: str) -> None:
        super().__init__()
        self.embedding = network.embedding(width, num_layers, trained=True)
        self.level = level
        self.head = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, 1))

    def forward(self, bags: Bags) -> Tensor:
        """Normalized counts [G] or [N]."""
        embedded = self.embedding(bags) if self.level == "graph" else self.embedding.rows(bags)
        out: Tensor = self.head(embedded).squeeze(1)
        return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 2 the request is wrong.
    """
    asked = _parser().parse_args(argv)
    try:
        return _answer(asked)
    except GraphkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.counting",
        description="Train networks to count patterns in random graphs. The error is mean absolute, in standard deviations "
        "of the counts per graph; that of the test graphs is taken at the epoch of the least validation error.",
        allow_abbrev=False,
    )
    parser.add_argument("--patterns", nargs="+", default=list(PATTERNS), choices=PATTERNS, metavar="PATTERN",
                        help=f"of {', '.join(PATTERNS)} (default all)")  # fmt: skip
    parser.add_argument("--models", nargs="+", default=["gin", "swl", "sswl+"], choices=MODELS, metavar="MODEL",
                        help="networks (default %(default)s)")  # fmt: skip
    parser.add_argument("--level", default="graph", choices=("graph", "node"), help="what is counted (default %(default)s)")
    parser.add_argument("--graphs", type=int, default=NUM_GRAPHS, metavar="N", help="graphs (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, metavar="N", help="epochs (default %(default)s)")
    parser.add_argument("--width", type=int, default=32, metavar="C", help="channels (default %(default)s)")
    parser.add_argument("--layers", type=int, default=6, metavar="L", help="layers (default %(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate of Adam, cosine decay (default %(default)s)")
    parser.add_argument("--batch", type=int, default=64, metavar="B", help="graphs per step (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of graphs, weights and batches (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=180.0, metavar="M",
                        help="no training begins after so many (default %(default)s)")  # fmt: skip
    parser.add_argument("--again", action="store_true", help="train again what is written")
    parser.add_argument("--write", action="store_true", help="write curves and page to results/counting/")
    parser.add_argument("--out", default=_RESULTS, type=Path, metavar="FOLDER", help="another folder")
    return parser


def _answer(asked: argparse.Namespace) -> int:
    if asked.level == "node" and not set(asked.patterns) <= set(CYCLES):
        raise RequestError(f"--level node: give --patterns of {', '.join(CYCLES)}")
    rootless = [name for name in asked.models if asked.level == "node" and NETWORKS[name].ceiling.policy in ("plain", "path")]
    if rootless:
        raise RequestError(f"--level node: {', '.join(rootless)} have no bag per node: leave them out of --models")
    begun = time.perf_counter()
    for pattern in asked.patterns:
        data = None
        for name in asked.models:
            path = asked.out / f"{asked.level}-{pattern}-{name}.json"
            if path.exists() and not asked.again:
                continue
            if time.perf_counter() - begun > 60 * asked.minutes:
                print(f"{asked.minutes:g} minutes are over; the same command goes on", file=sys.stderr)
                return 0
            data = data or counting_set(pattern, level=asked.level, num_graphs=asked.graphs, seed=asked.seed)
            record = train(data, name, asked)
            print(f"{pattern}, {name}: test error {record['test']:.4f} after {record['seconds']:.0f} s", file=sys.stderr)
            if asked.write:
                asked.out.mkdir(parents=True, exist_ok=True)
                write_atomic(path, (json.dumps(record, indent=1) + "\n").encode())
                write_atomic(asked.out / "README.md", page(asked.out).encode())
    return 0


def train(data: CountingSet, name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Train a network and give its curve, and the test error at the epoch that validation selects."""
    begun = time.perf_counter()
    network = NETWORKS[name]
    torch.manual_seed(asked.seed)
    model = Counter(network, asked.width, asked.layers, data.level)
    optimizer = torch.optim.Adam(model.parameters(), lr=asked.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, asked.epochs)
    curve: list[dict[str, float]] = []
    for _ in range(asked.epochs):
        order = data.splits["train"][torch.randperm(data.splits["train"].numel())]
        model.train()
        total = 0.0
        for bags, y in batches(data, network, order, asked.batch):
            optimizer.zero_grad()
            loss = nn.functional.l1_loss(model(bags), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * y.numel()
        schedule.step()
        errors = {split: _error(model, data, network, data.splits[split]) for split in ("valid", "test")}
        curve.append({"train": total / _targets(data, order).numel(), **errors})
    best = min(range(len(curve)), key=lambda epoch: curve[epoch]["valid"])
    settings = {key: getattr(asked, key) for key in ("graphs", "epochs", "width", "layers", "lr", "batch", "seed")}
    facts = {"model": name, "level": data.level, "parameters": sum(one.numel() for one in model.parameters()), **settings}
    found = {"epoch": best, **curve[best], "seconds": round(time.perf_counter() - begun, 1)}
    return facts | found | {"curve": curve, "environment": environment(torch.device("cpu"), "32-true")}


def _error(model: Counter, data: CountingSet, network: Network, graphs: Tensor) -> float:
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for bags, y in batches(data, network, graphs, _EVALUATED):
            total += float((model(bags) - y).abs().sum())
            count += y.numel()
    return total / max(count, 1)


def batches(data: CountingSet, network: Network, graphs: Tensor, size: int) -> Iterator[tuple[Bags, Tensor]]:
    """Bags and targets of graphs, some at a time."""
    for part in graphs.split(size):
        sizes = data.ptr.diff()[part]
        ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        nodes = _nodes(data, part)
        place = torch.full((int(data.ptr[-1]),), -1).scatter(0, nodes, torch.arange(nodes.numel()))
        edges = place[data.edge_index]
        yield network.ceiling.bags(edges[:, edges[0] >= 0], ptr), _targets(data, part)


def _targets(data: CountingSet, graphs: Tensor) -> Tensor:
    return data.y[graphs] if data.level == "graph" else data.y[_nodes(data, graphs)]


def _nodes(data: CountingSet, graphs: Tensor) -> Tensor:
    """The nodes of some graphs, graph by graph."""
    sizes = data.ptr.diff()[graphs]
    start = data.ptr[graphs] - (sizes.cumsum(0) - sizes)
    return torch.arange(int(sizes.sum())) + start.repeat_interleave(sizes)


def page(folder: Path) -> str:
    """The page of all records of a folder."""
    records = [json.loads(path.read_text(encoding="utf-8")) | {"stem": path.stem} for path in sorted(folder.glob("*.json"))]
    lines = [
        "# Counting small patterns",
        "",
        "Written by `python -m benchmarks.counting` from the JSON files beside this page; not edited by hand.",
        "",
        "Mean absolute error of the test graphs over the standard deviation of the counts per graph, at the epoch of the least",
        "validation error. The curves are in the files.",
        "",
        "| level, pattern, network | error | epoch | graphs | layers x width | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for one in records:
        size = f"{one['layers']} x {one['width']}"
        error = "-" if math.isnan(one["test"]) else f"{one['test']:.4f}"
        lines.append(f"| {one['stem']} | {error} | {one['epoch']} | {one['graphs']} | {size} | {one['seconds']:g} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
