"""What a row of the table says: the files of a data set, its protocols, its source."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataFile:
    """A file that a data set is read from.

    Attributes:
        path: Where it lies below the data root, in the layout of the standard loaders.
        checksum: SHA-256 of its bytes in hex; 40 digits instead are git's id of the file in the publisher's repository.
        url: The publisher's address of the file, or of the zip archive that holds it.
        member: Its name inside that archive; empty where the address is the file itself.
        also: Checksums of other files that are as good: the same content in another order.
    """

    path: str
    checksum: str
    url: str
    member: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """How a data set is judged on a task.

    Attributes:
        statement: Split and graph in a plain sentence.
        metric: The judging metric.
        metrics: All metrics reported.
        reader: Reads the data for this task, where that is another one than the data set's.
    """

    statement: str
    metric: str
    metrics: tuple[str, ...]
    reader: str = ""


@dataclass(frozen=True)
class DatasetEntry:
    """A data set: what it is, how each task is judged on it, where it comes from.

    Attributes:
        name: The name it is asked for by.
        summary: What it holds, in a few words.
        protocols: Tasks it can be asked for, each with its protocol.
        source: Citation.
        url: The publisher's page.
        license: As stated by the publisher; empty where that is not known or not needed: see `url`.
        files: What is read from the data root; empty for embedded, generated and own data.
        reader: `module:function`, imported when the data is loaded. It gets a `graphkit.data.sources.DataRequest` and gives the
            source of which a task's builder makes data, e.g. a `GraphSource`.
        takes_split: Whether `data.split` applies; elsewhere the name fixes the split.
        timed: Whether `data.time_split` applies, though it is no own data.
        directed: Whether its edges keep their direction; else its graph is symmetric, without self-loops.
        row_normalized: Whether each node's features are scaled to sum to 1 after reading, as the protocol says.
    """

    name: str
    summary: str
    protocols: dict[str, Protocol]
    source: str
    url: str = ""
    license: str = ""
    files: tuple[DataFile, ...] = ()
    reader: str = field(kw_only=True)
    takes_split: bool = False
    timed: bool = False
    directed: bool = False
    row_normalized: bool = False

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks it can be asked for."""
        return tuple(self.protocols)

    @property
    def own(self) -> bool:
        """Whether it stands for the user's own files."""
        return self.name == "custom"

    @property
    def embedded(self) -> bool:
        """Whether it needs no file and no download."""
        return not self.files and not self.own
