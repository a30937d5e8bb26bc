"""The page as a browser renders it: on a phone and on a desk, dark and light."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from graphkit.explain.page import html_page
from tests.explain.browser import Browser, browsing, find_browser
from tests.explain.samples import explanation

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")

CONTRAST = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = node => { for (; node; node = node.parentElement) {
    const color = rgb(getComputedStyle(node).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color; }
    return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || node.tagName === 'STYLE' || node.tagName === 'title') continue;
    const style = getComputedStyle(node), color = rgb(node.closest('svg') ? style.fill : style.color);
    const [a, b] = [light(color), light(ground(node))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) found.push([walker.currentNode.textContent.trim().slice(0, 40), (a + .05) / (b + .05)]);
  }
  return found;
})()"""
"""Texts whose contrast to what is behind them is below that of WCAG AA."""

WIDE = """[...document.querySelectorAll('body *')].filter(node => !node.closest('svg') &&
  (node.getBoundingClientRect().right > document.documentElement.clientWidth + 1 || node.getBoundingClientRect().left < -1))
  .map(node => node.tagName + ' ' + node.textContent.slice(0, 40))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None
    with browsing(PROGRAM) as one:
        yield one


@pytest.fixture(scope="module", params=["one", "several"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    several = [explanation(f"node {number}") for number in range(3)] if request.param == "several" else [explanation()]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html_page(several), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_fits_can_be_read_and_asks_for_nothing(browser: Browser, page: Path, width: int, scheme: str):
    browser.open(page, width, scheme)
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(WIDE) == []
    assert browser.evaluate(CONTRAST) == []
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert browser.screenshot().startswith(b"\x89PNG")


@pytest.mark.parametrize("width", [360, 1200])
def test_the_sum_is_seen_and_adds_up(browser: Browser, page: Path, width: int):
    browser.open(page, width, "light")
    seen = """[...document.querySelectorAll('table.sum')].filter(table => !table.closest('details')).map(table => ({
      lines: [...table.querySelectorAll('td.adds')].map(cell => cell.innerText),
      total: table.querySelector('td.total').innerText,
      heights: [...table.querySelectorAll('td')].map(cell => cell.getBoundingClientRect().height)}))"""
    tables = browser.evaluate(seen)
    assert len(tables) >= 2
    for table in tables:
        assert sum(map(Decimal, table["lines"])) == Decimal(table["total"]) and min(table["heights"]) > 10


def test_drawings_are_rendered(browser: Browser, page: Path):
    browser.open(page, 1200, "light")
    sizes = browser.evaluate(
        "[...document.querySelectorAll('figure svg:not(.key)')].map(svg => svg.getBoundingClientRect().height)"
    )
    assert len(sizes) >= 5 and min(sizes) > 100
    assert browser.evaluate("document.querySelectorAll('script, link, iframe, [onclick], [onload]').length") == 0
