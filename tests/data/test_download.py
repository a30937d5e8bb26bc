"""Downloads against a server on this machine that answers well, badly, or not at all."""

import hashlib
import io
import socket
import subprocess
import threading
import time
import urllib.request
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from graphkit.data import download, load
from graphkit.data.catalog import DATASETS, DataFile, DatasetEntry, Protocol
from graphkit.data.download import ensure
from graphkit.errors import DataError

ONE, TWO = b"first file" * 1000, b"second"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, body, promised = self.server.answers.get(self.path, (404, b"", 0))
        if status is None:  # a server that accepts and says nothing
            self.server.done.wait(5)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.answers, listening.asked, listening.done = {}, [], threading.Event()
        listening.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.done.set()
        listening.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def short_patience(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.4)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    urllib.request.install_opener(None)  # it keeps the proxies of its first use


def serve(server, path: str, body: bytes, status: int | None = 200, promised: int | None = None) -> None:
    server.answers[path] = (status, body, len(body) if promised is None else promised)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def entry(*files: DataFile) -> DatasetEntry:
    return DatasetEntry("toy", "two files", {"link": Protocol("", "mrr", ("mrr",))}, "", files=files, reader="nobody:reads")


def plain(server) -> DatasetEntry:
    return entry(
        DataFile("toy/raw/one.txt", sha256(ONE), f"{server.url}/data/one.txt"),
        DataFile("toy/raw/two.txt", sha256(TWO), f"{server.url}/data/two.txt"),
    )


def zipped(server, members: dict[str, bytes], cut: int | None = None) -> DatasetEntry:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    serve(server, "/toy.zip", buffer.getvalue()[:cut])
    return entry(
        DataFile("toy/raw/one.txt", sha256(ONE), f"{server.url}/toy.zip", "t/raw/one.txt"),
        DataFile("toy/split/two.txt", sha256(TWO), f"{server.url}/toy.zip", "t/split/two.txt"),
    )


def everything_under(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or not any(path.iterdir())
    )


def refused(entry, root) -> str:
    """The one sentence, with all that a person needs, and no trace left on the disk."""
    before = everything_under(root)
    with pytest.raises(DataError) as caught:
        ensure(entry, root)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert str(root / "toy") in message and entry.files[0].url.rsplit("/", 1)[0] in message
    assert "By hand:" in message and "GRAPHKIT_DATA" in message and "\n" not in message
    assert everything_under(root) == before
    return message


def test_files_are_fetched_once(server, tmp_path, capfd):
    serve(server, "/data/one.txt", ONE)
    serve(server, "/data/two.txt", TWO)
    ensure(plain(server), tmp_path)
    assert (tmp_path / "toy/raw/one.txt").read_bytes() == ONE and (tmp_path / "toy/raw/two.txt").read_bytes() == TWO
    assert everything_under(tmp_path) == ["toy/raw/one.txt", "toy/raw/two.txt"]
    ensure(plain(server), tmp_path)
    assert server.asked == ["/data/one.txt", "/data/two.txt"]
    assert capfd.readouterr() == ("", "")  # the bar is for terminals


def test_only_what_is_missing_is_fetched(server, tmp_path):
    serve(server, "/data/two.txt", TWO)
    (tmp_path / "toy/raw").mkdir(parents=True)
    (tmp_path / "toy/raw/one.txt").write_bytes(ONE)
    ensure(plain(server), tmp_path)
    assert server.asked == ["/data/two.txt"]


def test_a_terminal_sees_a_bar_drawn_without_a_thread(server, tmp_path, monkeypatch):
    written, real = io.StringIO(), download.Console
    monkeypatch.setattr(download, "Console", lambda stderr: real(file=written, force_terminal=stderr, width=100))
    assert not download._progress().live.auto_refresh
    serve(server, "/data/one.txt", ONE)
    ensure(entry(plain(server).files[0]), tmp_path)
    assert "one.txt" in written.getvalue() and "10.0/10.0 kB" in written.getvalue()


def test_an_archive_is_unpacked_into_the_loaders_layout(server, tmp_path):
    ensure(zipped(server, {"t/raw/one.txt": ONE, "t/split/two.txt": TWO, "t/README": b"not asked for"}), tmp_path)
    assert everything_under(tmp_path) == ["toy/raw/one.txt", "toy/split/two.txt"]
    assert server.asked == ["/toy.zip"]


def test_no_name_in_an_archive_decides_where_anything_is_written(server, tmp_path):
    root = tmp_path / "deep/root"
    members = {
        "t/raw/one.txt": ONE,
        "t/split/two.txt": TWO,
        "../../evil": b"x",
        "/tmp/graphkit-evil": b"x",
        "t/../../evil": b"x",
    }
    ensure(zipped(server, members), root)
    assert everything_under(tmp_path) == ["deep/root/toy/raw/one.txt", "deep/root/toy/split/two.txt"]


def test_an_archive_that_lacks_a_member(server, tmp_path):
    message = refused_archive(server, tmp_path, {"t/raw/one.txt": ONE})
    assert "does not hold" in message and "t/split/two.txt" in message


def test_an_archive_with_another_content(server, tmp_path):
    message = refused_archive(server, tmp_path, {"t/raw/one.txt": ONE, "t/split/two.txt": b"changed"})
    assert "does not match the published checksum of two.txt" in message


def refused_archive(server, root, members) -> str:
    with pytest.raises(DataError) as caught:
        ensure(zipped(server, members), root)
    assert f"unpack it, and move what its folder t/ holds into {root / 'toy'}" in str(caught.value)
    assert everything_under(root) == ["toy/raw/one.txt"]  # sound, and kept for the next try
    return str(caught.value)


@pytest.mark.parametrize("cut", [0, 5, 60, -10])
def test_a_broken_archive(server, tmp_path, cut):
    broken = zipped(server, {"t/raw/one.txt": ONE, "t/split/two.txt": TWO}, cut=cut)
    assert "not a sound zip archive" in refused(broken, tmp_path)


def test_a_missing_address(server, tmp_path):
    assert "the server answered 404" in refused(plain(server), tmp_path)


def test_a_wrong_checksum(server, tmp_path):
    serve(server, "/data/one.txt", ONE[:-1] + b"!")
    assert "does not match the published checksum of one.txt" in refused(plain(server), tmp_path)


def test_a_truncated_body(server, tmp_path):
    serve(server, "/data/one.txt", ONE[:400], promised=len(ONE))
    assert "the transfer ended after 400 of 10000 bytes" in refused(plain(server), tmp_path)


def test_a_server_that_says_nothing(server, tmp_path):
    serve(server, "/data/one.txt", b"", status=None)
    start = time.monotonic()
    assert "no answer within 0.4 seconds" in refused(plain(server), tmp_path)
    assert time.monotonic() - start < 4  # far below the handler's own patience


def test_a_server_that_stops_in_the_middle(tmp_path):
    with stalling(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nfirst") as url:
        wanted = entry(DataFile("toy/raw/one.txt", sha256(ONE), f"{url}/one.txt"))
        assert "no answer within 0.4 seconds" in refused(wanted, tmp_path)


def test_a_server_that_speaks_something_else(tmp_path):
    with stalling(b"220 mail ready\r\n") as url:
        wanted = entry(DataFile("toy/raw/one.txt", sha256(ONE), f"{url}/one.txt"))
        assert "the connection broke" in refused(wanted, tmp_path)


@contextmanager
def stalling(greeting: bytes):
    """A port that sends something to the first caller and keeps the line open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        lines = []

        def answer():
            line, _ = listening.accept()
            lines.append(line)
            line.recv(1000)
            line.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()
        for line in lines:
            line.close()


def test_a_refused_connection(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    wanted = entry(DataFile("toy/raw/one.txt", sha256(ONE), f"http://127.0.0.1:{port}/one.txt"))
    assert "no connection" in refused(wanted, tmp_path)


def test_a_name_that_nobody_knows(tmp_path):
    wanted = entry(DataFile("toy/raw/one.txt", sha256(ONE), "http://no-such-host.invalid/one.txt"))
    message = refused(wanted, tmp_path)
    assert "no-such-host.invalid" in message


def test_a_name_server_that_says_nothing(tmp_path, monkeypatch):
    def silent(command, timeout, **kwargs):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(download.subprocess, "run", silent)
    wanted = entry(DataFile("toy/raw/one.txt", sha256(ONE), "http://example.invalid/one.txt"))
    assert "no answer within 0.4 seconds to the question where example.invalid is" in refused(wanted, tmp_path)


def test_a_proxy_is_looked_up_instead_of_the_host(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    serve(server, "http://no-such-host.invalid/one.txt", ONE)
    ensure(entry(DataFile("toy/raw/one.txt", sha256(ONE), "http://no-such-host.invalid/one.txt")), tmp_path)
    assert (tmp_path / "toy/raw/one.txt").read_bytes() == ONE


def test_a_damaged_file_on_the_disk_is_named_and_kept(server, tmp_path):
    (tmp_path / "toy/raw").mkdir(parents=True)
    (tmp_path / "toy/raw/one.txt").write_bytes(ONE[:-3])
    with pytest.raises(DataError, match="one.txt does not match its published checksum, .* delete it and load again"):
        ensure(plain(server), tmp_path)
    assert (tmp_path / "toy/raw/one.txt").read_bytes() == ONE[:-3] and server.asked == []


def test_a_root_that_cannot_be_written(server, tmp_path):
    serve(server, "/data/one.txt", ONE)
    (tmp_path / "toy").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"cannot write .*toy/raw, .*: make it writable"):
        ensure(plain(server), tmp_path)


def test_a_full_disk(server, tmp_path, monkeypatch):
    serve(server, "/data/one.txt", ONE)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_place", full)
    assert "the disk is full: free space" in refused(plain(server), tmp_path)


def test_a_git_id_is_checked_as_git_does(server, tmp_path):
    serve(server, "/data/one.txt", b"hello\n")
    known = DataFile("toy/raw/one.txt", "ce013625030ba8dba906f756967f9e9ca394464a", f"{server.url}/data/one.txt")
    ensure(entry(known), tmp_path)
    (tmp_path / "toy/raw/one.txt").write_bytes(b"hallo\n")
    with pytest.raises(DataError, match="does not match"):
        ensure(entry(known), tmp_path)


@pytest.mark.parametrize(("name", "folder"), [("pubmed", "Planetoid/PubMed/raw"), ("ogbl-ddi", "ogbl_ddi")])
def test_a_known_data_set_that_is_not_there(server, tmp_path, monkeypatch, name, folder):
    unreachable = [replace(file, url=server.url + "/" + file.url.rsplit("/", 1)[1]) for file in DATASETS[name].files]
    monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], files=tuple(unreachable)))
    with pytest.raises(DataError) as caught:
        load(name, task="link", root=tmp_path)
    assert f"data set '{name}' is not complete in {tmp_path / folder} (missing: " in str(caught.value)
    assert f"cannot be downloaded from {server.url}/" in str(caught.value) and "answered 404" in str(caught.value)


def test_several_folders_and_another_name_are_told(server, tmp_path):
    files = (
        DataFile("toy/one.npz", sha256(ONE), f"{server.url}/a/uno.npz"),
        DataFile("more/raw/two.npz", sha256(TWO), f"{server.url}/b/two.npz"),
    )
    with pytest.raises(DataError) as caught:
        ensure(entry(*files), tmp_path)
    message = str(caught.value)
    assert (
        f"{tmp_path / 'toy'} (missing: one.npz, which is uno.npz there) and {tmp_path / 'more/raw'} (missing: two.npz)"
        in message
    )
    assert f"{server.url}/a/ and {server.url}/b/" in message and "has toy/ and more/" in message


@pytest.mark.data("Planetoid")
def test_a_real_data_set_comes_from_a_server(server, data_root, tmp_path, monkeypatch):
    local = []
    for file in DATASETS["cora"].files:
        serve(server, f"/{file.path}", (data_root / file.path).read_bytes())
        local.append(replace(file, url=f"{server.url}/{file.path}"))
    monkeypatch.setitem(DATASETS, "cora", replace(DATASETS["cora"], files=tuple(local)))
    dataset = load("cora", task="node", root=tmp_path)
    assert dataset.data.edge_index.size(1) == 10556 and len(server.asked) == 8
    load("cora", task="node", root=tmp_path)
    assert len(server.asked) == 8


@pytest.mark.data("ogbl_ddi")
def test_the_real_archives_layout(server, data_root, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted((data_root / "ogbl_ddi").rglob("*")):
            if path.is_file():
                archive.write(path, f"ddi/{path.relative_to(data_root / 'ogbl_ddi')}")
    serve(server, "/ddi.zip", buffer.getvalue())
    local = tuple(replace(file, url=f"{server.url}/ddi.zip") for file in DATASETS["ogbl-ddi"].files)
    monkeypatch.setitem(DATASETS, "ogbl-ddi", replace(DATASETS["ogbl-ddi"], files=local))
    assert load("ogbl-ddi", task="link", root=tmp_path).data.num_nodes == 4267
