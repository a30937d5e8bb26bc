"""Tables: whatever the loader takes, a plain reader finds the same in it; all else is refused with file and place."""

from __future__ import annotations

import bz2
import gzip
import random
import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from graphkit.data.own.graph import OwnGraph, read_own
from graphkit.data.own.interactions import Columns, read_interactions
from graphkit.data.own.table import Reading, cells, plain, read_table
from graphkit.data.own.table import Table as OwnTable
from graphkit.data.own.table.roles import ITEM, NODE, SOURCE, TARGET, USER, Role
from graphkit.errors import DataError
from tests.fuzz.harness import refused, require
from tests.fuzz.plain_tables import Form, Graph, Malformed, Table, counted, graph_of, interactions_of, ordered, rows_of

_PLACE = re.compile(
    r", line (\d+)|not text in |holds no |needs one column|cannot be read|cannot tell|has (no|one) column|has \d+ columns|"
    r"no table|damaged|longer than|look alike|has no header|is empty|in float32|different texts|holds \d|and edges need|sep="
)
_CHARACTERS = "\0\x01\x1b\x7f\x85\u2028\ufeff\t\r\n\"',;|é٣\u200d\U0001f600#%"
_MARKS = {"tabs": "\t", "semicolons": ";", "bars": "|", "'::'": "::", "blanks": " "}


def case(rng: random.Random) -> str:
    """One table, or the three of a graph, well-formed or with one of them broken."""
    block = rng.choice((24, 1 << 24))  # so that small tables have many blocks, too
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(plain, "_LARGEST_BLOCK", block):
        return (_interactions if rng.random() < 0.35 else _graph)(rng, Path(folder), rng.random() < 0.6)


# ------------------------------------------------------------------------------------------------------------- judging


def _graph(rng: random.Random, folder: Path, broken: bool) -> str:
    made = {name: one for name, one in zip(("edges", "features", "labels"), _make_graph(rng), strict=True) if one is not None}
    files = {name: content for name, (content, _) in made.items()}
    if broken:
        which = rng.choice(sorted(files))
        files[which] = _break(rng, files[which])
    paths = {name: folder / f"{name}.csv" for name in files}
    for name, path in paths.items():
        path.write_bytes(files[name])
    directed = rng.random() < 0.5
    try:
        own = read_own(**paths, directed=directed)
    except DataError as error:
        return _refused(error, folder, broken, files)
    found: dict[str, tuple[Table, Form]] = {}
    known: set[str] = set()
    for name, path in paths.items():
        needed = (SOURCE, TARGET) if name == "edges" else (NODE,)
        taken = _read(path, files[name], needed, known)
        form = _taken(taken)
        require(broken or form == made[name][1] or _like_a_header(taken), f"{form} for {made[name][1]}: {_told(files)}")
        found[name] = rows_of(files[name], form), form
        known = known or {cell for row in found[name][0][form.header :] for cell in row[:2]}
    try:
        expected = graph_of(found["edges"], found.get("features"), found.get("labels"))
    except Malformed as reason:
        # Dates, truth values, categories and gaps, which a break may make of numbers, are not this reader's business.
        require(broken and str(reason) in ("number", "range"), f"accepted, though malformed ({reason}): {_told(files)}")
        return "accepted, with other features"
    _compare(own, expected, directed)
    return "accepted, broken" if broken else "accepted"


def _read(path: Path, content: bytes, needed: Sequence[Role], known: Collection[str] = ()) -> OwnTable:
    """A table, which has as many rows and distinct cells as the csv module counts, and is the same without the fast way."""
    taken = read_table(path, Reading(), needed, (), known)
    with mock.patch.object(cells, "plain_columns", lambda *_: None):
        other = read_table(path, Reading(), needed, (), known)
    for one in ("header", "took", "rows"):
        require(getattr(taken, one) == getattr(other, one), f"{one} is not what the csv module gives: {content[:600]!r}")
    for column, same in zip(taken.columns, other.columns, strict=True):
        require(column.texts() == same.texts(), f"{column.texts()} for {same.texts()}: {content[:600]!r}")
    rows, sizes = counted(content, _taken(taken))
    head = taken.header or [None] * len(taken.columns)
    found = [len({*column.values, *([] if text is None else [text])}) for text, column in zip(head, taken.columns, strict=True)]
    told = f"{taken.rows} rows with {found} distinct cells for {rows} with {sizes}: {content[:600]!r}"
    require(taken.rows + (taken.header is not None) == rows and found == sizes, told)
    return taken


def _like_a_header(table: OwnTable) -> bool:
    """A first row that could as well be a header, words above numbers, is taken for one, and this is told."""
    assert table.header is not None
    cells = {text for column in table.columns for text in column.values}
    return "; ".join(table.took).endswith("numbers; data.header=false reads it as data") and cells.isdisjoint(table.header)


def _taken(table: OwnTable) -> Form:
    """How the library says that it took a table."""
    told = "; ".join(table.took)
    separator = re.search("columns separated by ([^;]+)", told)
    above = re.search(r"(\d+) lines of comments", told)
    encoding = re.search("text in ([^;]+)", told)
    packed = re.search("(gzip|bz2) unpacked", told)
    return Form(
        _MARKS[separator.group(1)] if separator else ",",
        encoding.group(1) if encoding else "utf-8",
        packed.group(1) if packed else "",
        int(above.group(1)) if above else 0,
        table.header is not None,
    )


def _compare(own: OwnGraph, expected: Graph, directed: bool) -> None:
    require(list(own.names.nodes) == expected.nodes, f"nodes {own.names.nodes!r} for {expected.nodes!r}")
    require(list(own.names.classes) == expected.classes, f"classes {own.names.classes!r} for {expected.classes!r}")
    names = own.names.nodes
    assert own.data.edge_index is not None
    found = [(names[u], names[v]) for u, v in own.data.edge_index.T.tolist()]
    wanted = set(expected.edges) if directed else {pair for u, v in expected.edges if u != v for pair in ((u, v), (v, u))}
    require(len(found) == len(set(found)) and set(found) == wanted, f"edges {sorted(found)} for {sorted(wanted)}")
    if expected.features:
        x = np.array([expected.features[name] for name in names]).astype(np.float32)
        require(np.array_equal(own.data.x.numpy(), x), f"features {own.data.x.tolist()} for {x.tolist()}")
    if expected.labels:
        found_labels = {name: own.names.classes[y] for name, y in zip(names, own.data.y.tolist(), strict=True) if y >= 0}
        require(found_labels == expected.labels, f"labels {found_labels} for {expected.labels}")
    loops = 0 if directed else sum(u == v for u, v in expected.edges)
    distinct = len(set(expected.edges)) if directed else len({frozenset(pair) for pair in expected.edges if len(set(pair)) > 1})
    repeated = len(expected.edges) - loops - distinct
    told = " ".join(own.notes)
    for count, what in ((loops, "self-loops"), (repeated, "repeated edges")):
        dropped = re.search(rf"Dropped[^.]*?(\d+) {what}", told)
        require((int(dropped.group(1)) if dropped else 0) == count, f"notes {told!r} for {count} {what}")


def _interactions(rng: random.Random, folder: Path, broken: bool) -> str:
    least, timed = rng.choice((None, 3.0)), rng.random() < 0.4
    content, form = _make_interactions(rng)
    if broken:
        content = _break(rng, content)
    path = folder / "interactions.csv"
    path.write_bytes(content)
    columns = Columns(min_rating=least, time="time" if timed else None, time_split="user")
    try:
        read, notes, _ = read_interactions(path, columns, (0.6, 0.2, 0.2), torch.Generator().manual_seed(0))
    except DataError as error:
        return _refused(error, folder, broken or "rated high enough" in str(error), {"interactions": content})
    taken = _read(path, content, (USER, ITEM))
    if broken:
        form = _taken(taken)
    try:
        expected = interactions_of(rows_of(content, form), form, least, timed)
    except Malformed as reason:
        require(broken and str(reason) == "columns", f"accepted, though malformed ({reason}): {content[:600]!r}")
        return "accepted, with other columns"  # found by another of their usual names
    kept, low = expected
    users, items = ordered({user for user, _ in kept}), ordered({item for _, item in kept})
    require(
        list(read.user_names) == users and list(read.item_names) == items, f"{read.user_names} {read.item_names} for {kept}"
    )
    pairs = [tuple(pair) for part in read.splits.values() for pair in part.T.tolist()]
    found = [(users[user], items[item]) for user, item in pairs]
    require(len(found) == len(set(found)) and set(found) == set(kept), f"interactions {sorted(found)} for {sorted(kept)}")
    told = " ".join(notes)
    for count, what in ((low, "interactions rated below"), (len(kept) - len(set(kept)), "repeated interactions")):
        require((f"{count:,} {what}" in told) == (count > 0), f"notes {told!r} for {count} {what}")
    return "accepted, broken" if broken else "accepted"


def _refused(error: DataError, folder: Path, broken: bool, files: dict[str, bytes]) -> str:
    text = str(error)
    unclear = "cannot tell" in text
    require(broken or unclear, f"refused, though well-formed: {error}: {_told(files)}")
    for line in text.split("\n"):
        require(line.startswith(f"{folder}/") or line.startswith("ids '"), f"no file in {line!r}")
    require(_PLACE.search(text) is not None, f"no place in {text!r}")
    return ("unclear, " if unclear and not broken else "") + refused(error)


def _told(files: dict[str, bytes]) -> str:
    return ", ".join(f"{name}: {content[:300]!r}" for name, content in files.items())


# -------------------------------------------------------------------------------------------------------------- making


Made = tuple[bytes, Form]


def _make_graph(rng: random.Random) -> tuple[Made, Made | None, Made | None]:
    ids = _ids(rng, rng.randint(2, 12))
    edges = [[rng.choice(ids), rng.choice(ids)] for _ in range(rng.randint(1, 30))]
    width = rng.randint(1, 4)
    features = [[name, *(_figure(rng) for _ in range(width))] for name in ids]
    classes = _ids(rng, rng.randint(1, 4))
    labels = [[name, rng.choice(classes)] for name in rng.sample(ids, rng.randint(1, len(ids)))]
    for rows in (edges, features, labels):
        rng.shuffle(rows)
    ends = rng.choice((["source", "target"], ["citing", "cited"], ["user_a", "user_b"], ["from_id", "to_id"]))
    heads = ends, ["id", *(f"x{i}" for i in range(width))], ["node", rng.choice(("label", "topic"))]
    made = [
        _write(rng, rows, head if rng.random() < 0.5 else None)
        for rows, head in zip((edges, features, labels), heads, strict=True)
    ]
    return made[0], made[1] if rng.random() < 0.6 else None, made[2] if rng.random() < 0.6 else None


def _make_interactions(rng: random.Random) -> Made:
    users, items, moment = _ids(rng, rng.randint(1, 8)), _ids(rng, rng.randint(1, 8)), rng.choice((_second, _date))
    rows = [
        [rng.choice(users), rng.choice(items), str(rng.randint(1, 5)), moment(rng), rng.choice(("x", "so, so", 'a "b"', "é"))]
        for _ in range(rng.randint(1, 40))
    ]
    order = rng.sample(range(5), 5)
    header = [("user", "item", "rating", "time", "text")[at] for at in order]
    return _write(rng, [[row[at] for at in order] for row in rows], header)


def _ids(rng: random.Random, count: int) -> list[str]:
    """Distinct ids of one kind, or of all: integers of any length, words, and what is hard to write in CSV."""
    integers = [str(rng.randint(-20, 20)) for _ in range(count)] + ["007", "-0", "1" + "0" * 30, "9" * 4400, "-" + "8" * 4400]
    words = [
        "ann",
        "Bob",
        "größe",
        "日本",
        "a b",
        "x-1",
        "1.5",
        "1e3",
        "=1+1",
        "@x",
        "+1",
        "\U0001f600",
        "a\u200db",
        "nan",
        "-",
    ]
    hard = ["a,b", 'say "x"', '"', "'n", ",", '""', ";", "#1", "\\", "a'b"]
    pool = rng.choice((integers, words, words + hard, integers + words + hard))
    return rng.sample(sorted(set(pool)), min(count, len(set(pool))))


def _figure(rng: random.Random) -> str:
    return rng.choice(
        (repr(rng.uniform(-1e3, 1e3)), str(rng.randint(-9, 9)), f"{rng.uniform(-1, 1):.3e}", "0", "1e-30", ".5", "-0.0")
    )


def _second(rng: random.Random) -> str:
    return str(rng.randint(0, 10**9))


def _date(rng: random.Random) -> str:
    return rng.choice((f"2024-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T12:00:00", "1999-12-31"))


def _write(rng: random.Random, rows: list[list[str]], header: list[str] | None) -> Made:
    """A table in one of many styles, without the csv module."""
    end = rng.choice(("\n", "\r\n", "\r"))
    always, blanks = rng.random() < 0.2, rng.random() < 0.3
    body = [header, *rows] if header is not None else rows
    cells = [cell for row in body for cell in row]
    separators = [",", ",", ";", "\t", "|"]
    if not any(re.search('[" \t,;|]|::|^:|:$', cell) or not cell for cell in cells):
        separators += ["::", " ", " "]  # nobody quotes there
    separator = rng.choice(separators)
    quoting = len(separator) == 1 and separator != " "

    def cell(text: str) -> str:
        if quoting and (always or any(one in text for one in f'{separator}"\r\n') or rng.random() < 0.05):
            return '"' + text.replace('"', '""') + '"'
        spaces = ("", " ", "\t") if separator != "\t" else ("", " ")
        return rng.choice(spaces) + text + rng.choice(("", "  ", "\u3000")) if blanks and quoting else text

    lines = [separator.join(map(cell, row)) for row in body]
    if rng.random() < 0.15 and separator != " ":
        lines = [line + separator for line in lines]
    for _ in range(rng.choice((0, 0, 2))):
        lines.insert(rng.randint(0, len(lines)), "")
    comments = [f"# made by {name}" for name in rng.sample(("hand", "x, y", "a tool"), rng.choice((0, 0, 0, 1, 2)))]
    text = end.join(comments + lines) + rng.choice(("", end, end + end))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"))
    packed = rng.choice(("", "", "", "", "gzip", "bz2"))
    content = {"": bytes, "gzip": gzip.compress, "bz2": bz2.compress}[packed](text.encode(encoding))
    return content, Form(separator, encoding.removesuffix("-sig"), packed, len(comments), header is not None)


def _break(rng: random.Random, content: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = rng.choice(_BREAKS)(rng, content)
    return content


def _at(rng: random.Random, content: bytes) -> int:
    return rng.randint(0, len(content))


def _flip(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(rng: random.Random, content: bytes) -> bytes:
    at = _at(rng, content)
    return content[:at] + rng.choice(_CHARACTERS).encode() + content[at:]


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: _at(rng, content)]


def _again(rng: random.Random, content: bytes) -> bytes:
    """The file twice, as by a careless cat."""
    return content + rng.choice((b"", b"\n")) + content


def _first_line_again(rng: random.Random, content: bytes) -> bytes:
    lines = re.split(rb"(?<=[\r\n])(?![\r\n])", content)
    lines.insert(rng.randint(1, len(lines)), lines[0])
    return b"".join(lines)


def _ragged(rng: random.Random, content: bytes) -> bytes:
    commas = [at for at, one in enumerate(content) if one == ord(",")]
    if not commas:
        return content
    at = rng.choice(commas)
    return content[:at] + rng.choice((b"", b",,", b"\n", b";")) + content[at + 1 :]


def _drop_line(rng: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def _huge(rng: random.Random, content: bytes) -> bytes:
    at = _at(rng, content)
    return content[:at] + rng.choice((b"7" * 5_000, b"x" * 5_000, b"7" * 140_000, b'"' * 999, b"," * 5_000)) + content[at:]


def _encoded(rng: random.Random, content: bytes) -> bytes:
    return content.decode("utf-8", "replace").encode(
        rng.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252")), "replace"
    )


def _other(rng: random.Random, content: bytes) -> bytes:
    return rng.choice(
        (b"", b"\n", b",", b'"', b"\0" * 50, bytes(rng.randrange(256) for _ in range(60)), content.replace(b",", b";"))
    )


_BREAKS = (_flip, _flip, _insert, _insert, _cut, _again, _first_line_again, _ragged, _drop_line, _huge, _encoded, _other)
