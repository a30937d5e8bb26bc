"""The user's own files of a run: each is read once, whatever the number of seeds, and is the one that the run knows."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphkit.data.own.columns import GraphColumns
from graphkit.data.own.formats import inside, reading_of
from graphkit.data.own.graph import OwnGraph, read_own
from graphkit.data.own.graphs import OwnGraphs, read_own_graphs
from graphkit.data.own.images import OwnImages, read_own_images
from graphkit.data.own.interactions import Columns, Taken, read_taken
from graphkit.data.own.memory import InMemory
from graphkit.data.own.table import Reading
from graphkit.data.readers.inputs import InputFile, InputFolder, InputList, Source
from graphkit.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from graphkit.conf.schema import Data

PathLike = str | os.PathLike[str]


class OwnFiles:
    """Reads own files; a second request for the same ones is answered from memory.

    A pipe is read to its end once. A run cannot read it again, so its path is none to go back to.

    Args:
        known: What the run that goes on, or that is asked, read under each setting (`edges`, ...); only the same content is
            accepted, wherever it lies now.
        memory: Data in memory that stands in the place of a file, by setting.
    """

    def __init__(self, known: Mapping[str, Source] | None = None, memory: Mapping[str, InMemory] | None = None) -> None:
        self._known, self._memory = dict(known or {}), dict(memory or {})
        self.sources: dict[str, Source] = {}
        self._graphs: dict[tuple[object, ...], OwnGraph] = {}
        self._tables: dict[tuple[object, ...], Taken] = {}
        self._collections: dict[tuple[object, ...], OwnGraphs] = {}
        self._images: dict[tuple[object, ...], OwnImages] = {}

    def graph(self, options: Data) -> OwnGraph:
        """What `graphkit.data.own.graph.read_own` gives; the caller may put other tensors into its `data`.

        Args:
            options: Where `edges` and, if given, `features` and `labels` lie, and whether edges are `directed`.

        Raises:
            DataError: If a file is missing or malformed.
            CheckpointError: If it is not the file that the run read.
        """
        asked = _asked(options)
        if asked not in self._graphs:
            files = self._files(options, ("edges", "features", "labels"))
            masks = self._memory["labels"].masks if "labels" in self._memory else None
            self._graphs[asked] = read_own(
                files["edges"],
                files.get("features"),
                files.get("labels"),
                options.directed,
                columns=GraphColumns.of(options),
                reading=reading_for(options),
                format=options.format,
                masks=masks,
            )
            self._note(files)
        own = self._graphs[asked]
        return dataclasses.replace(own, data=copy.copy(own.data))

    def interactions(self, options: Data) -> tuple[Taken, Columns]:
        """What `graphkit.data.own.interactions.read_taken` gives, and the columns that it was read by.

        Args:
            options: Where `interactions` lie, and what their columns are called.

        Raises:
            DataError: If the file is missing or malformed.
            CheckpointError: If it is not the file that the run read.
        """
        columns = Columns(
            options.user_column,
            options.item_column,
            options.rating_column,
            options.min_rating,
            options.time_column,
            options.time_split or "global",
        )
        asked = _asked(options)
        if asked not in self._tables:
            files = self._files(options, ("interactions",))
            self._tables[asked] = read_taken(files["interactions"], columns, reading_for(options))
            self._note(files)
        return self._tables[asked], columns

    def graphs(self, options: Data) -> OwnGraphs:
        """What `graphkit.data.own.graphs.read_own_graphs` gives.

        Args:
            options: Where `graphs` and, if given, `edges`, `features` and `labels` lie, and how they are to be read.

        Raises:
            RequestError: If a file does not go with the form of `graphs`.
            DataError: If a file is missing or malformed.
            CheckpointError: If it is not the file that the run read.
        """
        asked = _asked(options)
        if asked not in self._collections:
            files = self._files(options, ("graphs", "edges", "features", "labels"))
            if Path(str(options.graphs)).is_dir():
                files["graphs"] = InputFolder(Path(str(options.graphs)))
            self._collections[asked] = read_own_graphs(
                **files, targets=options.targets, directed=options.directed, reading=reading_for(options)
            )
            self._note(files)
        return self._collections[asked]

    def images(self, options: Data) -> OwnImages:
        """What `graphkit.data.own.images.read_own_images` gives.

        Args:
            options: Where `images` lie, and what their `targets` are.

        Raises:
            RequestError: If Pillow is not installed, or `targets` does not fit.
            DataError: If a file is missing or malformed.
            CheckpointError: If it is not what the run read.
        """
        asked = _asked(options)
        if asked not in self._images:
            path = Path(str(options.images))
            if "images" in self._known and not path.exists():
                raise CheckpointError(f"data.images={path} is not there, and the run read it: {_advice('images')}")
            found = InputFolder(path) if path.is_dir() else InputList(path)
            self._images[asked] = read_own_images(found, targets=options.targets, reading=reading_for(options))
            self._note({"images": found})
        return self._images[asked]

    def _files(self, options: Data, keys: Sequence[str]) -> dict[str, Any]:
        """The files that were given, or what stands in their place; all that are missing are told at once."""
        given = {key: self._memory[key].part for key in keys if key in self._memory}
        paths = {key: inside(key, Path(path)) for key in keys if key not in given and (path := getattr(options, key))}
        missing = [
            f"{path} cannot be read (No such file or directory): name an existing file by data.{key}="
            for key, path in paths.items()
            if key not in self._known and not path.exists()
        ]
        if missing:
            raise DataError("\n".join(missing))
        return {**given, **{key: self._open(key, path) for key, path in paths.items()}}

    def _open(self, key: str, path: PathLike) -> InputFile:
        """A file to read; an ordinary one is compared first, so that nobody waits for what is then refused."""
        file = InputFile(Path(path))
        known = self._known.get(key)
        if known is not None and file.path.is_file():
            try:
                with file.path.open("rb") as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
                    size = content.tell()
            except OSError as error:
                raise DataError(f"data.{key}={path} cannot be read ({error.strerror}): name a file that can") from error
            _require_same(key, known, str(path), size, digest)
        elif known is not None and not file.path.exists():
            raise CheckpointError(f"data.{key}={path} is not there, and the run read it: {_advice(key)}")
        return file

    def _note(self, files: Mapping[str, Any]) -> None:
        for key, file in files.items():
            source = self.sources[key] = self._memory.get(key, file).source()
            if key in self._known:
                _require_same(key, self._known[key], source.typed, source.size, source.sha256)


def _asked(options: Data) -> tuple[object, ...]:
    """All that says which own files are read, and how."""
    return tuple(getattr(options, field.name) for field in dataclasses.fields(options) if field.metadata["own"])


def reading_for(options: Data) -> Reading:
    """How the settings say that own tables are read."""
    return reading_of(options.format, Reading(options.header, options.separator, options.comments, options.encoding))


def _require_same(key: str, known: Source, path: str, size: int, digest: str) -> None:
    if (size, digest) == (known.size, known.sha256):
        return
    differs = f"{size:,} bytes, not {known.size:,}" if size != known.size else f"SHA-256 {digest}, not {known.sha256}"
    raise CheckpointError(f"data.{key}={path} is not the file that the run read ({differs}): {_advice(key)}")


def _advice(key: str) -> str:
    return f"put it back as it was, or point to the run's own file with data.{key}=FILE"
