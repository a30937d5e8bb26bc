from dataclasses import replace

import pytest

from graphkit.conf.arguments import split
from graphkit.conf.catalog import TASKS
from graphkit.conf.entries import Question
from graphkit.conf.predict import FLAGS, Prediction, check_prediction, help_page, prediction_settings, require_askable
from graphkit.errors import RequestError
from graphkit.nearest import nearest_names


def asked(*arguments: str) -> Prediction:
    command = split(arguments, FLAGS)
    return check_prediction(command.assignments, command.mistakes)


def refused(*arguments: str) -> list[str]:
    with pytest.raises(RequestError) as caught:
        asked(*arguments)
    return str(caught.value).splitlines()


def test_a_request_s_values():
    request = asked("run=runs/a", "user=0042", "top=5", "seed=3", "data.root=somewhere")
    assert request == Prediction(
        question="user",
        asked="0042",
        run="runs/a",
        top=5,
        seed=3,
        places={"data.root": "somewhere"},
        given=frozenset({"run", "user", "top", "seed", "data.root"}),
    )


def test_all_mistakes_at_once():
    assert refused("usr=3", "top=0", "seen=hid", "--list", "foo", "grph=7") == [
        "unknown flag '--list': expected one of --help, --version, or key=value",
        "foo: expected key=value",
        "unknown key 'usr': did you mean user?",
        "unknown key 'grph': did you mean graphs?",
        "top=0: expected an integer from 1 to 1000000000",
        "seen=hid: expected one of hide, show: did you mean hide?",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give run=FOLDER, the folder of a finished run"),
        (("run=a",), "user=NAME, items=A,B,C, users=all out=FILE, export=embeddings out=FILE (task=recommend)"),
        (("run=a",), "give one of node=NAME, pairs=FILE, nodes=all out=FILE (task=link); nodes=all|A,B|FILE (task=node); "),
        (("run=a", "user=1", "items=2"), "user= and items= together"),
        (("run=a", "user=1", "out=a.csv"), "out=: goes with users= or export=, leave it out"),
        (("run=a", "users=all"), "users=: give out=FILE that ends in .csv or .parquet"),
        (("run=a", "users=all", "out=a.npz"), "users=: give out=FILE that ends in .csv or .parquet, not a.npz"),
        (("run=a", "export=embeddings", "out=a.csv"), "export=: give out=FILE that ends in .npz or .parquet, not a.csv"),
        (("run=a", "users=all", "out=a.csv", "format=csv"), "format=csv: users= writes to out="),
        (("run=a", "user=1", "index_kind=ivf"), "index_kind=: goes with index=faiss, leave it out"),
        (("run=a", "export=embeddings", "out=a.npz", "top=3"), "top=: export= takes none, leave it out"),
        (("run=a", "node=1", "out=a.csv"), "out=: goes with pairs= or nodes=, leave it out"),
        (("run=a", "node=1", "index=faiss"), "index=: node= takes none, leave it out"),
        (("run=a", "user=1", "edges=a.csv"), "edges=: user= takes none, leave it out"),
        (("run=a", "nodes=all", "out=a.npz"), "nodes=: give out=FILE that ends in .csv or .parquet, not a.npz"),
        (("run=a", "graphs=a", "features=f.csv"), "features=: graphs= takes none, leave it out"),
        (("run=a", "user=1", "calibrate=temperature"), "calibrate=: user= takes none, leave it out"),
        (("run=a", "pairs=p.csv", "out=a.npz"), "pairs=: give out=FILE that ends in .csv or .parquet, not a.npz"),
        (("run=a", "pairs=p.csv", "out=a.csv", "format=csv"), "format=csv: pairs= writes to out= and only reports on stdout"),
        (("run=a", "pairs=p.csv", "top=3"), "top=: pairs= takes none, leave it out"),
    ],
)
def test_contradictions(arguments: tuple[str, ...], says: str):
    assert any(says in line for line in refused(*arguments))


def test_what_goes_together_passes():
    for arguments in (
        ("user=1", "index=faiss", "index_kind=ivf", "format=csv"),
        ("users=all", "out=a.csv", "top=3"),
        ("node=a,b", "edges=new.csv", "seen=show"),
        ("pairs=p.csv", "format=csv"),
        ("nodes=new", "features=f.csv", "edges=e.csv", "calibrate=temperature"),
        ("new=g.jsonl", "out=a.csv"),
        ("pairs=p.csv", "out=a.parquet", "format=json"),
    ):
        assert asked("run=a", *arguments).question == arguments[0].partition("=")[0]


def test_the_run_s_task_decides_what_it_can_be_asked():
    for task, arguments, says in (
        ("node", ("user=1",), "a is a run of task=node: give one of nodes=all|A,B|FILE (task=node), not user="),
        ("link", ("nodes=all",), "nodes=: give out=FILE that ends in .csv or .parquet"),
        ("link", ("nodes=all", "out=a.csv", "features=f.csv"), "features=: nodes= takes none, leave it out"),
        ("node", ("nodes=all", "out=a.csv", "top=3"), "top=: nodes= takes none, leave it out"),
        (
            "link",
            ("user=1",),
            "a is a run of task=link: give one of node=NAME, pairs=FILE, nodes=all out=FILE (task=link), not",
        ),
        ("recommend", ("node=1",), "a is a run of task=recommend: give one of user=NAME, items=A,B,C, users=all out=FILE, "),
    ):
        with pytest.raises(RequestError) as caught:
            require_askable(task, asked("run=a", *arguments), "a")
        assert str(caught.value).startswith(says)
    require_askable("link", asked("run=a", "node=1"), "a")


def test_a_question_that_two_tasks_know(monkeypatch: pytest.MonkeyPatch):
    other = Question("node=NAME out=FILE", "its class", files=(".csv",))
    monkeypatch.setitem(TASKS, "node", replace(TASKS["node"], serve="x:y", questions={"node": other}))
    assert "(task=link); its class (task=node)" in prediction_settings()["node"].help
    request, written = asked("run=a", "node=1", "top=3"), asked("run=a", "node=1", "out=a.csv")
    require_askable("link", request, "a")
    require_askable("node", written, "a")
    for task, wrong, says in (("node", request, "give out=FILE"), ("link", written, "out=: goes with pairs= or nodes=")):
        with pytest.raises(RequestError, match=says):
            require_askable(task, wrong, "a")
    assert refused("run=a", "node=1", "out=a.csv", "edges=e.csv")[0].startswith("out=: goes with pairs= or nodes=")


def test_the_help_page_has_everything():
    page = help_page()
    for word in (*prediction_settings(), "training graph", "exit status"):
        assert word in " ".join(page.split()) or word.capitalize() in page


def test_nearest_names():
    assert nearest_names("ober", ["October", "over", "x", "Obers"], count=2) == ["Obers", "over"]
    assert nearest_names("zzz", ["a", "b"]) == []
    many = [f"item-{number}" for number in range(10_000)]
    assert nearest_names("item-123x", many)[0] == "item-123"
