"""What is in the page: everything in its order, every name escaped, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from graphkit.explain.explanation import Account, Part, Picture, Term
from graphkit.explain.page import html_page
from tests.explain.samples import HOSTILE, explanation, ring

TAGS = """html head meta title style body main article h1 h2 h3 p a table caption thead tbody tfoot tr th td small span strong
details summary figure figcaption svg path circle text image rect div ul li"""
"""All that a page is made of."""


class Reader(HTMLParser):
    """Tags, attributes, headings and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[str, str]] = []
        self._open = ""
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open in ("h1", "h2", "h3") and data.strip():
            self.headings.append((self._open, data.strip()))


def test_the_order_of_the_page():
    headings = Reader(explanation().to_html()).headings
    assert headings == [
        ("h1", "Why: node ada"),
        ("h2", "What the score is the sum of"),
        ("h2", "How it looks"),
        ("h2", "This looks like that"),
        ("h2", "Context"),
        ("h2", "What speaks for Systems"),
        ("h2", "Receipt"),
        ("h2", "Warnings"),
        ("h2", "Made from"),
    ]


def test_what_is_not_there_has_no_heading():
    bare = replace(explanation(), runner_up=None, looks=None, bars=(), checks=(), agreements=(), warnings=(), facts={}, also=())
    headings = [text for _, text in Reader(bare.to_html()).headings]
    assert headings == ["Why: node ada", "What the score is the sum of", "This looks like that"]


def test_every_name_is_escaped_and_nothing_comes_from_elsewhere():
    html = html_page([explanation(HOSTILE), explanation()])
    read = Reader(html)
    assert {tag for tag, _ in read.tags} <= set(TAGS.split())
    assert "<script" not in html and "\u202e" not in html and "alert(1)" in read.text
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or (tag == "image" and value.startswith("data:image/png;base64,"))
    assert "default-src 'none'" in html and "url(" not in html and "@import" not in html


def test_pictures_have_words_and_tables_have_headers():
    tags = Reader(explanation().to_html()).tags
    drawn = [attributes for tag, attributes in tags if tag == "svg" and attributes.get("aria-hidden") != "true"]
    assert len(drawn) == 5 and all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawn)
    assert [attributes["scope"] for tag, attributes in tags if tag == "th" and "scope" not in attributes] == []


def test_several_have_an_index():
    read = Reader(html_page([explanation(f"node {number}") for number in range(3)]))
    assert read.headings[0] == ("h1", "3 explanations") and ("h2", "Why: node 2") in read.headings
    links = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    ids = {attributes["id"] for _, attributes in read.tags if "id" in attributes}
    assert {"#e1", "#e2", "#e3", "#w1"} <= set(links) and {link.removeprefix("#") for link in links if link} <= ids
    with pytest.raises(ValueError, match="needs an explanation"):
        html_page([])


def test_an_attribution_is_never_called_the_model_s_reasons():
    one = explanation()
    html = replace(one, predicted=replace(one.predicted, rule="Gradient <times> input.")).to_html()
    assert "An attribution, not the model's own reasons." in html and "Gradient &lt;times&gt; input." in html
    assert "What the score is the sum of" not in html
    assert "An attribution" not in one.to_html()


def test_a_reason_says_what_its_training_part_is_or_else_what_it_is_itself():
    html = explanation().to_html()
    assert "<small>training node of Theory</small>" in html
    attributed = Account("c", 1.0, 0.0, (Term("node 3", None, None, 1.0, Part("node 3", "neighbor")),), rule="r")
    assert "<small>neighbor</small>" in replace(explanation(), predicted=attributed).to_html()


def test_an_image_with_its_box_and_heat():
    html = explanation().to_html()
    assert '<rect class="box" x="2" y="2" width="4" height="4"/>' in html
    heat = re.findall(r'<rect class="heat" x="([\d.]+)" y="([\d.]+)" width="4.0" height="4.0" fill-opacity="([\d.]+)"/>', html)
    assert heat[:4] == [("0.0", "0.0", "0.06"), ("4.0", "0.0", "0.54"), ("0.0", "4.0", "0.24"), ("4.0", "4.0", "0.0")]
    with pytest.raises(ValueError, match="base64"):
        replace(explanation(), looks=Picture('"/><script>', 1, 1)).to_html()


def test_the_same_explanation_gives_the_same_page_and_json_has_the_same_numbers():
    one = explanation()
    assert one.to_html() == explanation().to_html()
    data = json.loads(one.to_json())
    assert data["version"] == 1 and data["predicted"]["terms"][0]["value"] == 0.83123456
    assert data["predicted"]["score"] == one.predicted.score and data["looks"]["nodes"][3] == "node 3"


def test_the_terminal_shows_the_same_sum_and_no_escape_sequence():
    text = replace(explanation("\x1b[31mred"), looks=ring()).to_text()
    assert "\x1b" not in text and "score of Theory" in text and "warning: The prototypes were not projected." in text
    assert "1.061" in text
