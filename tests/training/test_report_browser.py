"""report.html as a browser renders it: on a phone and on a desk, dark and light, with names that are long or hostile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphkit.charts import Axis, Bars, Points, Rule, chart, densities
from graphkit.tasks import class_pictures
from graphkit.tasks.report_parts import row, table
from graphkit.training.report import Additions, Section, Step
from tests.explain.browser import Browser, browsing, find_browser
from tests.explain.test_browser import CONTRAST, WIDE
from tests.training.test_report import BASELINE, page, result, rows

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")
LONG = "a_name_without_any_space_in_it_that_no_line_of_a_phone_can_hold <b>&"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None
    with browsing(PROGRAM) as one:
        yield one


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(14), 500)
    classes = class_pictures.sections("nodes", probabilities, rng.integers(14, size=500), [f"{n} {LONG}" for n in range(14)])
    charts = row(
        chart(
            "Scores",
            densities({"positive": rng.normal(1, 1, 99), LONG: rng.normal(0, 1, 99)}),
            x=Axis("score"),
            y=Axis("share"),
        ),
        chart(LONG, [Bars("", [3.0, 90.0]), Rule(LONG[:20], 30.0)], x=Axis("group", names=[LONG, "b\n12"]), y=Axis("right, %")),
        chart("Points", [Points("p", [(1, 2), (3, 4)])], x=Axis(LONG[:30]), y=Axis("predicted")),
    )
    sections = [
        *classes,
        Section("Charts", charts),
        Section("Table", table(["source", "target", "score"], [[LONG, LONG, "1"]], [2])),
    ]
    steps = [Step("Predict", f"python -m graphkit.predict run={LONG} user=7")]
    paper = {"source": "s", "test": {"accuracy": {"mean": 71.5, "std": 0.2}}}
    one = replace(result(folder, (70.0, 71.0, 72.5), paper=paper), dataset=LONG, protocol=LONG, notes=(LONG,))
    page(one, rows(30, 3), Additions(sections, BASELINE, f"python -m graphkit.run dataset={LONG}", steps))
    return folder / "report.html"


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_fits_can_be_read_and_asks_for_nothing(browser: Browser, report: Path, width: int, scheme: str):
    browser.open(report, width, scheme)
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    wide = browser.evaluate(WIDE.replace("!node.closest('svg')", "!node.closest('svg, .scroll')"))
    assert wide == []
    assert browser.evaluate(CONTRAST) == []
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize(("width", "columns"), [(360, 1), (1200, 2)])
def test_charts_are_rendered_at_a_size_that_can_be_read(browser: Browser, report: Path, width: int, columns: int):
    browser.open(report, width, "light")
    lefts = browser.evaluate("[...document.querySelectorAll('figure.chart > svg')].map(svg => svg.getBoundingClientRect().x)")
    assert len(lefts) == 8 and len(set(map(round, lefts))) == columns
    letters = browser.evaluate("[...document.querySelectorAll('.chart text')].map(text => text.getBoundingClientRect().height)")
    assert min(letters) >= 8
    assert browser.evaluate("document.querySelectorAll('script, link, iframe, b').length") == 0
    stroke = browser.evaluate("getComputedStyle(document.querySelector('.k1 .stroke')).stroke")
    assert stroke == "rgb(213, 94, 0)"
