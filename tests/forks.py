"""A `python` whose commands start at once: each is a fork of one process that has imported torch and graphkit.

    with quick_python(folder) as programs:  # a folder with the program `python`, to be put on the PATH
        subprocess.run([programs / "python", "-m", "graphkit.run", ...])

It takes `-m MODULE ARGUMENT...` and `FILE ARGUMENT...`. A command has the arguments, folder, variables, streams and signals of
the caller, and its exit status.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numba

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("claims", "comparison", "conf", "data", "explain", "models", "serving", "tasks", "training")
OTHERS = ("graphkit.layers", "hydra", "lightning_fabric", "pandas", "sklearn.datasets", "ipykernel.ipkernel")

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
socket.send_fds(line, [json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n"], [0, 1, 2])
told = line.makefile("rb")
child = int(told.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.kill(child, number))
sys.exit(int(told.readline() or 1))
"""


@contextlib.contextmanager
def quick_python(folder: Path) -> Iterator[Path]:
    """The folder, with the program `python` in it, which answers for as long as the block runs."""
    address = str(folder / "socket")
    (folder / "python").write_text(CLIENT.format(python=sys.executable, address=address))
    (folder / "python").chmod(0o755)
    command = [sys.executable, "-m", "tests.forks", address]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield folder
        finally:
            process.stdin.close()


def _serve(address: str) -> None:
    rooms = [f"graphkit/{room}" for room in ROOMS]
    found = [one.name for room in rooms for one in pkgutil.walk_packages([str(ROOT / room)], room.replace("/", ".") + ".")]
    for name in (*(name for name in found if not name.endswith("__main__")), *OTHERS):
        importlib.import_module(name)
    numba.njit(lambda: 0)()  # fills numba's tables, which takes longer than most commands
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    print("ready", flush=True)
    while listening in select.select([listening, sys.stdin], [], [])[0]:  # stdin ends with the process that started this one
        line, _ = listening.accept()
        if not os.fork():
            listening.close()
            _answer(line)
        line.close()
    os._exit(0)  # the interpreter would take seconds to tidy up


def _answer(line: socket.socket) -> None:
    """In a fork: carry out the command at the other end of the line, tell its status, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, descriptors, _, _ = socket.recv_fds(line, 1 << 20, 3)
    while not message.endswith(b"\n"):
        message += line.recv(1 << 20)
    arguments, place, variables = json.loads(message)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    line.sendall(f"{os.getpid()}\n".encode())
    os.chdir(place)
    os.environ.clear()
    os.environ.update(variables)
    status = _status(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    line.sendall(f"{status}\n".encode())
    os._exit(status)


def _status(arguments: Sequence[str]) -> int:
    try:
        if arguments[0] == "-m":
            sys.argv = list(arguments[1:])
            sys.modules.pop(arguments[1], None)  # or runpy warns
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(arguments)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as ended:
        return _as_status(ended.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _as_status(code: Any) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    _serve(sys.argv[1])
