"""data.json and names/: what a run was made on, so that it goes on with, and answers from, nothing else. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from graphkit.data.readers.inputs import Source
from graphkit.errors import CheckpointError

if TYPE_CHECKING:
    from graphkit.data.catalog import DatasetEntry
    from graphkit.data.dataset import Dataset

RECORD = "data.json"


@dataclass(frozen=True)
class DataRecord:
    """What a run was made on.

    Attributes:
        dataset: The name of the data set.
        root: The data folder that the run named, absolute; None: the usual one of the machine.
        files: The own files by setting (`edges`, `features`, `labels`, `interactions`).
        published: Checksums of the files of a data set that has a name, by their path below the data folder.
        sizes: Numbers of nodes, users or whatever the data holds.
    """

    dataset: str
    root: str | None
    files: Mapping[str, Source]
    published: Mapping[str, str]
    sizes: Mapping[str, int]

    @classmethod
    def of(cls, dataset: Dataset, entry: DatasetEntry, root: str | None, files: Mapping[str, Source]) -> DataRecord:
        """The record of a data set that was loaded.

        Args:
            dataset: What was loaded.
            entry: Its row in the catalog.
            root: The data folder, absolute, where one was named.
            files: What was read of the user's own.
        """
        return cls(dataset.name, root, dict(files), {file.path: file.checksum for file in entry.files}, dataset.sizes())

    def to_json(self) -> bytes:
        """The content of data.json."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> DataRecord:
        """Read what `to_json` gave.

        Raises:
            ValueError: If it is something else.
        """
        raw = json.loads(data)
        if not isinstance(raw, dict) or raw.keys() != {field.name for field in fields(cls)}:
            raise ValueError("no record of data")
        try:
            return cls(**{**raw, "files": {key: Source(**source) for key, source in raw["files"].items()}})
        except (TypeError, AttributeError) as error:
            raise ValueError("no record of data") from error

    def require_same(self, now: DataRecord) -> None:
        """Compare with what was loaded now; own files were compared when they were read.

        Raises:
            CheckpointError: If a data set of the same name is another one now.
        """
        changed = [path for path in self.published if now.published.get(path) != self.published[path]]
        if changed or self.published.keys() != now.published.keys():
            path = changed[0] if changed else next(iter(now.published.keys() - self.published.keys()))
            raise CheckpointError(
                f"data set {self.dataset!r} has another file {path} in this version of graphkit than the run was made on: "
                "go on with the version in the run's env.json, or start a new run"
            )
        for what, size in self.sizes.items():
            found = now.sizes.get(what, 0)
            if found != size:
                raise CheckpointError(
                    f"data set {self.dataset!r} has {found:,} {what}, the run was made on {size:,}: go on with the same data "
                    "and the versions in the run's env.json, or start a new run"
                )


def names_files(dataset: Dataset) -> dict[str, bytes]:
    """The names that the data has, of nodes, users or whatever it holds: files of a JSON list each, one name per line."""
    return {f"names/{kind}.json": _list(names) for kind, names in dataset.names().items() if names}


def _list(names: tuple[str, ...]) -> bytes:
    return (json.dumps(names, ensure_ascii=False, indent=0) + "\n").encode()
