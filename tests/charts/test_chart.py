"""Charts: well-formed, places by hand, names escaped, colors that can be told apart and read."""

from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphkit.charts import STYLES, Axis, Band, Bars, Line, Mark, Points, Rule, Steps, chart, heat
from graphkit.charts.marks import MOST_POINTS, thinned
from graphkit.charts.style import DARK, DASHES, HOTTEST, LIGHT

HOSTILE = "<b>\"'&\x00\ud800\n</title>" * 3


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def elements(text: str, tag: str, kind: str) -> list[dict[str, str]]:
    return [dict(one.attrib) for one in parsed(text).iter(tag) if one.get("class") == kind]


def drawn(*marks: Mark, x: Axis | None = None, y: Axis | None = None) -> str:
    return chart("title", marks, x=x or Axis("x", 0, 10), y=y or Axis("y", 0, 100))


# Axes from 0 to 10 and from 0 to 100: the labels of y have three letters, so x goes from 32 to 386, and y from 208 to 26.


def test_places_of_lines_and_markers_by_hand():
    text = drawn(Line("seed 0", [(0, 0), (5, 50), (10, 100)], dots=[(5, 50)]))
    (line,) = elements(text, "path", "stroke")
    assert line["d"] == "M32,208L209,117L386,26"
    (dot,) = elements(text, "circle", "mark")
    assert (dot["cx"], dot["cy"]) == ("209", "117")


def test_places_of_bars_by_hand():
    text = drawn(Bars("", [50, None, 100]), x=Axis("x", names=("a", "b", "c")))
    first, last = elements(text, "rect", "bar")
    # A place is (386 - 32) / 3 = 118 wide, a bar 48 less 2, so the first one is centered at 32 + 59 = 91.
    assert (first["x"], first["width"], first["y"], first["height"]) == ("68.0", "46.0", "117", "91.0")
    assert (last["x"], last["y"], last["height"]) == ("304.0", "26", "182.0")


def test_places_of_a_histogram_and_of_rules_by_hand():
    text = drawn(Steps("a", [0, 5, 10], [50, 100]), Rule("base 25", 25), Rule("cut", 5, upright=True))
    assert elements(text, "path", "stroke")[0]["d"] == "M32,208V117H209V26H386V208"
    flat, upright = elements(text, "path", "rule")
    assert flat["d"] == "M32,162.5H386" and upright["d"] == "M209,208V26"
    assert "base 25" in text and "cut" in text


def test_a_band_goes_up_and_back():
    text = drawn(Band("spread", [(0, 0, 50), (10, 50, 100)]))
    assert elements(text, "path", "area")[0]["d"] == "M32,117L386,26L386,117L32,208Z"


def test_the_axes_follow_every_mark():
    text = chart("t", [Line("", [(1, 3.0), (2, 77.0)]), Rule("far", -40.0)], x=Axis("x"), y=Axis("y"))
    labels = [one.text or "" for one in parsed(text).iter("text")]
    assert [label for label in labels if label not in "xy"][:4] == ["−50", "0", "50", "100"]


def test_what_is_not_finite_is_left_out():
    marks = [
        Line("l", [(1, math.nan), (2, 5), (3, math.inf)]),
        Points("p", [(math.nan, 1), (4, 4)]),
        Bars("b", [math.nan]),
        Band("a", [(1, math.nan, 2)]),
        Rule("r", math.nan),
    ]
    text = drawn(*marks)
    assert "nan" not in text and "inf" not in text
    assert [dot["cx"] for dot in elements(text, "circle", "mark")] == ["173.6", "13"]  # the second one is the legend's


@given(st.text(), st.integers(1, 6))
def test_any_name_gives_well_formed_xml(name: str, count: int):
    marks: list[Mark] = [Line(name, [(0, 1), (1, 2)], style, [(0, 1)]) for style in range(count)]
    marks += [Bars(name, [1.0]), Points(name, [(1, 1)], notes=[name]), Rule(name, 1.0), Rule(name, 1.0, upright=True)]
    marks += [Steps(name, [0, 1], [1]), Band(name, [(0, 0, 1)])]
    parsed(chart(name, marks, x=Axis(name, names=[name, name]), y=Axis(name), about=name))
    parsed(heat(name, np.ones((1, 2), dtype=np.int64), [name], columns=[name, name], sides=(name, name), about=name))


def test_names_are_escaped_and_said():
    text = chart(HOSTILE, [Line(HOSTILE, [(0, 1)]), Points("b", [(0, 1)])], x=Axis("epoch"), y=Axis("loss"))
    root = parsed(text)
    assert not list(root.iter("b"))
    (svg, *_) = root.iter("svg")
    assert svg.get("role") == "img" and svg.get("aria-label", "").startswith("<b>")
    assert svg.get("aria-label", "").endswith("loss by epoch")
    assert {one.text for one in root.iter("title")} > {"0, 1"}


def test_the_legend_names_what_has_a_name():
    text = chart("t", [Line(f"seed {n}", [(0, n)], n) for n in range(7)] + [Rule("base", 1.0)], x=Axis("x"), y=Axis("y"))
    (key,) = (one for one in parsed(text).iter("div") if one.get("class") == "key")
    assert ["".join(one.itertext()) for one in key.iter("span")] == [f"seed {n}" for n in range(7)]
    looks = [(one.get("class"), one[0].get("stroke-dasharray")) for one in key.iter("svg")]
    assert len(set(looks)) == STYLES == len(DASHES) and looks[0] == looks[STYLES]
    assert "class='key'" not in chart("t", [Line("only", [(0, 1)])], x=Axis("x"), y=Axis("y"))


def test_a_chart_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs a mark"):
        chart("t", [], x=Axis("x"), y=Axis("y"))


def test_a_heat_table_by_hand():
    counts = np.array([[3, 1], [0, 0]])
    text = heat("t", counts, ["ant", "bee"], columns=["ant", "bee"], sides=("class", "predicted"))
    opacity = [float(cell["fill-opacity"]) for cell in elements(text, "rect", "heat")]
    assert opacity == [0.375, 0.125, 0.0, 0.0]  # shares of the row times HOTTEST
    assert [one.text for one in parsed(text).iter("text") if one.get("class") == "cell"] == ["3", "1"]
    assert "ant, bee: 1, 25.0% of the row" in text
    with pytest.raises(ValueError, match="1 to 12 named rows"):
        heat("t", np.ones((13, 2), dtype=np.int64), ["a"] * 13, columns=["a", "b"], sides=("", ""))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000))
def test_a_thinned_line_keeps_ends_and_extremes(heights: list[float]):
    points = [(float(x), y) for x, y in enumerate(heights)]
    found = thinned(points, [points[len(points) // 2]])
    assert len(found) <= MOST_POINTS + 3 and found == sorted(found, key=lambda point: point[0])
    assert found[0] == points[0] and found[-1] == points[-1] and points[len(points) // 2] in found
    assert {min(heights), max(heights)} <= {y for _, y in found}


def test_a_thinned_line_of_ten_thousand_points_keeps_a_narrow_peak():
    points = [(float(x), 100.0 if x == 4321 else math.sin(x / 500)) for x in range(10_000)]
    assert (4321.0, 100.0) in thinned(points) and len(thinned(points)) <= MOST_POINTS


def light(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    low, high = sorted((light(first), light(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_the_ground(colors: dict[str, str]):
    assert min(contrast(colors["ground"], colors[name]) for name in ("ink", "soft")) >= 4.5
    assert min(contrast(colors["ground"], colors[f"k{number}"]) for number in range(STYLES)) >= 3.0
    full = "#" + "".join(
        f"{round((1 - HOTTEST) * int(ground, 16) + HOTTEST * int(hot, 16)):02x}"
        for ground, hot in ((colors["ground"][place : place + 2], colors["k0"][place : place + 2]) for place in (1, 3, 5))
    )
    assert contrast(full, colors["ink"]) >= 4.5


DEFICIENT = {  # linear RGB as people without one kind of cones see it; Viénot, Brettel and Mollon, 1999
    "protan": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deutan": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", DEFICIENT)
def test_color_blind_readers_tell_the_colors_apart(colors: dict[str, str], kind: str):
    seen = []
    for number in range(STYLES):
        code = colors[f"k{number}"]
        linear = np.array([(int(code[place : place + 2], 16) / 255) ** 2.2 for place in (1, 3, 5)])
        seen.append((np.array(DEFICIENT[kind]) @ linear).clip(0, 1) ** (1 / 2.2))
    assert min(np.abs(one - other).max() for one, other in itertools.combinations(seen, 2)) > 0.09
