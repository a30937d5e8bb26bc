"""What a dishonest author of a claim would do: change what a zip holds, and list its digests again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphkit.verify import verify

Files = dict[str, bytes]


def unpacked(claim: Path) -> Files:
    """All files of a claim by name."""
    with zipfile.ZipFile(claim) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, out: Path) -> Path:
    """A zip of these files."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def forged(claim: Path, change: Callable[[Files], None], out: Path) -> Path:
    """A claim that was changed, with a claim.json that lists what it holds now."""
    files = unpacked(claim)
    change(files)
    manifest = json.loads(files.pop("claim.json"))
    manifest["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return packed({**files, "claim.json": json.dumps(manifest).encode()}, out)


def edit(files: Files, name: str, change: Callable[[Any], None]) -> None:
    """Change a JSON file."""
    document = json.loads(files[name])
    change(document)
    files[name] = json.dumps(document).encode()


def array(data: bytes) -> np.ndarray:
    """An array as a claim holds it."""
    return np.load(io.BytesIO(data), allow_pickle=False)


def npy(values: np.ndarray, **options: Any) -> bytes:
    """An array as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


def findings(path: Path, **asked: Any) -> str:
    """What does not hold of a claim, line by line."""
    found = verify(path, **asked)
    assert not found.holds
    return "\n".join(found.findings)
