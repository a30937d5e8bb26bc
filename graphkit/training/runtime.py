"""The process around a run: device, threads, torch's modes, random states, signals; all put back when the run is over."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from graphkit.errors import RequestError, RunError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "64-true", "bf16-mixed", "16-mixed"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ALONE = threading.RLock()
"""Held by the thread that runs: random states and thread counts belong to the whole process."""


def resolve_device(name: str, precision: str = "32-true") -> torch.device:
    """The device that `device=` asks for.

    Args:
        name: `auto` (CUDA where there is one), `cpu` or `cuda`.
        precision: Fabric's precision, checked against the device.

    Raises:
        RequestError: If there is no CUDA device, or the precision does not exist on the device.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise RequestError("device=cuda: this machine or this build of torch has no CUDA device; use device=cpu or device=auto")
    device = torch.device("cuda", torch.cuda.current_device()) if available and name != "cpu" else torch.device("cpu")
    if precision == "16-mixed" and device.type == "cpu":
        raise RequestError("precision=16-mixed needs a CUDA device: on the CPU use precision=bf16-mixed or 32-true")
    return device


def resolve_precision(precision: Precision, device: torch.device) -> tuple[Precision, str | None]:
    """The precision to compute in, and a sentence where it is not the one asked for.

    PyTorch multiplies bfloat16 on every CPU, but on x86 without the instructions for it in emulation, at a third of its
    float32 speed: there `bf16-mixed` computes in float32, which is both faster and more precise.
    """
    if precision != "bf16-mixed" or device.type != "cpu" or native_bfloat16():
        return precision, None
    return "32-true", "this CPU has no bfloat16 instructions, so precision=bf16-mixed computes in 32-true"


def make_fabric(device: torch.device, precision: Precision) -> Fabric:
    """Fabric on one device."""
    from lightning_fabric import Fabric  # brings torch's tracer along, which takes seconds and which predictions do without

    return Fabric(accelerator=device.type, devices=1 if device.type == "cpu" else [device.index], precision=precision)


def native_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware; True where torch cannot tell."""
    read = getattr(torch.cpu, "get_capabilities", None)
    capabilities = read() if read is not None else {}
    if capabilities.get("architecture") != "x86_64":
        return True
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states(device: torch.device) -> dict[str, Any]:
    """The states of all global generators, as tensors and plain values."""
    version, words, gauss = random.getstate()
    _, key, position, has_gauss, cached = np.random.get_state(legacy=True)
    states: dict[str, Any] = {
        "python": [version, list(words), gauss],
        "numpy": [torch.from_numpy(np.asarray(key).astype(np.int64)), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Put back what `random_states` returned."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    key, position, has_gauss, cached = states["numpy"]
    np.random.set_state(("MT19937", key.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed blocks instead of handing them back.

    By default every tensor above 32 MB is mapped afresh and each of its pages faults on first touch, in every step again: a
    tenth of a training step on ogbl-ddi. Where the C library is another one nothing changes.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    library.mallopt(mmap_threshold, 2**30)
    library.mallopt(trim_threshold, 2**31 - 1)


@contextlib.contextmanager
def own_modes(dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """Within, torch's modes are those of a new process, whatever the caller has set; afterwards they are the caller's again.

    Gradients are recorded; there is no autocast; tensors are made on the CPU and in `dtype`; products of float32 matrices are
    computed in float32.
    """
    before_dtype, before_products = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    with contextlib.ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            modes.enter_context(torch.device("cpu"))  # it slows every call of torch, so only where it is needed
        try:
            torch.set_default_dtype(dtype)
            torch.set_float32_matmul_precision("highest")
            yield
        finally:
            torch.set_default_dtype(before_dtype)
            torch.set_float32_matmul_precision(before_products)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    if not _ALONE.acquire(blocking=False):
        raise RequestError(
            "another thread of this process is in a run, and both would share one random state: start each run in a process of "
            "its own"
        )
    try:
        yield
    finally:
        _ALONE.release()


@contextlib.contextmanager
def process_state(threads: int, deterministic: bool, device: torch.device) -> Iterator[None]:
    """Set threads, determinism and torch's modes for a run; afterwards they, and the global random states, are as before.

    A thread may enter again what it has entered; any other is refused, since all threads share one random state.

    Args:
        threads: CPU threads; 0 leaves torch's choice (all cores, or OMP_NUM_THREADS). Sums are cut into as many parts, so that
            another number may change the last bits of a result.
        deterministic: On CUDA, refuse operations whose result depends on timing. On the CPU the operations of graphkit repeat
            bit for bit with the same threads on the same machine; torch's switch would only slow them down.
        device: Where the run computes.

    Raises:
        RequestError: If another thread of this process is inside.
    """
    with _alone():
        before_threads = torch.get_num_threads()
        before_mode = torch.get_deterministic_debug_mode()
        before_random = random_states(device)
        try:
            if device.type == "cpu":
                keep_freed_memory()
            if threads > 0:
                torch.set_num_threads(threads)
            refuse = deterministic and device.type == "cuda"
            if refuse:
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats only with a fixed workspace
            # `use_deterministic_algorithms` sets the same, and imports torch's compiler to tell it.
            torch.set_deterministic_debug_mode("error" if refuse else "default")
            with own_modes():
                yield
        finally:
            torch.set_num_threads(before_threads)
            torch.set_deterministic_debug_mode(before_mode)
            restore_random_states(before_random, device)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first SIGINT, SIGTERM or SIGHUP raises KeyboardInterrupt and a second one ends the process at once.

    SIGHUP, of a terminal that was closed, stays ignored where it is: `nohup` runs on. Outside the main thread Python handles
    no signals; nothing changes there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    handled = [*_SIGNALS]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled.append(signal.SIGHUP)

    def first(signum: int, frame: FrameType | None) -> None:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, first) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def torch_errors() -> Iterator[None]:
    """Say in one sentence what torch says in many: memory that ran out, an operation that cannot repeat.

    Raises:
        RunError: With what to do.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text:
            raise RunError(
                "out of memory: lower train.batch_size, train.eval_batch_size, task.micro_batch or the width of the model, or "
                "take a smaller data set"
            ) from error
        if "does not have a deterministic implementation" in text:
            operation = text.split(" does not have", 1)[0]
            raise RunError(
                f"{operation} gives results that depend on timing on this device: set deterministic=false"
            ) from error
        raise
