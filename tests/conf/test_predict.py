import pytest

from graphkit.conf.arguments import split
from graphkit.conf.predict import FLAGS, Prediction, check_prediction, help_page, prediction_settings
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
    assert request == Prediction(run="runs/a", user="0042", top=5, seed=3, root="somewhere")


def test_all_mistakes_at_once():
    assert refused("usr=3", "top=0", "seen=hid", "--list", "foo", "node=7") == [
        "unknown flag '--list': expected one of --help, --version, or key=value",
        "foo: expected key=value",
        "unknown key 'usr': did you mean user?",
        "node=: predict serves task=recommend so far; scores of the nodes of other runs are in the run's "
        "seed-K/predictions.npz",
        "top=0: expected an integer from 1 to 1000000000",
        "seen=hid: expected one of hide, show: did you mean hide?",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give run=FOLDER, the folder of a finished run of task=recommend"),
        (("run=a",), "give one of user=NAME, items=A,B,C, users=all out=FILE, export=embeddings out=FILE"),
        (("run=a", "user=1", "items=2"), "user= and items= together"),
        (("run=a", "user=1", "out=a.csv"), "out=: goes with users= or export=, leave it out"),
        (("run=a", "users=all"), "users=: give out=FILE that ends in .csv or .parquet"),
        (("run=a", "users=all", "out=a.npz"), "users=: give out=FILE that ends in .csv or .parquet, not a.npz"),
        (("run=a", "export=embeddings", "out=a.csv"), "export=: give out=FILE that ends in .npz or .parquet, not a.csv"),
        (("run=a", "users=all", "out=a.csv", "format=csv"), "format=csv: users= writes to out="),
        (("run=a", "user=1", "index_kind=ivf"), "index_kind=: goes with index=faiss, leave it out"),
        (("run=a", "export=embeddings", "out=a.npz", "top=3"), "top=: export= takes none, leave it out"),
    ],
)
def test_contradictions(arguments: tuple[str, ...], says: str):
    assert any(says in line for line in refused(*arguments))


def test_the_help_page_has_everything():
    page = help_page()
    for word in (*prediction_settings(), "training graph", "exit status"):
        assert word in " ".join(page.split()) or word.capitalize() in page


def test_nearest_names():
    assert nearest_names("ober", ["October", "over", "x", "Obers"], count=2) == ["Obers", "over"]
    assert nearest_names("zzz", ["a", "b"]) == []
    many = [f"item-{number}" for number in range(10_000)]
    assert nearest_names("item-123x", many)[0] == "item-123"
