"""Doors whose streams are closed, full or ASCII, whose folder has gone, and what reaches a terminal."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphkit.cli import Answer, Forgiving, door, tell
from graphkit.errors import RequestError
from graphkit.paths import expanded
from graphkit.run import main

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ANSWERING = """if True:
    import sys
    from graphkit.cli import Answer, door, tell
    def answer(arguments):
        tell("note: größe")
        print("of a library", file=sys.stderr)
        return Answer('{"a": "é ± \\U0001f600"}\\n', "runs/x")
    sys.exit(door(answer, [], "interrupted"))
"""
NOTES = "note: größe\nof a library\n"


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command line in which `python` is this interpreter and $ANSWERING the program above."""
    surroundings = {**ENVIRONMENT, "PYTHONIOENCODING": "utf-8", "ANSWERING": ANSWERING, **environment}
    full = f'python() {{ "{sys.executable}" "$@"; }}\n{command}'
    return subprocess.run(["bash", "-c", full], capture_output=True, encoding="utf-8", cwd=folder, env=surroundings)


def test_both_streams(tmp_path: Path):
    done = shell('python -c "$ANSWERING"', tmp_path)
    assert (done.returncode, done.stderr) == (0, NOTES)
    assert json.loads(done.stdout) == {"a": "é ± \U0001f600"}


def test_a_closed_stdout_is_no_error(tmp_path: Path):
    done = shell('python -c "$ANSWERING" >&-', tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", NOTES)


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path):
    read, write = os.pipe()
    os.close(read)
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", ANSWERING]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, encoding="utf-8", cwd=tmp_path, env=environment)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, NOTES)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_stdout_is_an_error_that_says_where_the_answer_is(tmp_path: Path):
    done = shell('python -c "$ANSWERING" >/dev/full', tmp_path)
    sentence = "error: cannot write the answer to stdout (No space left on device): send it elsewhere; it is kept in runs/x\n"
    assert (done.returncode, done.stderr) == (1, NOTES + sentence)


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full"])
def test_notes_that_cannot_be_written_are_lost_and_nothing_else(tmp_path: Path, stream: str):
    done = shell(f'python -c "$ANSWERING" {stream}', tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"a": "é ± \U0001f600"}


@pytest.mark.parametrize("both", [">&- 2>&-", "<&- >&- 2>&-", "<&- 2>&-"])
def test_files_do_not_get_the_numbers_of_closed_streams(tmp_path: Path, both: str):
    code = ANSWERING.replace("    tell", '    file = open("file", "w")\n        assert file.fileno() > 2\n        tell')
    done = shell(f'python -c "$ANSWERING" {both}; echo $? >status', tmp_path, ANSWERING=code)
    assert (tmp_path / "status").read_text() == "0\n" and (tmp_path / "file").read_text() == "" and done.stderr == ""


def test_ascii_streams(tmp_path: Path):
    done = shell('python -c "$ANSWERING"', tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout == '{"a": "\\u00e9 +- \\ud83d\\ude00"}\n'
    assert json.loads(done.stdout) == {"a": "é +- \U0001f600"}
    assert "Traceback" not in done.stderr and "of a library" in done.stderr


def test_a_run_on_streams_that_fail(tmp_path: Path):
    asked = "task=node dataset=karate train.epochs=2 device=cpu"
    done = shell(f"python -m graphkit.run {asked} seeds=2 >/dev/full", tmp_path, PYTHONIOENCODING="ascii")
    (folder,) = (tmp_path / "runs").iterdir()
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.endswith(f"send it elsewhere; it is kept in runs/{folder.name}\n")
    assert (folder / "result.json").is_file()
    done = shell(f"python -m graphkit.run resume=runs/{folder.name}", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and " +- " in done.stdout and done.stdout.isascii()
    done = shell(f"python -m graphkit.run {asked} model=mlp progress=false format=json 2>&-", tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["model"] == "mlp"


def test_terminal_escapes_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]):
    tell("note: a\x1b[31mb\x07")
    assert door(lambda arguments: (_ for _ in ()).throw(RequestError("out=\x1b]0;x\x07: no")), [], "") == 2
    assert capsys.readouterr().err == "note: a\\x1b[31mb\\x07\nerror: out=\\x1b]0;x\\x07: no\n"


def test_a_stream_that_fails_is_written_to_no_more():
    class Broken:
        encoding, written = "utf-8", 0

        def write(self, text: str) -> int:
            self.written += 1
            raise OSError(5, "Input/output error")

        def fileno(self) -> int:
            raise OSError

        def isatty(self) -> bool:
            return True

    broken = Broken()
    stream = Forgiving(broken)
    assert stream.isatty()
    print("lost", file=stream, flush=True)
    print("lost", file=stream, flush=True)
    assert broken.written == 1 and not stream.isatty()


def test_interrupts_and_answers(capsys: pytest.CaptureFixture[str]):
    def interrupt(arguments: object) -> Answer:
        raise KeyboardInterrupt

    assert door(interrupt, [], "interrupted") == 130
    assert capsys.readouterr().err == "error: interrupted\n"
    assert door(lambda arguments: Answer("-".join(arguments)), ["a", "b"], "") == 0
    assert capsys.readouterr().out == "a-b"


# ---------------------------------------------------------------------------------------------------------------- places


def test_a_working_folder_that_has_gone(tmp_path: Path):
    command = "mkdir gone && cd gone && rmdir ../gone && python -m graphkit.run"
    for arguments in ("dataset=karate", "--dry-run", "resume=x"):
        done = shell(f"{command} {arguments}", tmp_path)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr == "error: the working directory cannot be used (No such file or directory): change to another one\n"
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    done = shell(f"{command} --version", tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("graphkit ")


def test_home_folders_that_there_are_not(tmp_path: Path):
    sentence = "the home folder it names is not known, give the whole path"
    for key in ("out", "data.root", "resume"):
        done = shell(f"python -m graphkit.run '{key}=~nobody-of-that-name/x'", tmp_path)
        assert (done.returncode, done.stderr) == (2, f"error: {key}=~nobody-of-that-name/x: {sentence}\n")
    done = shell("python -m graphkit.predict 'run=~nobody-of-that-name/x' user=1", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: run=~nobody-of-that-name/x: {sentence}\n")
    assert not any(tmp_path.iterdir())


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch):
    def unknown(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(RequestError, match=r"data.root=~/.cache/graphkit: the home folder it names is not known"):
        expanded("~/.cache/graphkit", "data.root")


def test_a_data_root_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    stat = os.stat

    def denied(path: object, *arguments: object, **keywords: object) -> os.stat_result:  # root may read everything
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **keywords)

    monkeypatch.setattr(os, "stat", denied)
    for asked in (["dataset=cora"], ["task=recommend", "dataset=lastfm"]):
        assert main([*asked, f"data.root={tmp_path / 'locked'}", "--dry-run"]) == 2
        error = capsys.readouterr().err
        assert f"error: cannot use {tmp_path / 'locked'}" in error and "(Permission denied): make it readable" in error


def test_a_stream_that_was_closed_is_no_terminal():
    stream = io.StringIO()
    kept = Forgiving(stream)
    stream.close()
    assert not kept.isatty()
