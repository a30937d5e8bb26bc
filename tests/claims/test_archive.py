"""Files that are no claims: every one is refused in one sentence, with exit 2, before anything is unpacked."""

from __future__ import annotations

import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphkit.claims import archive
from graphkit.errors import ClaimError
from graphkit.verify import main, verify
from tests.claims.forging import Files, edit, forged, npy, packed, unpacked


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([f"claim={path}"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed
    return printed.err


def drop(name: str) -> Callable[[Files], None]:
    return lambda files: files.pop(name)


def put(name: str, data: bytes) -> Callable[[Files], None]:
    return lambda files: files.update({name: data})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("../../escape.npy", b""), "no claim holds a file '../../escape.npy'"),
        (put("/etc/cron.d/x", b""), "no claim holds a file '/etc/cron.d/x'"),
        (put("seed-00/logits.npy", b""), "no claim holds a file"),
        (put("seed-0/../x.npy", b""), "no claim holds a file"),
        (put("seed-0/model.pkl", b""), "no claim holds a file"),
        (drop("metric.json"), "it lacks metric.json"),
        (put("result.json", b"{"), "result.json is no JSON"),
        (put("result.json", b"[" * 100_000), "result.json is no JSON"),
        (put("result.json", b"{}"), "is no claim (no 'task')"),
        (put("data.json", b"[]"), "no environment, data or metric"),
        (lambda files: edit(files, "data.json", lambda raw: raw["seeds"].update({"0": {"test": 3}})), "wrong digests of data"),
        (lambda files: edit(files, "data.json", lambda raw: raw["record"].pop("sizes")), "no record of data"),
        (lambda files: edit(files, "result.json", lambda raw: raw["metrics"].update(test=3)), "wrong 'metrics'"),
        (
            lambda files: edit(files, "result.json", lambda raw: raw["settings"]["train"].update(epochs="many")),
            "cannot be scored by this graphkit: train.epochs=many: expected an integer",
        ),
        (put("seed-0/logits.npy", b"no array"), "seed-0/logits.npy is no array of numbers"),
        (put("seed-0/logits.npy", npy(np.array([{}], dtype=object), allow_pickle=True)), "is no array of numbers"),
    ],
)
def test_a_file_that_is_no_claim(change, told: str, claims, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert told in refused(forged(claims["node"], change, tmp_path / "forged.zip"), capsys)


def test_an_array_that_claims_to_be_huge(claims, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 2), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    path = forged(claims["node"], put("seed-0/logits.npy", data), tmp_path / "forged.zip")
    assert "seed-0/logits.npy is no array of numbers" in refused(path, capsys)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_a_truncated_file(share: float, claims, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    whole = claims["node"].read_bytes()
    path = tmp_path / "claim.zip"
    path.write_bytes(whole[: int(share * len(whole))])
    assert "it is no zip file, or a truncated one" in refused(path, capsys)
    assert "there is no such file" in refused(tmp_path / "no.zip", capsys)
    assert "there is no such file" in refused(tmp_path, capsys)


def test_damage_within(claims, tmp_path: Path):
    """No flipped byte passes as sound: it is refused, or told."""
    whole = claims["node"].read_bytes()
    path = tmp_path / "claim.zip"
    for place in range(40, len(whole) - 30, max(1, len(whole) // 40)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read = archive.Archive(path)
            changed = read.changes() or [read.document(name) for name in archive.DOCUMENTS]
        except ClaimError:
            continue
        assert changed
        same = {name: read._read(name) for name in (*read.names, archive.MANIFEST)} == unpacked(claims["node"])
        assert read.changes() or same  # a byte that says nothing, such as one of a date


def test_a_bomb(claims, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    path = forged(claims["node"], put("seed-0/bomb.npy", bytes(1 << 20)), tmp_path / "bomb.zip")
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(archive, "_LARGEST_ARRAY", 1 << 19)
    assert "seed-0/bomb.npy unpacks to 1,048,576 bytes, 524,288 are the most" in refused(path, capsys)
    monkeypatch.setattr(archive, "_LARGEST_ARRAY", 1 << 30)
    monkeypatch.setattr(archive, "_LARGEST", 1 << 20)
    assert "are the most" in refused(path, capsys)
    monkeypatch.setattr(archive, "_MOST_FILES", 3)
    assert "it holds too many files, or one twice" in refused(path, capsys)


def test_a_file_twice(claims, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = packed(unpacked(claims["node"]), tmp_path / "twice.zip")
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as again:
        warnings.simplefilter("ignore")
        again.writestr("result.json", b"{}")
    assert "it holds too many files, or one twice" in refused(path, capsys)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "is a claim of version 2, this graphkit reads version 1"),
        ({"version": "\x1b[31m"}, "is a claim of version \\x1b[31m"),
        ({"format": "another"}, "claim.json is no list of a claim's files"),
        ({"files": []}, "claim.json is no list of a claim's files"),
        ({"files": {"x": "y"}}, "claim.json lists what no claim holds"),
    ],
)
def test_another_manifest(change: dict, told: str, claims, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = unpacked(claims["node"])
    files["claim.json"] = json.dumps({**json.loads(files["claim.json"]), **change}).encode()
    assert told in refused(packed(files, tmp_path / "claim.zip"), capsys)


def test_a_file_that_was_added(claims, tmp_path: Path):
    files = unpacked(claims["node"])
    files["seed-7/logits.npy"] = files["seed-0/logits.npy"]
    found = verify(packed(files, tmp_path / "claim.zip")).findings
    assert found == (
        "seed-7/logits.npy was added: claim.json does not list it",
        "seed 7: the claim holds predictions of it, and result.json has none",
    )
