"""What columns are for, and how they are usually called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graphkit.errors import DataError, shown
from graphkit.nearest import did_you_mean


@dataclass(frozen=True)
class Role:
    """What a column is for.

    Attributes:
        name: E.g. `source`; `data.source_column` names the column.
        words: Usual headers, in lower case without anything but letters and digits; an earlier one wins.
    """

    name: str
    words: tuple[str, ...]

    @property
    def setting(self) -> str:
        """The setting that names the column."""
        return f"data.{self.name}_column"

    def guess(self, header: Sequence[str]) -> int | None:
        """The column with the first of the usual names, None where there is none."""
        plain = [plain_name(text) for text in header]
        return next((plain.index(word) for word in self.words if word in plain), None)


SOURCE = Role(
    "source",
    (
        *("source", "sourceid", "sourcenode", "src", "srcid", "from", "fromid", "fromnode", "fromnodeid", "startid", "start"),
        *("head", "u", "node1", "id1", "nodea", "usera", "sender", "follower", "subject", "citing", "citingpaper"),
    ),
)
TARGET = Role(
    "target",
    (
        *("target", "targetid", "targetnode", "dst", "dstid", "to", "toid", "tonode", "tonodeid", "endid", "end"),
        *("tail", "v", "node2", "id2", "nodeb", "userb", "receiver", "followee", "object", "cited", "citedpaper"),
    ),
)
NODE = Role("node", ("node", "nodeid", "id", "name", "nodename", "vertex"))
LABEL = Role("label", ("label", "labels", "class", "y", "target", "category"))
WEIGHT = Role("weight", ("weight", "weights", "edgeweight"))
USER = Role("user", ("user", "userid", "users", "uid", "customer", "customerid", "reviewerid"))
ITEM = Role(
    "item", ("item", "itemid", "items", "iid", "movieid", "product", "productid", "asin", "artistid", "businessid", "bookid")
)
RATING = Role("rating", ("rating", "ratings", "stars", "score", "overall"))
TIME = Role("time", ("time", "timestamp", "unixreviewtime", "date", "datetime"))


def plain_name(text: str) -> str:
    """A header without case, blanks and marks, and without what RecBole (`user_id:token`) and Neo4j (`id:ID(A)`) put behind."""
    text = re.sub(r"\(.*\)$", "", text.strip())
    front, mark, behind = text.partition(":")
    chosen = behind if mark and (not front or behind.lower() in ("id", "start_id", "end_id")) else front
    return re.sub("[^a-z0-9]", "", chosen.lower())


def named(name: str, header: Sequence[str] | None, width: int, role: Role, given: str) -> int:
    """The column that the user named: by its header, or by its number from 1 where no header says so.

    Raises:
        DataError: If there is none, or more than one.
    """
    header = header or ()
    said = header if given in header else tuple(title.partition(":")[0] for title in header)  # RecBole's `rating:float`
    if (count := said.count(given)) == 1:
        return said.index(given)
    if count > 1:
        raise DataError(f"{name} has {count} columns '{shown(given)}': rename all but one")
    if given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= width:
        return int(given) - 1
    if not header:
        raise DataError(f"{name} has no header and {width} columns: give {role.setting}= a number from 1 to {width}")
    close = did_you_mean(given, header)
    told = f"{close}; its" if close else ": its"
    raise DataError(
        f"{name} has no column '{shown(given)}'{told} header is {shown(', '.join(header), 200)}: name the right one by "
        f"{role.setting}="
    )
