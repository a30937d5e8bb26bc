"""Work that threads take from a counter: all of it once, errors reach the caller, a forked child has threads of its own."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from numba import njit

from graphkit.sparse.compiled.work import next_block, parallel_for

pytestmark = pytest.mark.usefixtures("threads_as_before")


@njit(nogil=True)
def count(counter, out):
    i = next_block(counter)
    while i < out.shape[0]:
        out[i] += 1
        i = next_block(counter)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_block_is_taken_once(threads: int):
    torch.set_num_threads(threads)
    for size in (0, 1, 5, 10_000):
        out = torch.zeros(size, dtype=torch.int64)
        parallel_for(count, out)
        assert torch.equal(out, torch.ones_like(out))


def test_callers_share_the_threads():
    torch.set_num_threads(3)

    def work(_: int) -> bool:
        out = torch.zeros(1000, dtype=torch.int64)
        parallel_for(count, out)
        return bool((out == 1).all())

    with ThreadPoolExecutor(4) as callers:
        assert all(callers.map(work, range(200), timeout=120))


def test_alone_is_in_the_callers_thread():
    torch.set_num_threads(4)
    called = []

    def kernel(counter):
        called.append(threading.get_ident())
        time.sleep(0.2)  # for a helper to come

    parallel_for(kernel, alone=True)
    assert called == [threading.get_ident()]


def test_other_threads_help():
    torch.set_num_threads(2)
    together = threading.Barrier(2, timeout=60)  # broken unless two threads call the kernel at once
    parallel_for(lambda counter: together.wait())


@pytest.mark.parametrize("where", ["caller", "helper"])
def test_an_error_reaches_the_caller(where: str):
    torch.set_num_threads(2)
    together, caller = threading.Barrier(2, timeout=60), threading.get_ident()

    def kernel(counter):
        together.wait()
        if (threading.get_ident() == caller) == (where == "caller"):
            raise RuntimeError("broken kernel")

    with pytest.raises(RuntimeError, match="broken kernel"):
        parallel_for(kernel)


def test_a_forked_child_has_threads_of_its_own():
    script = """
import os, torch
from graphkit.sparse.compiled.work import parallel_for
from threading import Barrier
torch.set_num_threads(2)
def both():
    together = Barrier(2, timeout=60)
    parallel_for(lambda counter: together.wait())
both()
child = os.fork()
if not child:
    both()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=300)
