"""A run that answers over HTTP: as `predict` does, together or alone, and in JSON to whatever is sent."""

from __future__ import annotations

import json
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from graphkit.conf.catalog import TASKS
from graphkit.conf.serve import check_asked, served_questions, served_settings
from graphkit.data import load as data
from graphkit.errors import RequestError
from graphkit.predict import main
from graphkit.run import run
from tests.serving.http.running import Running, running

NAMED = ("nodes", "node", "pairs", "user")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    asked = (
        ("node", "karate", "sage", 0),
        ("link", "karate", "ncn", 0),
        ("recommend", "planted-interactions", "lightgcn", 4096),
        ("graph", "planted-graphs", "gin", 64),
    )
    out = str(tmp_path_factory.mktemp("served"))
    return {
        task: run(
            task,
            dataset,
            {"name": model, "hidden_channels": 8},
            out=out,
            train={"epochs": 1, "batch_size": batch},
            device="cpu",
        ).folder
        for task, dataset, model, batch in asked
    }


@pytest.fixture(scope="module")
def node(folders: dict[str, Path]) -> Iterator[Running]:
    with running(folders["node"], max_bytes=20_000, body_seconds=1) as server:
        yield server


def predicted(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> Any:
    assert main([f"run={folder}", "format=json", "device=cpu", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def same(first: Any, second: Any) -> bool:
    """Whether two answers are the same up to the last digits of numbers."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == (pytest.approx(second, rel=1e-4, abs=1e-6) if isinstance(second, float) else second)


# -------------------------------------------------------------------------------------------------- the same as predict


def test_answers_are_those_of_predict(
    folders: dict[str, Path], node: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert node.ask(nodes="3,1") == (200, predicted(capsys, folders["node"], "nodes=3,1"))
    assert node.ask(nodes=[3, "1"]) == (200, predicted(capsys, folders["node"], "nodes=3,1"))
    assert node.ask(nodes=7, calibrate="temperature")[1] == predicted(
        capsys, folders["node"], "nodes=7", "calibrate=temperature"
    )
    edges = tmp_path / "edges.csv"
    edges.write_text("source,target\n3,33\n5,33\n")
    beside = predicted(capsys, folders["node"], "nodes=33", f"edges={edges}")
    assert node.ask(nodes="33", edges=[["3", "33"], ["5", "33"]]) == (200, beside) != node.ask(nodes="33")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,target\n0,9\n4,30\n")
    with running(folders["link"]) as link:
        assert link.ask(node="0", top=3) == (200, predicted(capsys, folders["link"], "node=0", "top=3"))
        asked = predicted(capsys, folders["link"], f"pairs={pairs}", "seen=show")
        assert link.ask(pairs=[[0, 9], [4, 30]], seen="show") == (200, asked)
    with running(folders["recommend"]) as recommend:
        assert recommend.ask(user="7", top=3) == (200, predicted(capsys, folders["recommend"], "user=7", "top=3"))
        assert recommend.ask(items=["3", "12"], top=2) == (200, predicted(capsys, folders["recommend"], "items=3,12", "top=2"))
    graphs = tmp_path / "new.jsonl"
    width = data("planted-graphs", task="graph").graphs.x.size(1)
    rows = [
        {"graph": name, "edges": [[0, 1], [1, 2]], "features": [[1.0] * width] * size} for name, size in (("a", 3), ("b", 5))
    ]
    graphs.write_text("\n".join(map(json.dumps, rows)))
    with running(folders["graph"]) as graph:
        assert graph.ask(graphs=["5"]) == (200, predicted(capsys, folders["graph"], "graphs=5"))
        assert graph.ask(new=rows) == (200, predicted(capsys, folders["graph"], f"new={graphs}"))
        assert graph.ask(new=[{"edges": [], "num_nodes": 10**9}])[0] == 422
        assert graph.ask(new=[{"edges": [[0, 10**9]]}])[0] == 422


@pytest.mark.parametrize(
    ("task", "questions"),
    [
        ("node", [{"nodes": str(number)} for number in range(34)]),
        ("link", [{"node": str(number), "top": 4} for number in range(34)]),
        ("link", [{"pairs": [[number, number + 1]], "seen": "show"} for number in range(30)]),
        ("recommend", [{"user": number, "top": 5} for number in range(60)]),
    ],
)
def test_questions_that_wait_are_answered_together(
    task: str, questions: list[dict[str, Any]], folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As alone, one that is wrong among them; and the model is asked less often than there are questions."""
    with running(folders[task]) as server:
        alone = [server.ask(**question) for question in questions]
        counted, batcher = server.server.batcher.batches, server.server.batcher
        slow = batcher._answer

        def answered(request: Any) -> Any:
            time.sleep(0.05)
            return slow(request)

        monkeypatch.setattr(batcher, "_answer", answered)
        wrong = {
            key: [["a", "b"]] if isinstance(value, list) else "nobody" for key, value in questions[0].items() if key in NAMED
        }
        with ThreadPoolExecutor(16) as clients:
            together = list(clients.map(lambda question: server.ask(**question), [*questions, *questions]))
            assert batcher.batches - counted < len(questions)
            mixed = list(clients.map(lambda question: server.ask(**question), [wrong, *questions[:12]]))
        assert all(status == 200 for status, _ in alone) and same([*alone, *alone], together)
        assert mixed[0][0] == 422 and same(mixed[1:], alone[:12])
        told = server.send("GET", "/metrics")[1]
        assert f"graphkit_batches_total {batcher.batches}\n" in told and "graphkit_requests_in_flight 0\n" in told
        assert f'graphkit_requests_total{{path="/predict",status="200"}} {3 * len(questions) + 12}\n' in told


# ----------------------------------------------------------------------------------------------------- what is not served


def test_nothing_that_names_a_file_is_served(node: Running, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("3\n")
    for body, says in (
        ({"nodes": str(names)}, "no node '"),
        ({"nodes": "all", "out": "x.csv"}, "unknown key 'out'"),
        ({"nodes": "all", "run": "elsewhere"}, "unknown key 'run'"),
        ({"nodes": "all", "data.root": "/"}, "unknown key 'data.root'"),
        ({"nodes": "3", "edges": str(names)}, "edges: expected a list of rows; the server reads no files"),
        ({"nodes": "3", "features": []}, "features: expected a list of rows"),
        ({"nodes": "3", "edges": [["3", "4"], ["3"]]}, "edges: all rows need the same columns"),
        ({"nodes": "3", "edges": [[["x"], {}]]}, "edges: all rows need the same columns"),
        ({"nodes": "3", "edges": [3, 4]}, "edges: expected a list of rows"),
        ({"nodes": "3", "edges": [["3", "4"], {"a": 1}]}, "edges: give a list of rows"),
        ({"nodes": {"a": 1}}, "nodes"),
        ({"nodes": True}, "nodes"),
        ({"nodes": "3", "calibrate": "heat"}, "calibrate=heat: expected one of none, temperature"),
        ({"node": "3"}, "give one of nodes in a JSON object"),
    ):
        status, told = node.ask(**body)
        assert status == 422 and any(says in line for line in told["errors"]), (body, told)
    assert node.send("POST", "/predict", b"[3]", content_type="application/json")[0] == 422


@pytest.mark.parametrize("task", TASKS)
def test_what_is_served_of_each_task(task: str) -> None:
    for key in TASKS[task].questions:
        files = TASKS[task].questions[key].files and not TASKS[task].questions[key].printed
        assert (key in served_questions(task)) == (not files)
        assert not {"index", "out", "run"} & served_settings(task, key).keys()
    with pytest.raises(RequestError, match="send a JSON object"):
        check_asked(task, "run", "text")


def test_pages(node: Running) -> None:
    assert node.send("GET", "/health")[:2] == (200, {"status": "ok", "run": str(node.run), "task": "node"})
    status, described, _ = node.send("GET", "/openapi.json")
    schema = described["components"]["schemas"]["nodes"]
    assert status == 200 and schema["required"] == ["nodes"] and set(schema["properties"]) == {
        "nodes", "edges", "features", "calibrate"
    }  # fmt: skip
    status, page, headers = node.send("GET", "/docs")
    assert status == 200 and headers["content-type"].startswith("text/html") and "calibrate" in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "graphkit_start_time_seconds" in node.send("GET", "/metrics")[1]


# ------------------------------------------------------------------------------------------------------ what goes wrong


def test_errors_are_json(node: Running) -> None:
    big = json.dumps({"nodes": "3" * 30_000}).encode()
    for (method, path, body, headers), status in (
        (("GET", "/nothing", None, {}), 404),
        (("GET", "/predict", None, {}), 405),
        (("DELETE", "/health", None, {}), 405),
        (("POST", "/predict", big, {}), 413),
        (("POST", "/predict", b"{}", {"content_type": "text/plain"}), 415),
        (("POST", "/predict", b"", {}), 422),
        (("POST", "/predict", b'{"nodes": NaN}', {}), 422),
        (("POST", "/predict", b"\xff\xfe{}", {}), 422),
        (("POST", "/predict", b"[" * 15_000, {}), 422),
    ):
        found, told, answered = node.send(method, path, body, **headers)
        assert found == told["status"] == status and told["errors"], (path, told)
        assert "Traceback" not in str(told) and answered["content-type"] == "application/json"
        assert (status != 405) or answered["allow"]
    chunks = (b"2000\r\n" + b" " * 0x2000 + b"\r\n") * 4
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert node.raw(head + chunks).startswith(b"HTTP/1.1 413")
    told = json.loads(node.raw(b"nonsense\r\n\r\n").partition(b"\r\n\r\n")[2])
    assert told == {"status": 400, "errors": ["this is no HTTP request"]}
    assert node.ask(nodes="3")[0] == 200


def test_a_mistake_of_ours_is_a_sentence(
    node: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(request: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(node.server.batcher, "_answer", fail)
    status, told = node.ask(nodes="3")
    assert status == 500 and told["errors"] == ["the server failed on this request; its log has the reason"]
    assert "secret detail" in capsys.readouterr().err


def test_slow_bodies_and_clients_that_go(node: Running) -> None:
    start = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", node.port), timeout=30) as slow:
        slow.sendall(start)
        began = time.monotonic()
        while time.monotonic() - began < 0.8:
            slow.sendall(b" ")
            time.sleep(0.1)
            assert node.ask(nodes="3")[0] == 200  # others need not wait
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 408") and b"too slowly" in answer
    for part in (b"POST", start, start.replace(b"100", b"1") + b"}"):
        node.raw(part, answered=False)
    assert node.ask(nodes="3")[0] == 200


def test_too_many_that_wait_are_told_so(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with running(folders["node"], max_waiting=1, max_batch=1) as server:
        answer = server.server.batcher._answer
        monkeypatch.setattr(server.server.batcher, "_answer", lambda request: (time.sleep(0.3), answer(request))[1])
        with ThreadPoolExecutor(8) as clients:
            found = [status for status, _ in clients.map(lambda number: server.ask(nodes=str(number)), range(8))]
        assert set(found) == {200, 503} and server.ask(nodes="3")[0] == 200


@pytest.mark.slow
def test_whatever_is_sent_it_stays_alive(node: Running) -> None:
    """500 requests that a seed makes of right ones: the answer is JSON with a status below 500, or the connection ends."""
    generator = random.Random(0)
    right = json.dumps({"nodes": ["3", "4"], "edges": [["3", "33"]], "calibrate": "temperature"}).encode()
    words = [b"{", b"}", b"[", b"]", b'"', b"null", b"1e999", b"-", b"\x00", b"\xf0\x9f\x98\x80", b'{"nodes":', b"all"]
    sent = []
    for number in range(500):
        body = bytearray(right)
        for _ in range(generator.randint(0, 5)):
            place = generator.randint(0, len(body))
            body[place : place + generator.randint(0, 5)] = generator.choice([*words, generator.randbytes(3)])
        length = generator.choice([len(body)] * 9 + [0, len(body) + 5, 10**9, -1])
        head = f"POST /predict HTTP/1.{generator.randint(0, 1)}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}"
        if number % 10 == 0:
            head = "".join(generator.choice(head) for _ in head)
        sent.append(f"{head}\r\n\r\n".encode() + bytes(body))
    with ThreadPoolExecutor(16) as clients:
        asked = enumerate(sent)
        answers = list(clients.map(lambda one: node.raw(one[1], answered=one[0] % 7 != 0, seconds=5), asked))
    statuses = Counter()
    for request, answer in zip(sent, answers, strict=True):
        if answer:
            head, _, rest = answer.partition(b"\r\n\r\n")
            status = int(head.split()[1])
            statuses[status] += 1
            told = json.loads(rest)
            assert status < 500 and (status == 200 or told["errors"]), (request, answer)
    assert statuses[422] > 100 and statuses[200] and statuses[400], statuses
    assert node.ask(nodes="3")[0] == 200
