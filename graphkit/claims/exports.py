"""A finished run as others want to read it: a model card, a line for OGB's leaderboards, a BibTeX entry. Needs no torch."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from graphkit.claims.content import without_paths
from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.entries import Paper
from graphkit.conf.setting import show
from graphkit.errors import CheckpointError, RequestError
from graphkit.metrics.registry import decimals, lower_is_better
from graphkit.tasks.experiment import read_record
from graphkit.training.artifacts import read_config, read_result
from graphkit.training.files import read_whole
from graphkit.training.report import plus_minus
from graphkit.training.result import RunResult

OGB_SEEDS = 10
_OGB = re.compile(r"ogb[nlg]-\w+")


def export_text(folder: Path, kind: str) -> str:
    """A text about a finished run.

    Args:
        folder: The run folder.
        kind: `model-card`, `ogb` or `bibtex`.

    Raises:
        RequestError: If the run has no such text.
        CheckpointError: If the run has not finished, or was changed.
    """
    config = read_config(folder, "run")
    result = read_result(folder, config)
    if result is None:
        raise CheckpointError(f"{folder} has no result: let the run finish, or continue it with resume={folder}")
    environment = json.loads(read_whole(folder / "result.json"))["environment"]
    if kind == "ogb":
        return ogb_line(result, config, environment)
    if kind == "bibtex":
        return bibtex(result, config)
    card = model_card(result, config, environment)
    record = read_record(folder)
    places = [place for source in record.files.values() for place in (source.typed, source.path)] if record else []
    return str(without_paths(card, [*places, str(folder.absolute()), str(Path.home())]))


def model_card(result: RunResult, config: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """Markdown with the public metadata of model cards at its head, of which `model-index` holds the results.

    Args:
        result: The result.
        config: The settings of the run.
        environment: Its environment.

    Source:
        https://github.com/huggingface/hub-docs/blob/main/modelcard.md (`model-index`; the types of task, data set and metric
        are graphkit's names).
    """
    name = f"{result.model}-{result.dataset}"
    results = [
        {
            "task": {"type": "graph-ml", "name": TASKS[result.task].summary},
            "dataset": {"type": result.dataset, "name": result.dataset, "split": split},
            "metrics": [_metric(metric, figure) for metric, figure in metrics.items()],
        }
        for split, metrics in result.metrics.items()
    ]
    head = {
        "library_name": "graphkit",
        "tags": ["graph-machine-learning", result.task, result.model],
        "metrics": list(next(iter(result.metrics.values()))),
        "model-index": [{"name": name, "results": results}],
    }
    papers = _papers(result, config)
    git = environment.get("git") or {}
    made = [
        f"- seeds: {', '.join(map(str, result.seeds))}; parameters: {result.num_parameters:,}",
        f"- selection: {result.selection or f'epoch by validation {result.metric}'}",
        f"- device: {environment.get('device')}; torch {environment.get('versions', {}).get('torch')}; "
        f"commit {git.get('commit', 'unknown')}",
        *(f"- paper: {paper.title}, {paper.venue}, {paper.url}".removesuffix(", ") for paper in papers.values()),
    ]
    notes = [f"- {note}" for note in result.notes]
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=120)}---",
        f"# {name}",
        f"{MODELS[result.task][result.model].summary}; {TASKS[result.task].summary} on {result.dataset}.",
        f"## Results\n\n{_table(result)}",
        f"Protocol: {result.protocol}",
        "## How it was made\n\n" + "\n".join(made),
        *(["## Notes\n\n" + "\n".join(notes)] if notes else []),
        "Figures in percent unless they are errors; ± is the unbiased standard deviation over seeds. Written by "
        "`python -m graphkit.claim export=model-card`; `python -m graphkit.verify claim=FILE` scores the run's claim again.",
    ]
    return "\n\n".join(parts) + "\n"


def _metric(name: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    digits = decimals(name)
    std = figure["std"]
    told = "" if std is None else f" ± {std:.{digits}f} over {len(figure['per_seed'])} seeds"
    direction = "lower is better" if lower_is_better(name) else "higher is better"
    return {"type": name, "name": f"{name}{told}, {direction}", "value": round(figure["mean"], digits)}


def _table(result: RunResult) -> str:
    names = next(iter(result.metrics.values()))
    rows = [
        f"| {name} | {' | '.join(plus_minus(part.get(name), decimals(name)) for part in result.metrics.values())} |"
        for name in names
    ]
    return "\n".join([f"| metric | {' | '.join(result.metrics)} |", "|" + "---|" * (1 + len(result.metrics)), *rows])


def ogb_line(result: RunResult, config: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """What OGB's leaderboards ask for, as CSV with a header; of contact, code and external data only the authors know.

    Values are fractions, as OGB's evaluators give them. OGB takes figures by a form and defines no file of predictions for
    these data sets.

    Args:
        result: The result.
        config: The settings of the run.
        environment: Its environment.

    Raises:
        RequestError: If the data set is none of OGB, or the run has fewer than ten seeds.

    Source:
        https://ogb.stanford.edu/docs/leader_overview (ten seeds, mean and unbiased standard deviation).
    """
    if not _OGB.fullmatch(result.dataset):
        raise RequestError(
            f"export=ogb: dataset={result.dataset} is none of OGB's, whose names begin with ogbl-, ogbn- or ogbg-"
        )
    if len(result.seeds) < OGB_SEEDS:
        raise RequestError(
            f"export=ogb: OGB asks for {OGB_SEEDS} seeds, the run has {len(result.seeds)}: run it with seeds={OGB_SEEDS}"
        )
    own = str(config["task"].get("metric", "auto"))
    metric = result.metric if own == "auto" else own
    figures = {split: result.metrics[split][metric] for split in ("test", "valid")}
    papers = _papers(result, config)
    row = {
        "OGB version": environment.get("versions", {}).get("ogb", ""),
        "Method": result.model,
        "External data": "",
        "Dataset": result.dataset,
        f"Test {metric}": _fraction(figures["test"]),
        f"Validation {metric}": _fraction(figures["valid"]),
        "Contact": "",
        "Code": "",
        "Paper": next((paper.url for paper in papers.values() if paper.url), ""),
        "#Params": str(result.num_parameters),
        "Hardware": str(environment.get("device", "")),
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def _fraction(figure: Mapping[str, Any]) -> str:
    return f"{figure['mean'] / 100:.4f} ± {figure['std'] / 100:.4f}"


def bibtex(result: RunResult, config: Mapping[str, Any]) -> str:
    """An entry for the paper of the method, and of its backbone where it has one; authors are not in the catalog.

    Args:
        result: The result.
        config: The settings of the run.

    Raises:
        RequestError: If the catalog has no paper of either.
    """
    papers = _papers(result, config)
    if not papers:
        raise RequestError(f"export=bibtex: the catalog has no paper of model={result.model}; see --list {result.model}")
    return "\n".join(_entry(name, paper) for name, paper in papers.items())


def _entry(name: str, paper: Paper) -> str:
    year = re.search(r"\b(19|20)\d\d\b", paper.venue)
    fields = {
        "title": f"{{{paper.title}}}",
        "howpublished": paper.venue,
        "year": year.group() if year else "",
        "url": paper.url,
    }
    lines = [f"  {key} = {{{_plain(value)}}}," for key, value in fields.items() if value]
    return "\n".join([f"@misc{{{name},", *lines, "}\n"])


def _plain(text: str) -> str:
    """Text without what TeX would read as a command."""
    return re.sub(r"([&%$#_])", r"\\\1", text) if not text.startswith("http") else text


def _papers(result: RunResult, config: Mapping[str, Any]) -> dict[str, Paper]:
    """The papers of the model and of its backbone, by name."""
    names = [result.model, config["model"].get("backbone")]
    entries = {name: MODELS[result.task].get(show(name)) for name in names if name}
    return {str(name): entry.paper for name, entry in entries.items() if entry and entry.paper}
