import pytest

from graphkit.conf.arguments import split
from graphkit.conf.catalog import TASKS
from graphkit.conf.explain import FLAGS, Explaining, check_explaining, explain_settings, help_page, require_askable
from graphkit.errors import RequestError


def asked(*arguments: str) -> Explaining:
    command = split(arguments, FLAGS, explain_settings())
    return check_explaining(command.assignments, command.mistakes)


def refused(*arguments: str) -> list[str]:
    with pytest.raises(RequestError) as caught:
        asked(*arguments)
    return str(caught.value).splitlines()


def test_a_request_s_values():
    request = asked("run=runs/a", "node=0042,x", "top=5", "seed=3", "data.root=somewhere", "format=json")
    places = {"data.root": "somewhere"}
    assert request == Explaining(asked={"node": "0042,x"}, places=places, run="runs/a", top=5, seed=3, format="json")
    assert asked("run=a", "user=ada", "item=Dune").asked == {"user": "ada", "item": "Dune"}


def test_all_mistakes_at_once():
    assert refused("nod=3", "top=0", "format=pdf", "--list") == [
        "unknown flag '--list': expected one of --help, --version, or key=value",
        "unknown key 'nod': did you mean node?",
        "top=0: expected an integer from 1 to 1000",
        "format=pdf: expected one of html, json, text",
        "give run=FOLDER, the folder of a finished run",
        "give one of pair=; node=; graph=; image=; user= and item=",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("user=1",), "give user= and item= together"),
        (("user=1", "node=2"), "give one of pair=; node=; graph=; image=; user= and item=, not node= and user="),
        (("node=2", "train.epochs=3"), "unknown key 'train.epochs'"),
    ],
)
def test_contradictions(arguments: tuple[str, ...], says: str):
    assert any(says in line for line in refused("run=a", *arguments))


def test_each_task_is_asked_its_own_things():
    for task, entry in TASKS.items():
        require_askable(task, dict.fromkeys(entry.asks, "1"), "r")
    with pytest.raises(RequestError, match=r"^r is a run of task=node: give node=, not user= and item=$"):
        require_askable("node", {"user": "1", "item": "2"}, "r")


def test_the_help_page_has_everything():
    page = " ".join(help_page().split())
    assert all(key in page for key in explain_settings()) and "Exit status" in page
