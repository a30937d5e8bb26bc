"""`python -m graphkit.serve` as a process: it starts, answers what is in flight when it is stopped, and starts again alike."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from graphkit.conf.arguments import split
from graphkit.conf.serve import FLAGS, check_serving, help_page, serve_settings
from graphkit.errors import RequestError
from graphkit.run import run
from graphkit.serve import main
from graphkit.serving.http.server import bound

ROOT = Path(__file__).resolve().parents[3]


class Process:
    """A server in a process of its own, once it listens."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "graphkit.serve", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        self.told = self.process.stderr.readline()
        found = re.search(r"answers on http://127\.0\.0\.1:(\d+) ", self.told)
        assert found, self.told + self.process.stderr.read()
        self.port = int(found[1])

    def ask(self, **body: Any) -> tuple[int, Any]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("POST", "/predict", json.dumps(body), {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def stop(self, how: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = {"epochs": 1, "batch_size": 4096}
    out = str(tmp_path_factory.mktemp("served"))
    return run("recommend", "planted-interactions", "mostpop", train=train, out=out, device="cpu").folder


@pytest.mark.slow
def test_it_stops_when_all_is_answered_and_starts_again_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Process(f"run={folder}", "port=0", "device=cpu")
    assert main([f"run={folder}", f"port={first.port}"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"port={first.port} is in use on 127.0.0.1: stop what listens there" in told
    before = first.ask(user="7", top=3)
    answers: list[tuple[int, Any]] = []
    asking = [threading.Thread(target=lambda: answers.append(first.ask(user=list(range(500)), top=50))) for _ in range(8)]
    for client in asking:
        client.start()
    while b"graphkit_requests_in_flight 0" in (now := metrics(first.port)) and len(answers) < 8:
        assert now
    assert first.stop(signal.SIGTERM) == (0, "", "")
    for client in asking:
        client.join(60)
    assert len(answers) == 8 and all(status == 200 and len(told["lists"]) == 500 for status, told in answers)
    second = Process(f"run={folder}", f"port={first.port}", "device=cpu")
    assert second.ask(user="7", top=3) == before and before[0] == 200
    assert second.stop(signal.SIGINT) == (0, "", "")


def metrics(port: int) -> bytes:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()


def refused(*arguments: str) -> list[str]:
    command = split(arguments, FLAGS)
    with pytest.raises(RequestError) as caught:
        check_serving(command.assignments, command.mistakes)
    return str(caught.value).splitlines()


def test_a_request_is_checked_as_a_whole() -> None:
    assert refused("prot=8000", "max_bytes=0", "--list") == [
        "unknown flag '--list': expected one of --help, --version, or key=value",
        "unknown key 'prot': did you mean port?",
        "max_bytes=0: expected an integer from 1 to 2147483648",
        "give run=FOLDER, the folder of a finished run",
    ]
    command = split(["run=a", "host=0.0.0.0", "data.root=there"], FLAGS)
    asked = check_serving(command.assignments)
    assert (asked.host, asked.port, asked.places) == ("0.0.0.0", 8000, {"data.root": "there"})
    assert all(key in help_page() for key in serve_settings())


def test_an_address_that_there_is_not() -> None:
    with pytest.raises(RequestError, match="host=no.such.host.invalid: no such address"):
        bound("no.such.host.invalid", 0)
    with pytest.raises(RequestError, match="port=0 on 203.0.113.7"):
        bound("203.0.113.7", 0)


def test_mistakes_need_no_torch(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from graphkit.serve import main
        print([main(request) for request in (["--help"], ["--version"], ["rnu=3"], ["run=no"])], file=sys.stderr)
        print([name for name in sys.modules if name in ("torch", "uvicorn", "starlette")], file=sys.stderr)
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stderr.splitlines()[-2:] == ["[0, 0, 2, 2]", "[]"], done.stderr
    assert "error: no is no run folder" in done.stderr


def test_without_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "uvicorn" else find(name, *more))
    assert main([f"run={folder}"]) == 2
    assert "serve needs the package uvicorn: install the extra with `pip install -e '.[serve]'`" in capsys.readouterr().err
