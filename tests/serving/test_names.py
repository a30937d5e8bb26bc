import pytest

from graphkit.errors import RequestError
from graphkit.serving.names import Names


def test_names_and_numbers():
    names = Names("user", 3, ("ann", "bob", "cy"))
    assert names.find("bob") == 1 and names.find_all(["cy", "ann"]) == [2, 0]
    without = Names("item", 12)
    assert without.find("11") == without.find(11) == 11 and without.array[11] == "11"


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(RequestError, match="^no user 'anne' among 3; nearest: ann$"):
        Names("user", 3, ("ann", "bob", "cy")).find("anne")
    with pytest.raises(RequestError, match="^no item '-1' among 12; nearest: 1$"):
        Names("item", 12).find(-1)
    with pytest.raises(RequestError, match="they are called ann, bob, cy, ...$"):
        Names("user", 3, ("ann", "bob", "cy")).find("zzz")


def test_a_name_may_have_a_comma():
    names = Names("item", 2, ("Good, Bad, Ugly", "Heat"))
    assert names.split("Good, Bad, Ugly") == ["Good, Bad, Ugly"]
    assert names.split("Heat, Ugly") == ["Heat", "Ugly"]
    assert names.split('Heat,"Good, Bad, Ugly"') == ["Heat", "Good, Bad, Ugly"]
    with pytest.raises(RequestError, match="empty name"):
        names.split("Heat,")


def test_a_name_may_begin_with_a_quote():
    names = Names("item", 4, ('"Heroes"', "'n", '"', "Heat"))
    for name in names.array.tolist():
        assert names.split(name) == [name]
    assert names.split('\'n,"""Heroes"""') == ["'n", '"Heroes"']
    for text in ('"Heat', '"He"at', "a\nb", "x" * 200_000):
        with pytest.raises(RequestError, match="is no list of names .*as CSV has them$"):
            names.split(text)


def test_any_name_is_answered_at_once_and_on_one_line():
    names = Names("user", 3, ("ann\x1b[2J", "bob" * 1000, "cy"))
    with pytest.raises(RequestError) as caught:
        names.find("x\r" + "y" * 1_000_000)
    assert str(caught.value).startswith("no user 'x\\ryyy") and str(caught.value).isprintable()
    assert "(1,000,002 characters)" in str(caught.value) and len(str(caught.value)) < 400


def test_one_long_name_does_not_widen_the_others():
    names = Names("item", 10_000, ("x" * 100_000, *map(str, range(9_999))))
    assert names.array.nbytes <= 16 * 10_000  # and the text of the long one beside it; fixed width takes 4 GB
    assert names.find("x" * 100_000) == 0 and names.array[[0, 9_999]].tolist() == ["x" * 100_000, "9998"]
