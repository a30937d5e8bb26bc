import subprocess
import sys

import pytest
import torch

from graphkit.conf.catalog import TASKS
from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError
from graphkit.metrics.registry import KINDS, MOST_K, decimals, parse

PROTOCOLS = [(name, task) for name, entry in DATASETS.items() for task in entry.protocols]


@pytest.mark.parametrize(
    ("name", "task", "k"),
    [
        ("hits@20", "link", 20),
        ("hits@1", "link", 1),
        (f"hits@{MOST_K}", "link", MOST_K),
        ("mrr", "link", 0),
        ("roc-auc", "link", 0),
        ("roc-auc", "node", 0),
        ("accuracy", "node", 0),
        ("mae:6-cycle", "graph", 0),
        ("mae:a@b:c", "graph", 0),
        *((f"{kind}@{k}", "recommend", k) for kind in ("recall", "ndcg", "precision", "hit") for k in (1, 300)),
    ],
)
def test_known_names(name: str, task: str, k: int) -> None:
    metric = parse(name, task)
    assert (metric.name, metric.k) == (name, k)


@pytest.mark.parametrize(
    "name",
    ["hits", "hits@", "hits@0", "hits@020", "hits@x", "hits@-3", "hits@2.5", "hits@²", "20", "@5", "accuracy", "MRR", "mrr@5",
     "mrr@", "", "hits@20@3", "hits@1000000001", "hits@" + "9" * 100, "hits@" + "9" * 10_000],
)  # fmt: skip
def test_unknown_names(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(name, "link")
    message = str(caught.value)
    assert message.startswith(f"unknown metric '{name[:40]}") and len(message) < 200 and "\n" not in message
    assert message.endswith("; choose hits@K, mrr or roc-auc, with a number K from 1 to 1,000,000,000 as in hits@20")


def test_what_a_model_tells_of_itself_selects_nothing() -> None:
    assert decimals("r-squared") == 4
    with pytest.raises(RequestError, match="unknown metric 'r-squared' for task=node; choose accuracy or roc-auc"):
        parse("r-squared", "node")


@pytest.mark.parametrize(("task", "choices"), [("node", "accuracy or roc-auc"), ("recommend", "precision@K or hit@K, with a")])
def test_a_task_has_metrics_of_its_own(task: str, choices: str) -> None:
    with pytest.raises(RequestError, match=f"unknown metric 'mrr' for task={task}; choose .*{choices}"):
        parse("mrr", task)


def test_every_row_can_be_computed_and_every_task_has_some() -> None:
    assert len({(task, kind.name) for kind in KINDS for task in kind.tasks}) == sum(len(kind.tasks) for kind in KINDS)
    assert set(TASKS) == {task for kind in KINDS for task in kind.tasks}
    scores, labels = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 0])
    data = {"link": (torch.ones(2), torch.zeros(2)), "node": (scores, labels), "graph": (scores, labels),
            "image": (scores, labels),
            "recommend": (torch.ones(2, 1, dtype=torch.float64), torch.ones(2, dtype=torch.float64))}  # fmt: skip
    for kind in (kind for kind in KINDS if not kind.of_model):
        for task in kind.tasks:
            given, best = ((scores, scores), 0.0) if kind.lower_is_better else (data[task], 100.0)
            assert parse(f"{kind.name}@1" if kind.takes_k else kind.name, task)(*given) == best


def test_decimals_of_percentages_and_of_other_units() -> None:
    assert [decimals(name) for name in ("hits@20", "accuracy", "mae", "unknown")] == [2, 2, 4, 2]


@pytest.mark.parametrize("task", TASKS)
def test_what_takes_the_place_of_a_data_set_s_own_metric_is_known(task: str) -> None:
    fallbacks = load(TASKS[task].default_dataset, task=task).fallbacks
    assert fallbacks and all(parse(name, task).name == name for name in fallbacks)


@pytest.mark.parametrize(("name", "task"), PROTOCOLS)
def test_metrics_of_the_data_sets_are_known(name: str, task: str) -> None:
    for metric in DATASETS[name].protocols[task].metrics:
        assert parse(metric, task).name == metric


def test_names_and_choices_need_no_torch_and_metrics_no_scikit_learn() -> None:
    script = (
        "import sys, graphkit.metrics.choice; assert not {'torch', 'numpy'} & set(sys.modules); "
        "from graphkit.metrics import classification, pairs, ranking, smoothness; "
        "assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
