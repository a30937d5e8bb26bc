"""Where machine code is kept: beside the source, else in a private folder, else nowhere; and forks that find a lock held."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

import graphkit
from graphkit.sparse.compiled import kernel

ROOT = Path(graphkit.__file__).parents[1]

USE = """
    import warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from graphkit.sparse import gather
    import graphkit, torch
    x = torch.ones(3, 2, requires_grad=True)
    gather(x, torch.tensor([0, 2, 2])).sum().backward()
    assert x.grad.tolist() == [[1, 1], [0, 0], [2, 2]]
    print(*{str(one.message) for one in caught if "compiled kernels" in str(one.message)}, sep="\\n")
    print(sum("compiled kernels" in str(one.message) for one in caught), graphkit.__file__)
"""


def run(body: str, **environment: str) -> list[str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", textwrap.dedent(body)],  # -P: not what lies in the current folder
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_nothing_writable_but_the_temporary_folder(tmp_path):
    """As in a container; root too can keep nothing where a file stands in the place of __pycache__."""
    source, spare = Path(graphkit.__file__).parent, tmp_path / "spare"
    sealed = shutil.copytree(source, tmp_path / "sealed" / "graphkit", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (sealed, *(path for path in sealed.rglob("*") if path.is_dir())):
        (folder / "__pycache__").touch()
    spare.mkdir()
    said, counted = run(USE, PYTHONPATH=str(sealed.parent), HOME="/dev/null", TMPDIR=str(spare))
    (folder,) = spare.glob("graphkit-*")
    assert f"are kept in {folder}, since neither" in said and "set NUMBA_CACHE_DIR" in said
    assert counted.split() == ["1", str(sealed / "__init__.py")]
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.rglob("*.nbc"))


def spare_folder(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> Path | None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        return kernel._spare_folder.__wrapped__()


def test_the_spare_folder_is_found_again(tmp_path, monkeypatch):
    folder = spare_folder(monkeypatch, tmp_path)
    assert folder.parent == tmp_path and folder.stat().st_mode & 0o077 == 0
    assert spare_folder(monkeypatch, tmp_path) == folder


@pytest.mark.parametrize("kind", ["open to all", "link", "file"])
def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path, monkeypatch, kind):
    folder = spare_folder(monkeypatch, tmp_path)
    if kind == "open to all":
        folder.chmod(0o777)
    else:
        folder.rename(tmp_path / "elsewhere")
        folder.touch() if kind == "file" else folder.symlink_to(tmp_path / "elsewhere")
    assert spare_folder(monkeypatch, tmp_path) is None


def test_without_any_folder_kernels_compile_all_the_same(monkeypatch):
    def nowhere(function, options):
        raise RuntimeError("cannot cache function 'f': no locator available")

    monkeypatch.setattr(kernel, "_kept", nowhere)
    monkeypatch.setattr(kernel, "_spare_folder", lambda: None)
    assert kernel.kernel(nogil=True)(lambda a: a + 1)(1) == 2


def test_other_errors_of_numba_are_not_hidden(monkeypatch):
    def broken(function, options):
        raise RuntimeError("something else")

    monkeypatch.setattr(kernel, "_kept", broken)
    with pytest.raises(RuntimeError, match="something else"):
        kernel.kernel()(lambda a: a)


FORK = """
    import os, threading, time
    import numba, torch
    from graphkit.sparse import pair_product
    from graphkit.sparse.compiled.threads import kernel_threads
    from graphkit.sparse.compiled.work import next_block, parallel_for

    torch.set_num_threads(2)
    x, pairs = torch.ones(8, 2), torch.zeros(2, 5, dtype=torch.int64)
    pair_product(x, pairs)
    @numba.njit(nogil=True)
    def count(counter, out, patience):
        total = 0
        for i in range(patience):
            total ^= i * i
        i = next_block(counter)
        while i < out.shape[0]:
            out[i] += 1 + (total == -1)
            i = next_block(counter)

    def child(work, wait=60):
        number = os.fork()
        if not number:
            work()
            os._exit(0)
        end = time.monotonic() + wait
        while time.monotonic() < end:
            found, status = os.waitpid(number, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(number, 9)
        os.waitpid(number, 0)
        return "hangs"

    def shared(patience=1):
        out = torch.zeros(1000, dtype=torch.int64)
        parallel_for(count, out, patience)
        assert bool((out == 1).all())
"""


def test_a_child_does_not_wait_for_a_lock_that_its_parent_held():
    lines = run(
        FORK
        + """
    held, done = threading.Event(), threading.Event()
    def hold():
        with kernel_threads():
            held.set()
            done.wait(60)
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    print(child(lambda: pair_product(x, pairs), 30))
    done.set()
    holder.join()
    print(pair_product(x, pairs).sum().item())
    """
    )
    assert lines == ["0", "10.0"]


def test_a_child_works_while_a_kernel_of_its_parent_runs():
    lines = run(
        FORK
        + """
    shared()
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            shared(10**8)
    workers = [threading.Thread(target=busy) for _ in range(2)]
    for worker in workers:
        worker.start()
    time.sleep(0.05)
    print([child(lambda: (shared(), pair_product(x, pairs)), 30) for _ in range(5)])
    stop.set()
    for worker in workers:
        worker.join()
    """
    )
    assert lines == ["[0, 0, 0, 0, 0]"]


def test_a_child_compiles_though_its_parent_was_compiling():
    lines = run(
        FORK
        + """
    from numba.core.compiler_lock import global_compiler_lock
    compiling = threading.Event()
    def compile_something():
        with global_compiler_lock:
            compiling.set()
            time.sleep(0.5)
    worker = threading.Thread(target=compile_something)
    worker.start()
    compiling.wait(60)
    print(child(lambda: numba.njit(lambda a: a + 1)(1), 30))
    worker.join()
    """
    )
    assert lines == ["0"]
