"""The certified margin of Classification-by-Components beside an attack and noise: `python -m benchmarks.robustness`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphkit.errors import GraphkitError
from graphkit.models.image.cbc import CBC
from graphkit.run import run
from graphkit.serving.opened import open_seed
from graphkit.tasks.experiment import stored_request
from graphkit.training.environment import environment
from graphkit.training.files import write_atomic

_RESULTS = Path(__file__).parent / "results" / "robustness"
_DRAWS, _STEPS, _RESTARTS = 10, 40, 2

SETTINGS: dict[str, dict[str, Any]] = {
    "pixels": {"encoder": "pixels", "per_class": 10, "robust": 0.5},
    "cnn": {"encoder": "cnn", "per_class": 10, "hidden_channels": 64},
}
"""Settings of the model by its encoder; the robust loss is in the unit of standardized pixels."""
TRAIN = {"lr": 0.002, "head_lr": 0.02, "batch_size": 32, "eval_every": 5}
RADII = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
"""L2 norms of changes of the pixels, which lie in [0, 1]."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 a certificate was broken, 2 the request is wrong.
    """
    asked = _parser().parse_args(argv)
    try:
        return _answer(asked)
    except GraphkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.robustness",
        description="Train Classification-by-Components, and tell how many test images stay right under changes of a given L2 "
        "norm: certified, under an attack by projected gradients, and under random noise. No attack may break a certificate.",
        allow_abbrev=False,
    )
    parser.add_argument("--dataset", default="digits", help="data set of task=image (default %(default)s)")
    parser.add_argument("--encoders", nargs="+", default=list(SETTINGS), choices=SETTINGS, help="default: both")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=60, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--images", type=int, default=300, metavar="N", help="test images, the first ones (default %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help="write results and page to results/robustness/")
    parser.add_argument("--out", default=_RESULTS, type=Path, metavar="FOLDER", help="another folder")
    return parser


def _answer(asked: argparse.Namespace) -> int:
    held = True
    for encoder in asked.encoders:
        begun = time.perf_counter()
        rows = measured(asked, encoder)
        held &= all(row["broken"] == 0 for row in rows)
        settings = {key: getattr(asked, key) for key in ("dataset", "seeds", "epochs", "images")}
        record = {"encoder": encoder, "model": SETTINGS[encoder], "train": TRAIN, **settings, "rows": rows}
        record |= {"seconds": round(time.perf_counter() - begun, 1), "environment": environment(torch.device("cpu"), "32-true")}
        print(_table(record))
        if asked.write:
            asked.out.mkdir(parents=True, exist_ok=True)
            write_atomic(asked.out / f"{asked.dataset}-{encoder}.json", (json.dumps(record, indent=1) + "\n").encode())
            write_atomic(asked.out / "README.md", page(asked.out).encode())
    if not held:
        print("error: an attack broke a certificate", file=sys.stderr)
    return 0 if held else 1


def measured(asked: argparse.Namespace, encoder: str) -> list[dict[str, float]]:
    """A row per radius: shares in percent, means over seeds, and how many certificates were broken."""
    model = {"name": "cbc", **SETTINGS[encoder]}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        train = {**TRAIN, "epochs": asked.epochs}
        done = run("image", asked.dataset, model=model, train=train, seeds=asked.seeds, out=folder, device="cpu")
        request = stored_request(done.folder, "run")
        for seed in done.seeds:
            opened = open_seed(done.folder, request, seed, "cpu")
            chosen = opened.dataset.splits["test"][: asked.images]
            images, labels = opened.dataset.pixels[chosen], opened.dataset.y[chosen]
            with opened.evaluating():
                found.append(of_model(opened.model, images, labels, torch.Generator().manual_seed(seed)))
    return [
        {key: sum(rows[place][key] for rows in found) / (1 if key == "broken" else len(found)) for key in found[0][place]}
        for place in range(len(RADII))
    ]


def of_model(model: CBC, images: Tensor, labels: Tensor, generator: torch.Generator) -> list[dict[str, float]]:
    """A row per radius for one model, in evaluation mode."""
    model.requires_grad_(False)
    certified = model.certified(images, labels)
    rows = []
    for radius in RADII:
        attacked = _right(model, attack(model, images, labels, radius, generator), labels)
        noisy = torch.stack([_right(model, images + radius * _unit(_normal(images, generator)), labels) for _ in range(_DRAWS)])
        sure = certified > radius
        shares = {"certified": sure, "attack": attacked, "noise": noisy.double().mean(dim=0)}
        row = {key: 100 * float(value.double().mean()) for key, value in shares.items()}
        rows.append({"radius": radius, **row, "broken": float((sure & ~(attacked & noisy.all(dim=0))).sum())})
    return rows


def attack(model: CBC, images: Tensor, labels: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """Projected gradient ascent of the largest wrong score over the right one, within an L2 ball; the best of some starts.

    Args:
        model: The model.
        images: Images [B, C, H, W]; changed ones may leave [0, 1].
        labels: Right classes.
        radius: Of the ball.
        generator: Draws the starts.

    Source: Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018.
    """
    worst, lead = images.clone(), torch.full((len(images),), -torch.inf)
    for start in range(_RESTARTS):
        step = radius * _unit(_normal(images, generator)) if start else torch.zeros_like(images)
        for _ in range(_STEPS):
            with torch.enable_grad():
                step.requires_grad_()
                (gradient,) = torch.autograd.grad(_lead(model, images + step, labels).sum(), step)
            step = step.detach() + 2.5 * radius / _STEPS * _unit(gradient)
            size = step.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            step = torch.where(size > radius, step * radius / size.clamp(min=1e-12), step)
        found = _lead(model, images + step, labels)
        better = found > lead
        worst[better], lead[better] = (images + step)[better], found[better]
    return worst


def _lead(model: CBC, images: Tensor, labels: Tensor) -> Tensor:
    """By how much the largest wrong score exceeds the right one."""
    scores = model(images)
    right = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    return scores.scatter(1, labels.unsqueeze(1), -torch.inf).max(dim=1).values - right


def _right(model: CBC, images: Tensor, labels: Tensor) -> Tensor:
    return model(images).argmax(dim=1) == labels


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator)


def _unit(change: Tensor) -> Tensor:
    return change / change.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)


def _table(record: dict[str, Any]) -> str:
    lines = [
        f"### {record['dataset']}, encoder={record['encoder']}, {record['seeds']} seeds, {record['images']} test images",
        "",
        "| L2 norm of the change | certified, % | right under attack, % | right under noise, % | broken certificates |",
        "|---:|---:|---:|---:|---:|",
    ]
    keys = ("certified", "attack", "noise")
    lines += [
        f"| {row['radius']:g} | {' | '.join(f'{row[key]:.1f}' for key in keys)} | {row['broken']:g} |" for row in record["rows"]
    ]
    return "\n".join(lines) + "\n"


def page(folder: Path) -> str:
    """The page of all records of a folder."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    head = [
        "# Certified margins of Classification-by-Components",
        "",
        "Written by `python -m benchmarks.robustness` from the JSON files beside this page; not edited by hand.",
        "",
        "Pixels lie in [0, 1]. Certified: test images whose margin, divided by the bound of the encoder's stretch, is larger",
        f"than the norm. Attack: {_STEPS} steps of projected gradients from {_RESTARTS} starts. Noise: random directions,",
        f"the mean of {_DRAWS} draws. The encoder `pixels` is the image itself; the bound of a CNN is the product of its",
        "layers' norms and far from tight.",
        "",
    ]
    return "\n".join([*head, *map(_table, records)])


if __name__ == "__main__":
    sys.exit(main())
