"""Own graphs and catalogs from tiny to small: what selects the epoch can tell two models apart, or the run is refused."""

import json

import pytest
import torch

from graphkit.conf.models.link import AdamicAdarModel
from graphkit.conf.models.recommend import MostPopModel
from graphkit.conf.schema import LinkTask, RecommendTask, Train
from graphkit.data import load
from graphkit.errors import DataError, RequestError
from graphkit.metrics.pairs import link_metric
from graphkit.metrics.ranking import ranking_metrics
from graphkit.run import main, run
from graphkit.tasks.build import model_maker
from graphkit.tasks.link import LinkPrediction
from graphkit.tasks.ranking import rank_items
from graphkit.tasks.recommend import Recommendation
from tests.data.splits.test_edges import generator
from tests.metrics.rankings import matrix

SIZES = (*range(5, 60), *range(60, 500, 23), 500)
CPU = torch.device("cpu")


def write(path, header, pairs):
    path.write_text("\n".join([header, *(f"{a},{b}" for a, b in pairs)]) + "\n")
    return path


def graph_of(num_edges, path):
    """A random graph of so many edges, and of as many nodes or a third of them."""
    num_nodes = max(5, num_edges // (1 + num_edges % 3))
    pairs = torch.combinations(torch.arange(num_nodes))
    chosen = pairs[torch.randperm(len(pairs), generator=generator(num_edges))[:num_edges]]
    return write(path, "source,target", chosen.tolist())


@pytest.mark.parametrize("num_edges", SIZES)
def test_own_graphs(num_edges, tmp_path):
    path = graph_of(num_edges, tmp_path / "edges.csv")
    try:
        dataset = load("custom", task="link", edges=path)
    except DataError as error:
        assert num_edges < 10 and "too small to hold out" in str(error) or "no negatives for validation and test" in str(error)
        return
    sizes = {name: (part.positive.size(1), part.negative.size(1)) for name, part in dataset.splits.items() if name != "train"}
    assert sizes["valid"][1] == sizes["test"][1] == max(sizes["valid"][0], sizes["test"][0])
    for asked in ("auto", "hits@20"):
        try:
            task = LinkPrediction(dataset, LinkTask(metric=asked), model_maker("link", AdamicAdarModel()), Train(), CPU)
        except RequestError as error:
            assert asked == "hits@20" and sizes["valid"][1] < 20 and "; choose roc-auc" in str(error)
            continue
        assert task.metric in task.metrics and "mrr" in task.metrics
        for name in (*dataset.metrics, *task.metrics):
            values = {
                split: {link_metric(name, torch.full((p,), sign), torch.zeros(q)) for sign in (-1.0, 1.0)}
                for split, (p, q) in sizes.items()
            }
            decides = all(len(found) == 2 for found in values.values())
            assert decides == (name in task.metrics), name
            assert decides or any(f"{name} " in note or f"{name}," in note for note in task.notes)


def catalog_of(size, path):
    """5 to `size` users and 6 to `size` + 1 items, of which users take few, many or nearly all, one of them five or more."""
    source = generator(size)
    num_users, num_items = (int(torch.randint(5, size + 1, (), generator=source)) + more for more in (0, 1))
    share = float(torch.rand((), generator=source)) * 0.9 + 0.05
    taken = torch.rand(num_users, num_items, generator=source) < min(share, 30 / num_items + 0.3)
    taken[:, :2] = taken[0, :5] = True
    return write(path, "user,item", taken.nonzero().tolist())


@pytest.mark.parametrize("size", SIZES)
def test_own_catalogs(size, tmp_path):
    dataset = load("custom", task="recommend", interactions=catalog_of(size, tmp_path / "taken.csv"))
    try:
        task = Recommendation(dataset, RecommendTask(), model_maker("recommend", MostPopModel()), Train(), CPU)
    except RequestError as error:
        assert "can tell two models apart: " in str(error) and size < 10
        return
    num_users, num_items = int(dataset.data.num_users), int(dataset.data.num_items)
    taken = {
        split: [pairs[1][pairs[0] == user].tolist() for user in range(num_users)] for split, pairs in dataset.splits.items()
    }
    everyone = torch.arange(num_users)
    decides = dict.fromkeys((*dataset.metrics, *task.metrics), True)
    for split, seen in (
        ("valid", taken["train"]),
        ("test", [a + b for a, b in zip(taken["train"], taken["valid"], strict=True)]),
    ):
        relevant, hidden = matrix(taken[split], num_items), matrix(seen, num_items)
        found = []
        for sign in (-1.0, 1.0):
            scores = sign * relevant.to_dense()
            top = rank_items(lambda some, scores=scores: scores[some], everyone, num_items, num_items, hidden)[1]
            found.append(ranking_metrics(list(decides), top, everyone, relevant))
        for name in decides:
            decides[name] &= found[0][name] < found[1][name]
    assert {name for name, able in decides.items() if able} == set(task.metrics)
    assert task.metric in task.metrics


RING = "source,target\n" + "".join(f"n{i},n{(i + 1) % 60}\nn{i},n{(i + 7) % 60}\n" for i in range(60))


def test_a_ring_is_selected_by_a_metric_that_decides(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ring.csv").write_text(RING)
    asked = ["task=link", "dataset=custom", "data.edges=ring.csv", "model=gae", "train.epochs=60", "recipe=none", "device=cpu"]
    assert main([*asked, "format=json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["metric"] == "roc-auc" and result["best_epochs"][0] > 1
    assert list(result["metrics"]["test"]) == ["roc-auc", "mrr", "hits@20"]
    note = "hits@50 and hits@100 are left out: validation has 24 negatives, and with fewer than K every model scores 100."
    assert result["notes"][1:] == [note] and f"note: {note}\n" in printed.err
    (folder,) = (tmp_path / "runs").iterdir()
    lines = (folder / "metrics.csv").read_text().splitlines()
    place = lines[0].split(",").index("valid/roc-auc")
    values = [float(line.split(",")[place]) for line in lines[1:]]
    assert len(set(values)) > 10 and values.index(max(values)) == result["best_epochs"][0] - 1
    assert main([*asked, "task.metric=hits@50"]) == 2
    assert capsys.readouterr().err == (
        "error: task.metric=hits@50 cannot select an epoch: validation has 24 negatives, and with fewer than K every model "
        "scores 100; choose roc-auc, mrr or hits@20\n"
    )


def test_sixty_users_of_fifteen_items_are_selected_by_a_metric_that_decides(tmp_path):
    rows = [(f"u{user}", f"i{(user * 7 + step * step) % 15}") for user in range(60) for step in range(9)]
    path = write(tmp_path / "taken.csv", "user,item", rows)
    result = run(task="recommend", dataset="custom", model="bpr-mf", data={"interactions": path}, device="cpu",
                 out=tmp_path / "runs", train={"epochs": 8})  # fmt: skip
    assert result.metric == "recall@5" and list(result.metrics["valid"]) == ["ndcg@20", "recall@5"]
    left_out, replaced = result.notes
    assert left_out.startswith("recall@20, precision@20 and hit@20 are left out: validation ranks at most ")
    assert replaced == "task.metric=auto selects by recall@5 in place of recall@20."


def test_a_metric_that_took_one_value_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["task=link", "dataset=karate", "model=gae", "train.epochs=3", "train.lr=0", "device=cpu", "format=json"]
    assert main(asked) == 0
    printed = capsys.readouterr()
    (note,) = json.loads(printed.out)["notes"]
    assert note.startswith("Validation roc-auc, which selects the epoch, took one value in seed 0 (")
    assert note.endswith(" in all 3 evaluations): the loss alone decided.") and printed.err.endswith(f"note: {note}\n")
