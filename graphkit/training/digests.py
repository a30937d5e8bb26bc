"""digests.json: the SHA-256 of every file that is read back from a run folder. Imports no torch.

A digest is written before its file. A run that is killed between the two has no result.json yet (or still its earlier
config.yaml, whose digest stays listed), so that the folder can be resumed; what is listed too early is written again then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graphkit.errors import CheckpointError
from graphkit.training.files import read_whole, write_atomic

DIGESTS = "digests.json"
MARK = b"# A run of graphkit; digests.json beside it has the SHA-256 of this file.\n"
"""First line of a config.yaml whose folder has digests; without it the folder was made before there were any."""

_SMALL = 1 << 24
_ADVICE = "put the run's own file back, or start the run again"


def sha256(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of an ordinary file, in hex.

    Raises:
        CheckpointError: If it is missing or no ordinary file.
    """
    try:
        return sha256(read_whole(path))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: {_ADVICE}") from None


class Digests:
    """What digests.json of a run folder says.

    Args:
        folder: The run folder.
        files: The allowed SHA-256 of each file, by its name below the folder; two while the file is being replaced.
        lengths: `train.epochs` of each configuration that this run has had, by `artifacts.config_digest`; resuming with more
            epochs adds one, and checkpoints of the earlier ones are its own.
    """

    def __init__(
        self, folder: Path, files: Mapping[str, Iterable[str]] | None = None, lengths: Mapping[str, int] | None = None
    ) -> None:
        self._folder = folder
        self._files = {name: tuple(allowed) for name, allowed in (files or {}).items()}
        self.lengths = dict(lengths or {})

    @classmethod
    def read(cls, folder: Path) -> Digests | None:
        """The digests of a run folder; None for a folder that was made before there were any.

        Raises:
            CheckpointError: If they are missing or damaged.
        """
        path = folder / DIGESTS
        try:
            files, lengths = _parse(json.loads(read_whole(path, _SMALL)))
        except FileNotFoundError:
            if _is_marked(folder / "config.yaml"):
                reason = f"so that nothing in {folder} can be checked"
                raise CheckpointError(f"{path} is missing, {reason}: {_ADVICE}") from None
            return None
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is truncated or was changed: {_ADVICE}") from error
        return cls(folder, files, lengths)

    @property
    def names(self) -> tuple[str, ...]:
        """The files that are listed."""
        return tuple(self._files)

    def holds(self, name: str) -> bool:
        """Whether a file is listed."""
        return name in self._files

    def check(self, name: str, data: bytes | None = None, advice: str = _ADVICE) -> None:
        """Compare a file with its digest.

        Args:
            name: Its name below the folder.
            data: Its content where it has been read already; None: read here.
            advice: What to do, for the message.

        Raises:
            CheckpointError: If it differs, or has no digest.
        """
        path = self._folder / name
        found = file_sha256(path) if data is None else sha256(data)
        if found not in self._files.get(name, ()):
            reason = "its SHA-256 is not the one in" if self.holds(name) else "there is no SHA-256 of it in"
            raise CheckpointError(f"{path} is truncated or was changed ({reason} {DIGESTS}): {advice}")

    def record(self, digests: Mapping[str, str], *, beside: bool = False) -> None:
        """List the digests of files that are about to be written.

        Args:
            digests: SHA-256 by name.
            beside: Keep the earlier digests of these files, too: the file on the disk is then right at every moment.
        """
        for name, digest in digests.items():
            earlier = self._files.get(name, ()) if beside else ()
            self._files[name] = tuple(dict.fromkeys((*earlier, digest)))
        record = {"lengths": self.lengths, "files": {name: list(allowed) for name, allowed in sorted(self._files.items())}}
        write_atomic(self._folder / DIGESTS, (json.dumps(record, indent=2) + "\n").encode())


def age_note(folder: Path) -> str | None:
    """A sentence on a run folder that was made before there were digests; None for all others."""
    if Digests.read(folder) is not None:
        return None
    return f"{folder} was made before runs kept digests and what they were made on: its files and the data are not compared"


def _is_marked(path: Path) -> bool:
    try:
        return read_whole(path).startswith(MARK)
    except FileNotFoundError:
        return False


def _parse(raw: Any) -> tuple[dict[str, list[str]], dict[str, int]]:
    """ValueError unless `raw` is what `Digests.record` writes."""
    files, lengths = (raw.get("files"), raw.get("lengths")) if isinstance(raw, dict) else (None, None)
    if not isinstance(files, dict) or not isinstance(lengths, dict):
        raise ValueError("no digests")
    if not all(isinstance(allowed, list) and all(isinstance(one, str) for one in allowed) for allowed in files.values()):
        raise ValueError("no digests of files")
    if not all(type(epochs) is int for epochs in lengths.values()):
        raise ValueError("no numbers of epochs")
    return files, lengths
