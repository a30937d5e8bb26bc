"""Run folders with one file broken: the answer is that of the whole folder, or a refusal; never another answer."""

from __future__ import annotations

import functools
import io
import json
import os
import random
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml

from graphkit import predict as predict_door
from graphkit import run as run_door
from graphkit.errors import Interrupted
from graphkit.training.artifacts import SEED_FILES
from tests.fuzz.harness import NASTY, Hang, Wrong, place_of, require, through_door, untimed

SETTINGS = {
    "link": ["dataset=karate", "model=gae", "model.hidden_channels=4", "train.epochs=3"],
    "node": ["dataset=karate", "model=gcn", "model.hidden_channels=4", "train.epochs=3"],
    "recommend": ["dataset=custom", "model=lightgcn", "model.hidden_channels=4", "train.epochs=3", "train.batch_size=16"],
}
QUESTIONS = (["user=u3", "top=3"], ["items=i1,i4", "top=3"], ["user=u0,u1", "seen=show", "top=2"])
READ_BACK = ("result.json", *(f"seed-0/{name}" for name in SEED_FILES))
UNTOLD = ("seconds", "epoch_seconds", "steps_per_second", "peak_memory_mb", "environment")
"""What two runs of the same settings may differ in."""

_HOME = tempfile.TemporaryDirectory(prefix="graphkit-fuzz-")


@dataclass(frozen=True)
class Sample:
    """A run folder, what resuming it says, and what it predicts."""

    task: str
    folder: Path
    finished: bool
    told: str
    weights: bytes
    answers: dict[str, Any]


@functools.cache
def samples() -> list[Sample]:
    """A finished run for each task, and one that was stopped after an epoch."""
    from graphkit.training import runner
    from graphkit.training.loop import Trainer

    home = Path(_HOME.name)
    table = home / "interactions.csv"
    table.write_text("user,item\n" + "".join(f"u{u},i{(u * k) % 11}\n" for u in range(9) for k in range(1, 8)))
    made = []
    advance = Trainer.advance

    def stopping(trainer: Trainer) -> Any:
        if trainer.progress.epoch >= 1:
            raise KeyboardInterrupt
        return advance(trainer)

    for task, settings in SETTINGS.items():
        argv = [f"task={task}", *settings, "device=cpu", "threads=1", f"out={home / task}", "progress=false", "seeds=1"]
        argv += [f"data.interactions={table}"] if task == "recommend" else []
        with mock.patch.object(runner, "MIN_CHECKPOINT_SECONDS", 0.0):
            status, told, said = through_door(run_door.main, [*argv, "format=json"])
            require(status == 0, said)
            (finished,) = (home / task).iterdir()
            with mock.patch.object(Trainer, "advance", stopping):
                require(through_door(run_door.main, argv)[0] == Interrupted.exit_code, "the run was not stopped")
        (stopped,) = (folder for folder in (home / task).iterdir() if folder != finished)
        weights = (finished / "seed-0" / "best.safetensors").read_bytes()
        answers = {}
        for question in QUESTIONS if task == "recommend" else ():
            status, out, said = _ask(finished, question)
            require(status == 0, said)
            answers[" ".join(question)] = _answer(out)
        made += [Sample(task, finished, True, told, weights, answers), Sample(task, stopped, False, told, weights, {})]
    return made


def case(rng: random.Random) -> str:
    """One folder with one file broken, then resumed or asked."""
    with untimed():
        known = samples()
    sample = rng.choice(known)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        shutil.copytree(sample.folder, folder)
        what = _break(rng, folder, known)
        try:
            if sample.answers and rng.random() < 0.6:
                return _judge_answer(sample, folder, rng.choice(QUESTIONS), what)
            return _judge_resume(sample, folder, what)
        except Hang as hang:
            raise Wrong(f"{what}: no answer {place_of(hang)}") from None
        except Exception as error:
            if isinstance(error, Wrong):
                raise
            raise Wrong(f"{what}: {error!r:.300} {place_of(error)}") from error
        finally:
            _make_removable(folder)


def _judge_resume(sample: Sample, folder: Path, what: str) -> str:
    # what is missing is made again, and result.json with it, by the software and machine of now
    kept = all((folder / name).is_file() for name in READ_BACK)
    status, told, said = through_door(run_door.main, [f"resume={folder}", "format=json", "progress=false"])
    if status:
        return _refusal(status, said, folder, what)
    found, wanted = json.loads(told), json.loads(sample.told)
    if not (sample.finished and kept):
        found, wanted = _lasting(found), _lasting(wanted)
    require(found == wanted, f"{what}: {_difference(found, wanted)}")
    if not sample.finished:
        weights = (folder / "seed-0" / "best.safetensors").read_bytes()
        require(weights == sample.weights, f"{what}: resumed to other weights")
    return "same result"


def _judge_answer(sample: Sample, folder: Path, question: list[str], what: str) -> str:
    status, out, said = _ask(folder, question)
    if status:
        return _refusal(status, said, folder, what)
    require(_answer(out) == sample.answers[" ".join(question)], f"{what}: another answer to {question}: {out}")
    return "same answer"


def _refusal(status: int, said: str, folder: Path, what: str) -> str:
    in_the_way = status == 1 and f"cannot use {folder}" in said  # found after the run had begun
    require(status == 2 or in_the_way, f"{what}: exit status {status}, {said}")
    require(len(said) < 3000, f"{what}: a message of {len(said)} characters")
    return "refused"


def _ask(folder: Path, question: list[str]) -> tuple[int, str, str]:
    return through_door(predict_door.main, [f"run={folder}", *question, "device=cpu", "format=json"])


def _answer(out: str) -> Any:
    return {key: value for key, value in json.loads(out).items() if key != "run"}


def _lasting(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what differs between two runs of the same settings."""
    return {key: value for key, value in result.items() if key not in UNTOLD and "digest" not in key}


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    return ", ".join(f"{key}: {found.get(key)!r} for {wanted.get(key)!r}" for key in keys)[:600]


# ------------------------------------------------------------------------------------------------------------- breaking


def _break(rng: random.Random, folder: Path, known: list[Sample]) -> str:
    """Change one file of the folder, and say what was done."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = rng.choice(files)
    name = path.relative_to(folder)
    if rng.random() < 0.2:
        other = rng.choice(known)
        taken = other.folder / name
        if taken.is_file():
            shutil.copy(taken, path)
            return f"{name} is that of {other.task}, {'finished' if other.finished else 'stopped'}"
    ways: list[Callable[[random.Random, Path], None]] = [*_ANY]
    ways += {".json": _JSON, ".yaml": _YAML, ".csv": _LINES, ".npz": _ARRAYS}.get(path.suffix, []) * 2
    way = rng.choice(ways)
    way(rng, path)
    return f"{name}, {way.__name__.strip('_')}"


def _make_removable(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink() and stat.S_ISFIFO(path.lstat().st_mode):
            path.unlink()


def _flip(rng: random.Random, path: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _cut(rng: random.Random, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def _append(rng: random.Random, path: Path) -> None:
    path.write_bytes(path.read_bytes() + rng.choice((b"\0", b"\n", b"junk", path.read_bytes(), b"\xff" * 3000)))


def _empty(rng: random.Random, path: Path) -> None:
    path.write_bytes(rng.choice((b"", b"\n", b"\0" * 500, b"null", b"[]", b"{}", b"\xef\xbb\xbf")))


def _delete(rng: random.Random, path: Path) -> None:
    path.unlink()


def _folder(rng: random.Random, path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(rng: random.Random, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(rng: random.Random, path: Path) -> None:
    path.unlink()
    path.symlink_to(rng.choice((path.name, "nowhere", "/dev/null", "..")))


def _nested(rng: random.Random, path: Path) -> None:
    depth = rng.choice((50, 2_000, 100_000))
    path.write_text(rng.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth)))


def _edit_leaf(rng: random.Random, value: Any) -> Any:
    """A copy with one leaf, or one key, changed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.15:
            return {other: inner for other, inner in value.items() if other != key}
        if rng.random() < 0.1:
            return {**value, rng.choice(("added", "x.y", "")): 1}
        return {**value, key: _edit_leaf(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], _edit_leaf(rng, value[at]), *value[at + 1 :]]
    odd = (None, True, 0, -1, 7, 0.25, 1e300, 10**30, "x", "", [], {}, [1], {"a": 1}, rng.choice(NASTY))
    if isinstance(value, int | float) and rng.random() < 0.5:
        return value + rng.choice((1, -1, 0.125))
    return rng.choice(odd)


def _json_field(rng: random.Random, path: Path) -> None:
    path.write_text(json.dumps(_edit_leaf(rng, json.loads(path.read_text())), indent=2) + "\n", errors="surrogatepass")


def _json_words(rng: random.Random, path: Path) -> None:
    text = path.read_text()
    digits = [at for at, one in enumerate(text) if one.isdigit()]
    at = rng.choice(digits)
    new = rng.choice(("NaN", "Infinity", "-", "1e999", "9" * 5_000, "\\u0000", '"\x1b[2J"'))
    path.write_text(text[:at] + new + text[at + 1 :])


def _yaml_field(rng: random.Random, path: Path) -> None:
    changed = _edit_leaf(rng, yaml.safe_load(path.read_text()))
    path.write_text(yaml.safe_dump(changed, sort_keys=False))


def _yaml_tricks(rng: random.Random, path: Path) -> None:
    text = path.read_text()
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    path.write_text(
        rng.choice(
            (
                bomb + text,
                text + bomb,
                text.replace("split:", "root: &r [*r]\n  split:"),
                text.replace("seed: 0", "seed: 0\nseed: 1"),
                text + "tensorboard: !!python/object/apply:os.system ['touch pwned']\n",
                text.replace("name: ", "name: !!python/name:os.system ", 1),
                text.replace("epochs: 3", "epochs: 1_0"),
                text.replace("epochs: 3", "epochs: 0x3"),
                text.replace("lr: ", "lr: !!float ", 1),
                text.replace("\n", "\r\n"),
                "# a comment\n" + text,
                "---\n" + text + "---\n" + text,
                text + "? [complex, key]\n: 1\n",
                text + "1: 2\n",
                text + "'\\x1b[2J': \"\\e[2J\"\n",
                "<<: {seed: 5}\n" + text,
            )
        )
    )


def _lines_changed(rng: random.Random, path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at : at + 1] = rng.choice(([], [lines[at]] * 2, ["0,1\n"], ["x" * 100_000 + "\n"], [lines[at].replace("0", "9")]))
    path.write_text("".join(lines))


def _arrays_changed(rng: random.Random, path: Path) -> None:
    with np.load(path) as stored:
        arrays: dict[str, Any] = dict(stored)
    name = rng.choice(list(arrays))
    how = rng.randrange(4)
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays[name] = np.array([{"an": "object"}], dtype=object)
    elif how == 2:
        arrays[name] = arrays[name][:1]
    else:
        arrays[name] = arrays[name].astype(np.str_)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


_ANY = (_flip, _flip, _cut, _append, _empty, _delete, _folder, _pipe, _link)
_JSON = [_json_field, _json_field, _json_field, _json_words, _nested]
_YAML = [_yaml_field, _yaml_field, _yaml_tricks, _yaml_tricks, _nested]
_LINES = [_lines_changed]
_ARRAYS = [_arrays_changed]
