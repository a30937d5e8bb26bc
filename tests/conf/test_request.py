import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.conf.arguments import Assignment, flatten, split
from graphkit.conf.catalog import MODELS
from graphkit.conf.compose import compose
from graphkit.conf.request import check, unread
from graphkit.data.catalog import DATASETS
from graphkit.errors import RequestError


def request(*arguments: str):
    command = split(arguments)
    return check(command.assignments, DATASETS, command.mistakes)


def mistakes(*arguments: str) -> list[str]:
    with pytest.raises(RequestError) as caught:
        request(*arguments)
    return str(caught.value).splitlines()


LINK_MODELS = ", ".join(MODELS["link"])
NODE_MODELS = ", ".join(MODELS["node"])
CONVS = "puregcn, puresum, puremean, gcn, mean"

WRONG = [
    # unknown keys: mistyped, without their section, cut short, by meaning, of another model or task, a section, a choice
    (["epoch=3"], "unknown key 'epoch': did you mean train.epochs?"),
    (["train.epoch=3"], "unknown key 'train.epoch': did you mean train.epochs?"),
    (["epochs=3"], "unknown key 'epochs': did you mean train.epochs?"),
    (["modle=ncn"], "unknown key 'modle': did you mean model?"),
    (["hidden=3"], "unknown key 'hidden': did you mean model.hidden_channels?"),
    (["learning_rate=1"], "unknown key 'learning_rate': did you mean train.lr?"),
    (["optimizer.lr=1"], "unknown key 'optimizer.lr': did you mean train.lr?"),
    (["+train.epochs=1"], "unknown key '+train.epochs': did you mean train.epochs?"),
    (["zzzzz=1"], "unknown key 'zzzzz'; see --list"),
    (["model=gae", "model.beta=1"], "unknown key 'model.beta': a setting of ncn, ncnc, katz, not of model=gae"),
    (["task=node", "task.drop_last=true"], "unknown key 'task.drop_last': a setting of task=link, not of task=node"),
    (["model.name=ncn"], "unknown key 'model.name': did you mean model?"),
    (["task=node", "model=cn", "model.beta=1"], f"model=cn: task=node has {NODE_MODELS}; cn is a model of task=link"),
    # unknown choices
    (["dataset=ogbl-dii"], "dataset=ogbl-dii: did you mean ogbl-ddi?"),
    (["dataset=Cora"], "dataset=Cora: did you mean cora?"),
    (["dataset=zzz"], f"dataset=zzz: unknown; choose one of {', '.join(DATASETS)}"),
    (["task=nod"], "task=nod: did you mean node?"),
    (["task=zzz"], "task=zzz: unknown; choose one of link, node, graph, image, recommend"),
    (["task=nod", "model=ncm"], "model=ncm: did you mean ncn?"),
    (["model=nnc"], f"model=nnc: did you mean ncn? (models of task=link: {LINK_MODELS})"),
    (["model=zzzzz"], f"model=zzzzz: unknown; models of task=link: {LINK_MODELS}"),
    (["model=gcn"], f"model=gcn: task=link has {LINK_MODELS}; gcn is a model of task=node"),
    (["recipe=always"], "recipe=always: expected one of auto, none or a file *.yaml"),
    (["model.conv=gcm"], f"model.conv=gcm: expected one of {CONVS}: did you mean gcn?"),
    # wrong types
    (["train.epochs=ten"], "train.epochs=ten: expected an integer"),
    (["train.epochs=1.5"], "train.epochs=1.5: expected an integer"),
    (["train.epochs=true"], "train.epochs=true: expected an integer"),
    (["train.epochs="], "train.epochs=: expected an integer"),
    (["train.epochs=null"], "train.epochs=null: expected an integer"),
    (["train.epochs=[1"], "train.epochs=[1: expected an integer"),
    (["train.epochs=__import__('os')"], "train.epochs=__import__('os'): expected an integer"),
    (["train.lr=fast"], "train.lr=fast: expected a number"),
    (["train.lr=nan"], "train.lr=nan: expected a number"),
    (["train.lr=inf"], "train.lr=inf: expected a number"),
    (["train.lr=0.1,0.2"], "train.lr=0.1,0.2: expected a number, one value and no sweep"),
    (["deterministic=yes"], "deterministic=yes: expected true or false"),
    (["out="], "out=: expected text"),
    (["out=${oc.env:HOME}"], "out=${oc.env:HOME}: expected the text itself, not ${...}"),
    (["data.split=0.5"], "data.split=0.5: expected numbers such as [0.7,0.1,0.2]"),
    # out of range
    (["train.epochs=-1"], "train.epochs=-1: expected an integer from 0 to 1000000000"),
    (["seeds=0"], "seeds=0: expected an integer from 1 to 100000"),
    (["seed=4294967296"], "seed=4294967296: expected an integer from 0 to 4294967295"),
    (["train.lr=-0.1"], "train.lr=-0.1: expected a number from 0 to 1e+09"),
    (["threads=2147483647"], "threads=2147483647: expected an integer from 0 to 4096"),
    (["threads=4096"], f"threads=4096: this machine has {os.cpu_count()} CPU cores; threads=0 takes all"),
    (["model.hidden_channels=9223372036854775807"],
     "model.hidden_channels=9223372036854775807: expected an integer from 1 to 1048576"),
    (["model.num_layers=10000000000"], "model.num_layers=10000000000: expected an integer from 0 to 10000"),
    (["task=recommend", "dataset=lastfm", "task.num_negatives=900000000"],
     "task.num_negatives=900000000: expected an integer from 1 to 100000"),
    (["task=recommend", "dataset=lastfm", "model=lightgcl", "model.positive_limit=1e200"],
     "model.positive_limit=1e200: expected a number from 1e-06 to 1e+09"),
    (["model.dropout=1"], "model.dropout=1: expected a number from 0 to 0.999"),
    # malformed arguments and flags
    (["foo"], "foo: expected key=value"),
    (["=3"], "=3: expected key=value"),
    ([""], "'': expected key=value"),
    (["--lst"], "unknown flag '--lst': did you mean --list?"),
    (["--zzzzz"], "unknown flag '--zzzzz': expected one of --help, --list, --dry-run, --check-leaks, --version, or key=value"),
    (["--seed", "3"], "'--seed 3': settings take no dashes, give seed=3"),
    (["--train.epochs=5"], "'--train.epochs=5': settings take no dashes, give train.epochs=5"),
    (["--batch-size", "8"], "'--batch-size 8': settings take no dashes, give train.batch_size=8"),
    (["--device", "--dry-run"], "'--device': settings take no dashes, give device=VALUE"),
    (["--dry_run"], "unknown flag '--dry_run': did you mean --dry-run?"),
    (["seed", "=", "3"], "seed = 3: write it without spaces, seed=3"),
    (["seed=", "3"], "seed= 3: write it without spaces, seed=3"),
    (["seed", "=3"], "seed =3: write it without spaces, seed=3"),
    (["device=gpu"], "device=gpu: expected one of auto, cpu, cuda: did you mean cuda?"),
    # things that do not go together
    (["task=node", "dataset=ogbl-ddi"],
     "dataset=ogbl-ddi: it serves task=link, not task=node, which has "
     + ", ".join(name for name, entry in DATASETS.items() if "node" in entry.tasks)),
    (["train.lr=1", "train.lr=2"], "train.lr is given twice: 1 and 2"),
    (["dataset=cora", "dataset=pubmed"], "dataset is given twice: cora and pubmed"),
    (["task.metric=recall@20"], "task.metric: unknown metric 'recall@20' for task=link; choose hits@K, mrr or roc-auc, with a "
     "number K from 1 to 1,000,000,000 as in hits@20"),
    (["task=node", "task.metric=mrr"], "task.metric: unknown metric 'mrr' for task=node; choose accuracy or roc-auc"),
    (["data.edges=edges.csv"], "data.edges: own files need dataset=custom, not dataset=digits"),
    (["dataset=custom"], "dataset=custom: give data.edges=FILE"),
    (["dataset=custom", "task=node", "data.edges=e.csv"], "dataset=custom: give data.labels=FILE"),
    (["dataset=custom", "task=recommend"], "dataset=custom: give data.interactions=FILE"),
    (["dataset=custom", "task=recommend", "data.interactions=i", "data.edges=e"],
     "data.edges: task=recommend does not read it, leave it out"),
    (["dataset=custom", "data.edges=e", "data.min_rating=3"], "data.min_rating: task=link does not read it, leave it out"),
    (["dataset=lastfm", "task=recommend", "data.time_column=t"],
     "data.time_column: own files need dataset=custom, not dataset=lastfm"),
    (["dataset=cora", "task=node", "data.directed=true"],
     "data.directed=true: it is for own files, dataset=custom; a named data set that keeps direction says so in its name, such "
     "as squirrel-directed"),
    (["dataset=custom", "data.edges=e", "data.directed=true"],
     "data.directed=true: task=link predicts edges without direction, leave it out"),
    (["dataset=custom", "task=recommend", "data.interactions=i", "data.directed=true"],
     "data.directed=true: task=recommend does not read it, leave it out"),
    (["dataset=cora", "data.split=[0.5,0.2,0.3]"], "data.split=[0.5,0.2,0.3]: dataset=cora has a fixed split"),
    (["dataset=custom", "data.edges=e", "data.split=[0.5,0.2,0.4]"],
     "data.split=[0.5,0.2,0.4]: expected three shares above 0 that sum to 1"),
    (["resume=runs/x", "train.lr=1", "format=json", "dataset=cora"],
     "resume= takes every setting from that run: leave out train.lr, dataset"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "line"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_mistake(arguments: list[str], line: str):
    found = mistakes(*arguments)
    assert line in found
    assert len(found) == 1 + ("task=nod" in arguments and len(arguments) > 1) + ("model=cn" in arguments)


def test_all_mistakes_at_once_each_once():
    found = mistakes("foo", "dataset=ogbl-dii", "epoch=3", "epoch=4", "train.lr=x", "train.lr=x", "--lst", "model.droput=0")
    assert sorted(found) == [
        "dataset=ogbl-dii: did you mean ogbl-ddi?",
        "foo: expected key=value",
        "train.lr=x: expected a number",
        "unknown flag '--lst': did you mean --list?",
        "unknown key 'epoch': did you mean train.epochs?",
        "unknown key 'model.droput': did you mean model.dropout?",
    ]


def test_a_settings_section_lists_what_it_holds():
    (line,) = mistakes("train=5")
    assert line.startswith("'train' holds settings: give train.epochs, train.batch_size, ")


def test_defaults():
    bare = request()
    assert (bare.task, bare.dataset, bare.model, bare.values) == ("link", "digits", "ncn", {})
    assert (request("task=node").dataset, request("task=node").model) == ("digits", "gcn")
    recommend = request("task=recommend")
    assert (recommend.dataset, recommend.model) == ("planted-interactions", "lightgcn")


def test_settings_of_a_run_made_on_a_larger_machine():
    stored = check(split(["threads=4096"]).assignments, DATASETS, stored=True)
    assert stored.values == {"threads": 4096}


@pytest.mark.parametrize("name", ["'tis", '"Heat"', "'a', 'b'", "don't", "[x", "a, b", "$HOME", "~nobody-of-that-name/x", "-1"])
def test_text_is_taken_as_it_was_typed(name: str):
    assert request(f"out={name}", f"data.root={name}").values == {"out": name, "data.root": name}


def test_values_have_their_setting_s_type():
    values = request(
        "train.epochs=5", "train.lr=1", "train.head_lr=null", "deterministic=False", "data.root=/a b/größe (1).csv",
        "out=runs, mine", "resume=null", "seed=7",
    ).values  # fmt: skip
    assert values == {
        "train.epochs": 5, "train.lr": 1.0, "train.head_lr": None, "deterministic": False, "data.root": "/a b/größe (1).csv",
        "out": "runs, mine", "resume": None, "seed": 7,
    }  # fmt: skip
    assert isinstance(values["train.lr"], float)


@pytest.mark.parametrize("typed", ["'n", '"Heroes"', "'a, b'", "it's", "'it\\'s'", "a=b", "[x", "{y}", "#1", "a:b", "\\d"])
def test_text_is_taken_as_it_stands(typed: str):
    assert request(f"out={typed}").values == {"out": typed}


def test_whole_numbers_of_any_length_are_compared_with_their_bounds():
    assert request("train.epochs=1000000000").values == {"train.epochs": 10**9}
    (line,) = mistakes("train.epochs=9223372036854775808")
    assert line == "train.epochs=9223372036854775808: expected an integer from 0 to 1000000000"
    (line,) = mistakes("train.epochs=" + "9" * 5000)
    assert line == f"train.epochs={'9' * 80}... (5,000 characters): expected an integer"
    assert mistakes("train.lr=1" + "0" * 400)[0].endswith(": expected a number")


@pytest.mark.parametrize("text", ["int(3.7)", "range(1,3)", "choice(1,2)", "[" * 900, "{a:" * 300, "(" * 900])
def test_numbers_are_said_without_functions_or_nesting(text: str):
    for key, expected in (("train.epochs", "an integer"), ("train.lr", "a number"), ("deterministic", "true or false")):
        (line,) = mistakes(f"{key}={text}")
        assert line.endswith(f": expected {expected}")


def test_messages_are_short_and_printable():
    long, odd = "x" * 100_000, "\x1b[31m\r\x85\u202e"
    found = mistakes(
        f"{long}=1", f"{odd}=1", f"out{odd}={odd}", f"train.epochs={long}", f"seeds={odd}", f"--{long}", f"a{odd}", long
    )
    assert len(found) == 8 and all(line.isprintable() and len(line) < 300 for line in found)
    for choice in ("task", "dataset", "model", "recipe"):
        for value in (long, odd, "task=" + long):
            assert all(line.isprintable() and len(line) < 2000 for line in mistakes(f"{choice}={value}"))


def test_a_home_folder_of_nobody():
    for key in ("out", "data.root", "data.edges"):
        asked = ["dataset=custom", "data.edges=e.csv"] if key == "data.edges" else []
        with pytest.raises(RequestError, match=f"^{key}=~nobody-of-this-name/x: the home folder it names is not known"):
            compose(request(*asked[:1], f"{key}=~nobody-of-this-name/x"))
    assert compose(request("out=~/x")).run.out == str(Path.home() / "x")


def test_the_same_twice_is_one():
    assert request("seeds=2", "seeds=2").values == {"seeds": 2}


def test_resume_goes_with_what_decides_no_number():
    values = request("resume=runs/x", "format=json", "progress=false", "data.root=/data").values
    assert values["resume"] == "runs/x"


def test_a_split_may_be_chosen_where_none_is_fixed():
    values = request("dataset=custom", "data.edges=e.csv", "data.split=[0.5, 0.25, 0.25]").values
    assert values["data.split"] == [0.5, 0.25, 0.25]


def test_python_values(tmp_path):
    nested = {"model": {"name": "gae", "dropout": np.float64(0.5)}, "train": {"epochs": np.int64(3)}, "out": tmp_path}
    checked = check(flatten(nested), DATASETS)
    assert (checked.model, checked.values) == ("gae", {"model.dropout": 0.5, "train.epochs": 3, "out": str(tmp_path)})
    assert type(checked.values["train.epochs"]) is int
    for key, value, line in [
        ("train.epochs", "5", "train.epochs=5: expected an integer"),
        ("train.epochs", True, "train.epochs=true: expected an integer"),
        ("train.lr", float("nan"), "train.lr=nan: expected a number"),
        ("train.lr", {"a": 1}, "train.lr={'a': 1}: expected a number"),
        ("model", 3, "model=3: expected text"),
        ("train.epochs", 10**5000, "train.epochs=a very large int: expected an integer from 0 to 1000000000"),
        ("train.lr", 10**400, "train.lr=1" + 79 * "0" + "... (401 characters): expected a number"),
        ("out", "a\0b", "out=a\\x00b: expected text without the character NUL"),
        ("data.split", [0.5, "x"], "data.split=[0.5,x]: expected numbers such as [0.7,0.1,0.2]"),
    ]:
        with pytest.raises(RequestError) as caught:
            check([Assignment(key, value)], DATASETS)
        assert str(caught.value).splitlines() == [line]


KEYS = ["task", "dataset", "model", "train.lr", "train.epochs", "out", "data.split", "seed", "model.x"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12) | st.tuples(st.sampled_from(KEYS), st.text(max_size=8)).map("=".join), max_size=4))
def test_any_text_is_a_request_or_a_request_error(arguments: list[str]):
    try:
        request(*arguments)
    except RequestError as error:
        assert str(error)


def test_settings_that_mean_nothing_for_a_task():
    assert {"data.targets", "data.interactions", "data.user_column"} <= unread("node")
    assert not unread("node") & {"data.edges", "data.directed", "data.scale", "data.root"}
    assert {"data.edges", "data.scale"} <= unread("recommend") and "data.directed" in unread("link")
