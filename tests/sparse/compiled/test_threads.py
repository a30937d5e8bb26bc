"""Compiled kernels take torch's number of threads, and callers take turns."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numba
import pytest
import torch

from graphkit.sparse import CSR
from graphkit.sparse.compiled.threads import kernel_threads
from graphkit.sparse.pairs.intersection import NeighborSets
from graphkit.sparse.pairs.product import pair_product
from graphkit.sparse.rows.norm_dropout_relu import norm_dropout_relu

pytestmark = pytest.mark.usefixtures("threads_as_before")


def test_kernels_follow_torch():
    available = numba.config.NUMBA_NUM_THREADS
    for count in (1, 2, available + 1):
        torch.set_num_threads(count)
        with kernel_threads():
            assert numba.get_num_threads() == min(count, available)


def test_a_new_thread_follows_too():
    torch.set_num_threads(1)

    def inside():
        with kernel_threads():
            return numba.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result(timeout=60) == 1


def test_one_kernel_at_a_time_and_an_error_opens_the_door_again():
    entered, order = threading.Event(), []

    def second():
        entered.set()
        with kernel_threads():
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(RuntimeError, match="broken kernel"), kernel_threads():
            waiting = pool.submit(second)
            assert entered.wait(timeout=60)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.1)
            order.append("first")
            raise RuntimeError("broken kernel")
        waiting.result(timeout=60)
    assert order == ["first", "second"]


def test_python_threads_may_call_kernels_at_once():
    edge_index = torch.randint(60, (2, 700), generator=torch.Generator().manual_seed(0))
    sets = NeighborSets(CSR.from_edge_index(edge_index, 60), "bitset")

    def work(seed):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(60, 12, generator=generator, dtype=torch.float64, requires_grad=True)
        pairs = torch.randint(60, (2, 300), generator=generator)
        out = norm_dropout_relu(pair_product(x, pairs) + sets.pool(pairs, x))
        out.sum().backward()
        return out.detach(), x.grad

    seeds = [0, 1] * 10
    alone = [work(seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        for seed, found in zip(seeds, pool.map(work, seeds, timeout=120), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(found, alone[seed], strict=True))
