"""`read_table`: what was written is what is read, or it is asked for; and what columns mean."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphkit.conf.schema import Data
from graphkit.data import load
from graphkit.data.gaps import find_gaps
from graphkit.data.own.files import OwnFiles
from graphkit.data.own.graph import OwnGraph
from graphkit.data.own.table import Reading, read_table
from graphkit.errors import DataError

CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff"), max_size=6
)
WORD = st.from_regex("[a-zé][a-z0-9_]{0,5}", fullmatch=True)
NUMBER = st.integers(-50, 50).map(str) | st.floats(-9, 9, allow_nan=False).map(repr)
COLUMN = st.sampled_from([CELL, WORD, NUMBER, WORD])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str] | None, list[list[str]]]:
    kinds = draw(st.lists(COLUMN, min_size=2, max_size=4))
    rows = draw(st.lists(st.tuples(*kinds).map(list), min_size=1, max_size=12))
    return draw(st.none() | st.lists(WORD, min_size=len(kinds), max_size=len(kinds))), rows


@settings(max_examples=300, deadline=None)
@given(
    tables(),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    st.booleans(),
)
def test_what_was_written_is_what_is_read_or_asked_for(
    tmp_path_factory, table, separator: str, quoting: int, end: str, encoding: str, auto: bool
) -> None:
    header, rows = table
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=end).writerows(
        [*([header] if header else []), *rows]
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(stream.getvalue().encode(encoding))
    names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
    said = Reading() if auto else Reading("true" if header else "false", names[separator], "false")
    blanks = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
    expected = [[cell.strip(blanks) for cell in row] for row in rows]
    while len(expected[0]) > 1 and not any(row[-1] for row in expected) and not (header and header[-1]):
        expected = [row[:-1] for row in expected]  # trailing separators
    try:
        found = read_table(path, said)
    except DataError as error:
        unclear = ("cannot tell", "the header comes again", "has no column") if auto else ("the header comes again",)
        assert any(reason in str(error) for reason in unclear), str(error)
        return
    texts = [list(row) for row in zip(*(column.texts() for column in found.columns), strict=True)]
    if auto and not header and found.header is not None:  # a first row that could as well be a header, which is told
        assert found.took[-1].startswith("the first row is a header: ")
        texts = [list(found.header), *texts]
    if auto and header and found.header is None:
        expected = [header[: len(expected[0])], *expected]
    assert texts == expected


def test_the_lines_of_rows_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('# c\nsource,target\n\n1,2\n"a\nb",3\n\n4,5\n')
    table = read_table(tmp_path / "t.csv", Reading(header="true"))
    assert list(table.lines) == [4, 6, 8] and table.took == ("1 lines of comments",)


FEATURES = (
    "node,active,since,team,height,code\na,true,2020-01-01,red,1.5,1\nb,No,2020-01-03,,,2\nc,TRUE,,blue,2.5,1\n"
    "d,yes,2020-01-02,red,,7\n"
)


def graph(tmp_path: Path, features: str, **options) -> OwnGraph:
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\nc,d\n")
    (tmp_path / "features.csv").write_text(features)
    return OwnFiles().graph(Data(edges=str(tmp_path / "edges.csv"), features=str(tmp_path / "features.csv"), **options))


def test_typed_features(tmp_path: Path) -> None:
    own = graph(tmp_path, FEATURES, categorical="code", ignore="since")
    expected = [
        [1, 0, 0, 1, 1.5, 1, 0, 0],
        [0, 1, 0, 0, np.nan, 0, 1, 0],
        [1, 0, 1, 0, 2.5, 1, 0, 0],
        [1, 0, 0, 1, np.nan, 0, 0, 1],
    ]
    np.testing.assert_array_equal(own.data.x.numpy(), np.array(expected, dtype=np.float32))
    told = " ".join(own.read)
    for said in (
        "'team' is read as 3 categories (one of them for gaps)",
        "'height' has 2 gaps",
        "'code' is read as 3 categories",
    ):
        assert said in told
    days = graph(tmp_path, FEATURES, ignore="active,team,height,code").data.x
    assert days[:, 0].tolist()[:2] == [18262.0, 18264.0] and bool(days[2, 0].isnan())


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (FEATURES, {"ignore": "hight"}, "has no column 'hight': did you mean height"),
        (
            FEATURES.replace("2.5", "tall"),
            {},
            "line 4, column 5: expected a number, found 'tall'; data.categorical=height reads",
        ),
        (FEATURES.replace("2020-01-03", "3"), {}, "line 2, column 3: expected a number, .*two kinds of time in one column"),
        ("node,bio\n" + "".join(f"{name},text {name}{k}\n" for k in range(60) for name in "ab"), {}, "has a row already"),
        (
            "node,bio\n" + "".join(f"{k},text {k}\n" for k in ["a", "b", "c", "d", *range(200)]),
            {},
            "holds 204 texts, such as 'text .': give data.categ",
        ),
        ("node,at\na,1600000000.1\nb,1600000000.2\nc,1600000000.3\nd,1600000000.4\n", {}, "one and the same in float32"),
        (FEATURES, {"ignore": "active,since,team,height,code"}, "has no column of features left"),
    ],
)
def test_columns_that_are_refused(tmp_path: Path, features: str, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        graph(tmp_path, features, **options)


def test_gaps_are_filled_from_training_nodes_alone() -> None:
    """By a loop."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 4, generator=generator)
    x[torch.rand(12, 4, generator=generator) < 0.3] = torch.nan
    x[:, 2] = torch.arange(12.0)
    train = torch.tensor([0, 2, 3, 7, 9])
    gaps = find_gaps(x, train)
    filled, count = gaps.fill(x), gaps.count
    columns, flags = [], []
    for column in range(4):
        known = [float(x[node, column]) for node in train.tolist() if not x[node, column].isnan()]
        mean = sum(known) / len(known)
        columns.append([mean if value != value else value for value in x[:, column].tolist()])
        if any(value != value for value in x[:, column].tolist()):
            flags.append([float(value != value) for value in x[:, column].tolist()])
    torch.testing.assert_close(filled, torch.tensor(columns + flags).T, rtol=1e-6, atol=1e-7)
    assert count == len(flags) == 3
    others = x.clone()
    others[[1, 4, 5]] = 1e3  # held out: they decide nothing
    assert torch.equal(find_gaps(others, train).fill(others)[train, :4], filled[train, :4])
    known = x.nan_to_num()
    assert find_gaps(known, train).fill(known) is known
    never = x.clone()
    never[train, 0] = torch.nan
    assert find_gaps(never, train).fill(never)[train, 0].tolist() == [0.0] * 5


def test_a_data_set_with_gaps_and_weights(tmp_path: Path) -> None:
    lines = [f"{v},{(v + step) % 40},{step + v / 50}" for v in range(40) for step in (1, 2)]
    (tmp_path / "e.csv").write_text("source,target,weight\n" + "\n".join(lines))
    (tmp_path / "f.csv").write_text("node,x,y\n" + "".join(f"{v},{'' if v % 7 == 0 else v},{v * v}\n" for v in range(40)))
    (tmp_path / "l.csv").write_text("node,label\n" + "".join(f"{v},{v % 2}\n" for v in range(40)))
    asked = {"edges": tmp_path / "e.csv", "features": tmp_path / "f.csv"}
    node = load("custom", task="node", labels=tmp_path / "l.csv", **asked)
    assert node.graph.x is not None and node.graph.x.shape == (40, 3) and bool(node.graph.x.isfinite().all())
    assert any("a column with gaps is filled with the mean of the training nodes" in note for note in node.notes)
    assert any("weights are column 'weight'" in note for note in node.notes)
    link = load("custom", task="link", **asked)
    weights = {(u, v): w for (u, v), w in zip(link.graph.edge_index.T.tolist(), link.graph.edge_weight.tolist(), strict=True)}
    whole = {(u, v): w for (u, v), w in zip(node.graph.edge_index.T.tolist(), node.graph.edge_weight.tolist(), strict=True)}
    assert len(whole) == 160 and all(whole[pair] == weight for pair, weight in weights.items()) and len(weights) == 112
    for line in lines:
        source, target, weight = line.split(",")
        assert whole[int(source), int(target)] == whole[int(target), int(source)] == np.float32(weight)
