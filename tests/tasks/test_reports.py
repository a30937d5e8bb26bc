"""What tasks add to the page, against loops over data and predictions."""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from graphkit.conf.schema import GraphTask, Run
from graphkit.data import load
from graphkit.run import run
from graphkit.tasks import class_pictures, link_pictures, recommend_pictures, reports
from graphkit.tasks.baselines import Judged
from graphkit.tasks.report_parts import Arrays, Finished, TaskReport
from graphkit.training.result import RunResult, summarize
from tests.tasks.links import planted


def finished(metrics: dict[str, dict[str, float]], task: Any = None) -> Finished:
    result = RunResult(
        task="t", dataset="d", model="m", metric="x", metrics=summarize([metrics]), seeds=(0,), best_epochs=(1,),
        num_parameters=1, paper=None, seconds=1.0, epoch_seconds=1.0, steps_per_second=1.0, peak_memory_mb=0.0, folder=Path(),
    )  # fmt: skip
    return Finished(Run(**({} if task is None else {"task": task})), result)


def titles(report: TaskReport) -> list[str]:
    return re.findall(r"<figure class='chart'><figcaption>([^<]+)", "".join(section.html for section in report.sections))


def notes(text: str) -> list[str]:
    """What the marks of charts say when they are pointed at."""
    return re.findall(r"<title>([^<]+)</title>", text)


def chart_of(report: TaskReport, title: str) -> str:
    return next(part for part in "".join(s.html for s in report.sections).split("<figure") if f"<figcaption>{title}" in part)


def node_arrays(data: Any, seed: int = 0) -> Arrays:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(2), data.graph.num_nodes)
    splits = {f"{split}_nodes": nodes.numpy() for split, nodes in data.splits.items()}
    return {**splits, "probabilities": probabilities, "predicted": probabilities.argmax(axis=1)}


def test_accuracy_of_test_nodes_by_degree_and_homophily_equals_a_loop():
    data = load("karate", task="node")
    arrays = node_arrays(data)
    report = reports.node(data, arrays, finished({"valid": {"accuracy": 1.0}, "test": {"accuracy": 1.0}}))
    assert titles(report) == ["Confusion matrix", "Calibration", "Accuracy by degree", "Accuracy by homophily"]
    y, edges = data.graph.y.tolist(), data.graph.edge_index.t().tolist()
    near = {v: [w for u, w in edges if u == v] for v in data.splits["test"].tolist()}
    degrees = {v: len(others) for v, others in near.items()}
    alike = {v: sum(y[w] == y[v] for w in others) / len(others) for v, others in near.items()}
    for title, value, form in (("Accuracy by degree", degrees, "{:.0f}"), ("Accuracy by homophily", alike, "{:.2f}")):
        bars = [note for note in notes(chart_of(report, title)) if " % of " in note]
        assert len(bars) >= 2
        total = 0
        for note in bars:
            ends, right, count = re.fullmatch(r"([\d.]+(?:–[\d.]+)?): ([\d.]+) % of (\d+)", note).groups()
            low, high = (float(end) for end in (ends.split("–") * 2)[:2])
            members = [v for v in near if low <= float(form.format(value[v])) <= high]
            assert len(members) == int(count)
            assert float(right) == pytest.approx(
                100 * sum(arrays["predicted"][v] == y[v] for v in members) / len(members), abs=0.01
            )
            total += len(members)
        assert total == len(near)
    share = max(sum(y[v] == c for v in data.splits["train"].tolist()) for c in (0, 1))
    majority = next(c for c in (0, 1) if sum(y[v] == c for v in data.splits["train"].tolist()) == share)
    right = 100 * sum(y[v] == majority for v in near) / len(near)
    assert report.baseline.value("test", "accuracy") == pytest.approx(right)
    assert f"majority class {right:.2f}" in chart_of(report, "Accuracy by degree")
    assert report.samples == {"node": str(data.splits["test"][0].item())}


def test_a_graph_without_edges_has_no_groups():
    data = load("karate", task="node")
    lonely = replace(data, graph=replace(data.graph, edge_index=torch.empty(2, 0, dtype=torch.int64)))
    report = reports.node(lonely, node_arrays(data), finished({"test": {"accuracy": 1.0}}))
    assert titles(report) == ["Confusion matrix", "Calibration"]


@pytest.mark.parametrize("count", [3, 20])
def test_the_confusion_matrix_equals_a_loop(count: int):
    rng = np.random.default_rng(count)
    y, probabilities = rng.integers(count, size=400) ** 2 % count, rng.dirichlet(np.ones(count), 400)
    predicted = probabilities.argmax(axis=1)
    expected = [[0] * count for _ in range(count)]
    for true, said in zip(y.tolist(), predicted.tolist(), strict=True):
        expected[true][said] += 1
    assert class_pictures.confusion(y, predicted, count).tolist() == expected
    (section,) = class_pictures.sections("nodes", probabilities, y, ())
    ElementTree.fromstring(f"<a>{section.html}</a>")
    cells = [int(cell) for cell in re.findall(r"class='cell'[^>]*>(\d+)<", section.html)]
    assert sum(cells) == 400
    if count > 12:
        assert "The 11 largest of 20 classes" in section.html and "others" in section.html
        pairs = sorted((expected[i][j] for i in range(count) for j in range(count) if i != j), reverse=True)
        rows = re.findall(r'<td>class (\d+)</td><td>class (\d+)</td><td class="number">(\d+)</td>', section.html)
        assert [int(times) for *_, times in rows] == pairs[:6]
        assert all(expected[int(i)][int(j)] == int(times) for i, j, times in rows)


def test_the_worst_pairs_and_hits_of_a_link_run_equal_a_loop():
    data = planted()
    test = data.splits["test"]
    rng = np.random.default_rng(0)
    arrays = {
        "test_positive_pairs": test.positive.numpy(), "test_negative_pairs": test.negative.numpy(),
        "test_positive_scores": rng.normal(1, 1, 20), "test_negative_scores": rng.normal(0, 1, 60),
    }  # fmt: skip
    names = tuple(f"<{chr(97 + node % 26)}{node}>" for node in range(41))
    report = reports.link(replace(data, node_names=names), arrays, finished({"valid": {"mrr": 1.0}, "test": {"mrr": 1.0}}))
    assert titles(report) == ["Scores of test pairs", "Hits against K"]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in report.sections[1].html.split("<tr>")]
    rows = [row for row in rows if row]
    positive, negative = arrays["test_positive_scores"].tolist(), arrays["test_negative_scores"].tolist()
    top = sorted(range(60), key=lambda place: -negative[place])[:6]
    low = sorted(range(20), key=lambda place: positive[place])[:6]
    assert [float(row[2]) for row in rows] == [
        float(f"{s:.4g}") for s in [negative[p] for p in top] + [positive[p] for p in low]
    ]
    first = [names[node].replace("<", "&lt;").replace(">", "&gt;") for node in test.negative[:, top[0]].tolist()]
    assert rows[0][:2] == first
    assert rows[0][3] == f"{sum(s < negative[top[0]] for s in positive) / 20:.1%}"
    assert rows[6][3] == f"{sum(s > positive[low[0]] for s in negative) / 60:.1%}"
    hits = {
        k: 100 * sum(s > sorted(negative, reverse=True)[k - 1] for s in positive) / 20 for k in link_pictures.KS if 2 * k <= 60
    }
    said = [note for note in notes(chart_of(report, "Hits against K")) if note.startswith("model, ")]
    assert said == [f"model, hits@{k}: {value:.2f}" for k, value in hits.items()]
    assert report.baseline.name == "common neighbors" and set(report.baseline.metrics) == {"valid", "test"}
    best = test.positive[:, int(np.argmax(positive))].tolist()
    assert report.samples == {"pair": ",".join(names[node] for node in best), "node": names[best[0]]}


def test_own_negatives_that_are_listed_twice_are_named_once():
    pairs = np.array([[1, 2, 1, 5], [2, 1, 3, 6]])
    assert link_pictures._first_pairs(pairs, np.array([0, 1, 2, 3])).tolist() == [0, 2, 3]


def test_recall_of_a_recommend_run_equals_a_loop():
    data = load("planted-interactions", task="recommend")
    rng = np.random.default_rng(0)
    users = data.splits["test"][0].unique()
    seen = torch.cat([data.splits["train"], data.splits["valid"]], dim=1)
    lists = []
    for user in users.tolist():
        held = data.splits["test"][1][data.splits["test"][0] == user].tolist()
        known = set(seen[1][seen[0] == user].tolist())
        free = [item for item in rng.permutation(data.num_items).tolist() if item not in known and item not in held]
        lists.append((held[: user % 3] + free)[:20])
    items = torch.tensor(lists)
    arrays = {"test_users": users.numpy(), "test_items": items.numpy()}  # task.protocol=lightgcn leaves no lists of validation
    report = reports.recommend(data, arrays, finished({"valid": {"recall@20": 1.0}, "test": {"recall@20": 1.0}}))
    assert titles(report) == ["Recall against K", "Recall@20 by activity", "Found in lists of 20 by popularity"]
    wanted = [set(data.splits["test"][1][data.splits["test"][0] == user].tolist()) for user in users.tolist()]
    recall = [100 * len(set(row) & held) / len(held) for row, held in zip(lists, wanted, strict=True)]
    activity = [int((seen[0] == user).sum()) for user in users.tolist()]
    bars = [note for note in notes(chart_of(report, "Recall@20 by activity")) if note.startswith("model: ")]
    groups = re.findall(r"<title>(\d+(?:–\d+)?), (\d+)</title>", chart_of(report, "Recall@20 by activity"))
    assert len(bars) == len(groups) >= 2
    for note, (ends, count) in zip(bars, groups, strict=True):
        low, high = (int(end) for end in (ends.split("–") * 2)[:2])
        members = [share for share, known in zip(recall, activity, strict=True) if low <= known <= high]
        assert note == f"model: {sum(members) / len(members):.2f} % of {len(members):,}" and len(members) == int(count)
    judged = Judged.of(data, "test", users, ("train", "valid"))
    popularity, found = recommend_pictures.by_item(judged, {"model": items})
    pairs = [(user, item) for place, user in enumerate(users.tolist()) for item in sorted(wanted[place])]
    place = {user: number for number, user in enumerate(users.tolist())}
    assert found["model"].tolist() == [100.0 * (item in lists[place[user]]) for user, item in pairs]
    assert popularity.tolist() == [int((seen[1] == item).sum()) for _, item in pairs]
    assert report.baseline.value("valid", "recall@20") == report.baseline.value("test", "recall@20") is not None
    covered = len({item for row in lists for item in row})
    assert f"Model: {covered:,} ({covered / data.num_items:.1%})" in report.sections[0].html
    best, worst = max(recall), min(recall)
    heads = re.findall(r"<h3>user (\d+): (\d+) of (\d+) found</h3>", report.sections[1].html)
    assert [100 * int(hit) / int(total) for _, hit, total in heads][:: len(heads) - 1] == [
        pytest.approx(best),
        pytest.approx(worst),
    ]


def test_predicted_against_true_of_one_target():
    data = load("planted-graphs", task="graph")
    numbers = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    data = replace(data, kind="numbers", graphs=replace(data.graphs, y=numbers), target_names=("weight", "charge"))
    test, target, y = data.splits["test"], "charge", numbers[:, 1:].numpy()
    arrays = {f"{split}_graphs": part.numpy() for split, part in data.splits.items()}
    arrays |= {"scores": y + 1, "predicted": y + 1}
    task = GraphTask(target=target)
    report = reports.graph(data, arrays, finished({"test": {"mae": 1.0}}, task))
    assert titles(report) == [target]
    said = [note for note in notes(chart_of(report, target)) if ", predicted " in note]
    assert len(said) == len(test) and said[0] == f"graph {test[0]}: {y[test[0], 0]:.4g}, predicted {y[test[0], 0] + 1:.4g}"
    mean = float(y[data.splits["train"].numpy()].astype(np.float64).mean())
    assert report.baseline.value("test", "mae") == pytest.approx(float(np.abs(y[test.numpy()] - mean).mean()), rel=1e-4)


TINY = {
    "node": ["dataset=karate", "model=prototype"],
    "link": ["dataset=karate", "model=gae"],
    "graph": ["dataset=planted-graphs", "model=deepsets", "seeds=2"],
    "image": ["dataset=planted-patches", "model=cnn"],
    "recommend": ["dataset=planted-interactions", "model=bpr-mf"],
}


@pytest.mark.parametrize("task", TINY)
def test_the_page_of_a_run_has_all_parts(task: str, tmp_path: Path):
    asked = [f"task={task}", *TINY[task], "train.epochs=2", "recipe=none", f"out={tmp_path / 'run s'}", "device=cpu"]
    found = run(overrides=asked)
    text = (found.folder / "report.html").read_text(encoding="utf-8")
    assert "lacks the pictures" not in text and len(text) < 1_000_000
    charts = re.findall(r"<figure class='chart'>.*?</figure>", text, re.S)
    assert len(charts) >= 2 + (task != "recommend")
    for one in charts:
        ElementTree.fromstring(one)
    assert text.count('<tr class="baseline">') == sum(map(len, found.metrics.values()))
    commands = [html.unescape(one) for one in re.findall(r"<pre>(.*?)</pre>", text)]
    doors = [shlex.split(command)[2] for command in commands]
    predicts = ["graphkit.predict"] if task in ("link", "recommend") else []
    goes_on = [] if TINY[task][1] == "model=prototype" else ["graphkit.run"]
    assert doors == ["graphkit.run", "graphkit.explain", *predicts, *goes_on]
    assert set(asked) - {"recipe=none"} <= {*shlex.split(commands[0]), "device=cpu"}
    assert shlex.split(commands[1])[3] == f"run={found.folder}"
