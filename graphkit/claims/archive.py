"""A claim as a zip file: JSON documents and arrays, written so that the same run gives the same bytes, read with suspicion."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import graphkit
from graphkit.errors import ClaimError, RequestError, RunError, shown
from graphkit.training.digests import sha256
from graphkit.training.files import replaced

VERSION = 1
MANIFEST = "claim.json"
DOCUMENTS = ("data.json", "metric.json", "result.json")

_FORMAT = "graphkit claim"
_NAME = re.compile(r"(claim|data|metric|result)\.json|seed-(0|[1-9][0-9]{0,9})/[a-z0-9_]{1,60}\.npy")
_MOST_FILES = 1 << 20
_LARGEST_DOCUMENT, _LARGEST_ARRAY, _LARGEST = 1 << 25, 1 << 30, 1 << 33
_DAMAGED = (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile)
"""What zipfile raises on a broken file; RuntimeError where its flags ask for a password."""

Arrays = Mapping[str, np.ndarray]


def array_name(seed: int, name: str) -> str:
    """Where a claim keeps an array of a seed."""
    return f"seed-{seed}/{name}.npy"


def write_archive(path: Path, documents: Mapping[str, Any], arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """Write a claim, replacing the file as a whole.

    Args:
        path: The file.
        documents: Plain values by name.
        arrays: Arrays of numbers by name; one is in memory at a time.

    Returns:
        The SHA-256 of its claim.json, which lists that of everything else: it names the claim.

    Raises:
        RunError: If the file cannot be written.
    """
    files: dict[str, str] = {}
    try:
        with replaced(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, array in arrays:
                files[name] = _put(archive, name, _npy(array))
            for name, document in documents.items():
                files[name] = _put(archive, name, _json(document))
            manifest = {"format": _FORMAT, "version": VERSION, "graphkit": graphkit.__version__, "files": files}
            return _put(archive, MANIFEST, _json({**manifest, "files": dict(sorted(files.items()))}))
    except OSError as error:
        raise RunError(f"cannot write {path} ({error.strerror}): name another file with out=") from error


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> str:
    info = zipfile.ZipInfo(name)  # of 1980, as every claim: the time of writing is no part of it
    info.create_system, info.external_attr, info.compress_type = 3, 0o644 << 16, zipfile.ZIP_DEFLATED
    archive.writestr(info, data, compresslevel=6)
    return sha256(data)


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _npy(array: np.ndarray) -> bytes:
    """The array as .npy; whole numbers of 32 bits where these do."""
    if array.dtype.kind == "i" and array.size and np.abs(array).max() < 1 << 31:
        array = array.astype(np.int32)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


class Archive:
    """A claim's file. Names, sizes and form are checked before anything is unpacked, and nothing is ever written to disk.

    Args:
        path: The file.

    Raises:
        RequestError: If there is no such file.
        ClaimError: If it is no claim.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise RequestError(f"claim={path}: there is no such file, name a claim that graphkit.claim wrote")
        self._zip = self._opened()
        manifest = self.document(MANIFEST)
        self.digest = sha256(self._read(MANIFEST))
        self._files = self._listed(manifest)
        if missing := [name for name in DOCUMENTS if name not in self._sizes]:
            raise self._refused(f"it lacks {missing[0]}")

    @property
    def names(self) -> tuple[str, ...]:
        """The files that it holds, without claim.json."""
        return tuple(sorted(name for name in self._sizes if name != MANIFEST))

    def changes(self) -> list[str]:
        """A sentence for each file that is not what claim.json lists."""
        found = [f"{name} is missing, and claim.json lists it" for name in self._files if name not in self._sizes]
        found += [f"{name} was added: claim.json does not list it" for name in self.names if name not in self._files]
        for name in self.names:
            if name in self._files and self._sha256(name) != self._files[name]:
                found.append(f"{name} was changed: its SHA-256 is not the one in claim.json")
        return found

    def document(self, name: str) -> Any:
        """The plain values of a JSON file."""
        try:
            return json.loads(self._read(name))
        except (ValueError, RecursionError) as error:
            raise self._refused(f"{name} is no JSON") from error

    def arrays(self, seed: int) -> dict[str, np.ndarray]:
        """The arrays of a seed by name."""
        folder = f"seed-{seed}/"
        return {name.removeprefix(folder)[:-4]: self._array(name) for name in self.names if name.startswith(folder)}

    def seeds(self) -> set[int]:
        """The seeds of which it holds arrays."""
        return {int(name.partition("/")[0].removeprefix("seed-")) for name in self.names if name not in DOCUMENTS}

    def _array(self, name: str) -> np.ndarray:
        """An array of numbers; its header is compared with its size before it is believed."""
        data = self._read(name)
        stream = io.BytesIO(data)
        try:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError("another version")
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
            size = math.prod(shape) * dtype.itemsize
            if dtype.kind not in "fi" or not dtype.isnative or by_column or size != len(data) - stream.tell():
                raise ValueError("no plain array of numbers")
            return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape).copy()
        except (ValueError, TypeError, SyntaxError, RecursionError) as error:
            raise self._refused(f"{name} is no array of numbers") from error

    def _opened(self) -> zipfile.ZipFile:
        try:
            archive = zipfile.ZipFile(self.path)
        except _DAMAGED as error:
            raise self._refused("it is no zip file, or a truncated one") from error
        members = archive.infolist()
        self._sizes = {member.filename: member.file_size for member in members}
        if len(members) > _MOST_FILES or len(self._sizes) < len(members):
            raise self._refused("it holds too many files, or one twice")
        for member in members:
            if not _NAME.fullmatch(member.filename):
                raise self._refused(f"no claim holds a file '{shown(member.filename)}'")
            largest = _LARGEST_DOCUMENT if member.filename.endswith(".json") else _LARGEST_ARRAY
            if member.file_size > largest:
                raise self._refused(f"{member.filename} unpacks to {member.file_size:,} bytes, {largest:,} are the most")
        if (total := sum(self._sizes.values())) > _LARGEST:
            raise self._refused(f"it unpacks to {total:,} bytes, {_LARGEST:,} are the most")
        if MANIFEST not in self._sizes:
            raise self._refused(f"it lacks {MANIFEST}")
        return archive

    def _listed(self, manifest: Any) -> dict[str, str]:
        """The digests that claim.json lists."""
        files = manifest.get("files") if isinstance(manifest, dict) else None
        if not isinstance(files, dict) or manifest.get("format") != _FORMAT:
            raise self._refused(f"{MANIFEST} is no list of a claim's files")
        if manifest.get("version") != VERSION:
            told = shown(str(manifest.get("version")))
            raise ClaimError(
                f"{self.path} is a claim of version {told}, this graphkit reads version {VERSION}: take another one"
            )
        if not all(_NAME.fullmatch(name) and isinstance(digest, str) for name, digest in files.items()):
            raise self._refused(f"{MANIFEST} lists what no claim holds")
        return files

    def _read(self, name: str) -> bytes:
        """A file's bytes: never more than its entry in the zip tells, which has been checked."""
        try:
            with self._zip.open(name) as member:
                return member.read()
        except _DAMAGED as error:
            raise self._refused(f"{name} is truncated or damaged") from error

    def _sha256(self, name: str) -> str:
        try:
            with self._zip.open(name) as member:
                return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
        except _DAMAGED as error:
            raise self._refused(f"{name} is truncated or damaged") from error

    def _refused(self, reason: str) -> ClaimError:
        return ClaimError(f"{self.path} is no claim ({reason}): ask for the file that graphkit.claim wrote")
