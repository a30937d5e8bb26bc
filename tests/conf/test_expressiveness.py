import pytest

from graphkit.conf.arguments import split
from graphkit.conf.expressiveness import (
    FLAGS,
    MODELS,
    TESTS,
    Expressiveness,
    check_expressiveness,
    expressiveness_settings,
    help_page,
)
from graphkit.errors import RequestError


def asked(*arguments: str) -> Expressiveness:
    command = split(arguments, FLAGS, expressiveness_settings())
    return check_expressiveness(command.assignments, command.mistakes)


def refused(*arguments: str) -> list[str]:
    with pytest.raises(RequestError) as caught:
        asked(*arguments)
    return str(caught.value).splitlines()


def test_a_request_s_values():
    request = asked("model=gin, ds", "policy=ego", "hops=3", "pairs=brec", "only=cfi,basic-3", "data.root=somewhere")
    assert request == Expressiveness(model="gin, ds", policy="ego", hops=3, pairs="brec", only="cfi,basic-3", root="somewhere")
    assert request.models == ("gin", "ds") and request.selected == ("cfi", "basic-3") and request.tests == ()


def test_what_is_asked_where_nothing_is_said():
    assert asked().models == ("sswl+",) and asked().tests == ()
    assert asked("test=fwl").models == () and asked("test=fwl,fwl").tests == ("fwl",)
    assert asked("model=all", "test=all").models == MODELS and asked("test=all").tests == TESTS


def test_all_mistakes_at_once():
    assert refused("modle=gin", "widht=3", "layers=0", "protocol=breck", "--list", "foo") == [
        "unknown flag '--list': expected one of --help, --version, or key=value",
        "foo: expected key=value",
        "unknown key 'modle': did you mean model?",
        "unknown key 'widht': did you mean width?",
        "layers=0: expected an integer from 1 to 10000",
        "protocol=breck: expected one of untrained, brec: did you mean brec?",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("model=sswll",), "model=sswll: did you mean sswl?"),
        (("model=transformer",), "model=transformer: unknown; choose of deepsets, gcn, gin"),
        (("test=3-wl", "model=gin,x y"), "test=3-wl"),
        (("pairs=breck",), "pairs=breck: did you mean brec?"),
        (("pairs=foo",), "pairs=foo: give generated, brec or a file of graphs in graph6, such as FILE.g6"),
        (("pairing=next",), "pairing=: pairs=generated are pairs already, leave it out"),
        (("data.root=x",), "data.root=: pairs=generated needs no data folder, leave it out"),
        (("lr=0.1",), "lr=: goes with protocol=brec, leave it out"),
        (("protocol=brec", "out=x", "factor=3"), "factor=: goes with protocol=untrained, leave it out"),
        (("protocol=brec",), "protocol=brec: give out=FILE, where each pair's result is kept as soon as it is there"),
        (("test=fwl", "width=3"), "width=: is for networks, give model= or leave it out"),
        (("protocol=brec", "out=x", "relabelings=16"), "relabelings=16: expected an integer from 17 to 10000"),
    ],
)
def test_contradictions(arguments: tuple[str, ...], says: str):
    assert any(says in line for line in refused(*arguments)), refused(*arguments)


def test_own_files():
    assert asked("pairs=mine.g6", "pairing=next").pairing == "next" and asked("pairs=./mine").pairs == "./mine"


def test_the_help_page_has_everything():
    page = " ".join(help_page().split())
    for word in (*expressiveness_settings(), *MODELS, *TESTS, "Exit status"):
        assert word in page, word
