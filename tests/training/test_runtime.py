"""A run's process: its own modes and random state, whatever the caller has set, and given back afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from graphkit.errors import RequestError
from graphkit.run import dry_run, run
from graphkit.training.result import RunResult
from graphkit.training.runtime import interruptible, own_modes, process_state

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def trained(out: Path) -> RunResult:
    model = {"name": "gae", "hidden_channels": 8, "conv": "gcn", "dropout": 0.2}
    return run("link", "karate", model, train={"epochs": 3, "lr": 0.05}, device="cpu", out=str(out))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The run that nothing disturbs."""
    return trained(tmp_path_factory.mktemp("alone"))


@contextlib.contextmanager
def setting(set_to: Callable[..., None], value: object, before: object):
    set_to(value)
    try:
        yield
    finally:
        set_to(before)


CALLERS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "float64": lambda: setting(torch.set_default_dtype, torch.float64, torch.float32),
    "device": lambda: torch.device("meta"),
    "deterministic": lambda: setting(torch.use_deterministic_algorithms, True, False),
    "products": lambda: setting(torch.set_float32_matmul_precision, "medium", "highest"),
}


def modes() -> list[object]:
    return [
        torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype(),
        torch.get_default_device(), torch.get_deterministic_debug_mode(), torch.get_float32_matmul_precision(),
        torch.get_num_threads(), torch.random.get_rng_state().tolist(),
    ]  # fmt: skip


@pytest.mark.parametrize("caller", CALLERS)
def test_a_run_takes_nothing_over_and_gives_everything_back(caller: str, alone: RunResult, tmp_path: Path):
    with CALLERS[caller]():
        before = modes()
        result = trained(tmp_path)
        assert modes() == before
    assert result.metrics == alone.metrics
    name = "seed-0/best.safetensors"
    assert (result.folder / name).read_bytes()[-4000:] == (alone.folder / name).read_bytes()[-4000:]


def test_modes_are_given_back_after_an_error():
    with torch.no_grad():
        before = modes()
        with pytest.raises(ZeroDivisionError), process_state(1, True, CPU):
            assert torch.is_grad_enabled()
            _ = 1 / 0
        assert modes() == before
    with own_modes(torch.float64):
        assert torch.ones(1).dtype == torch.float64


def test_another_thread_is_refused_and_told_what_to_do(alone: RunResult, tmp_path: Path):
    told: list[str] = []

    def ask() -> None:
        for door in (trained, lambda out: dry_run("link", "karate")):
            try:
                door(tmp_path)
            except RequestError as error:
                told.append(str(error))

    thread = threading.Thread(target=ask)
    with process_state(0, True, CPU):
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        with process_state(0, True, CPU):  # the thread that is inside may enter again
            pass
    assert len(told) == 2 and all("start each run in a process of its own" in line for line in told)
    assert not any(tmp_path.iterdir())
    assert trained(tmp_path).metrics == alone.metrics


def test_runs_at_once_are_right_or_refused(alone: RunResult, tmp_path: Path):
    answers: list[object] = []

    def go(number: int) -> None:
        try:
            answers.append(trained(tmp_path / str(number)).metrics)
        except RequestError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    right = [answer for answer in answers if answer == alone.metrics]
    assert len(answers) == 4 and right
    assert all("in a process of its own" in answer for answer in answers if isinstance(answer, str))
    assert len(right) + sum(isinstance(answer, str) for answer in answers) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_interrupt_and_handlers_come_back(number: signal.Signals):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_nohup_goes_on():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_leaves_a_run_that_can_be_resumed(tmp_path: Path):
    """The terminal is a pseudo-terminal whose other end is closed while the run trains."""
    master, slave = os.openpty()
    arguments = ["task=link", "dataset=karate", "model=gae", "model.hidden_channels=8", "train.epochs=100000", "device=cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "graphkit.run", *arguments], stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(tmp_path.glob("runs/*/seed-0/last.ckpt")):
        os.set_blocking(master, False)
        with contextlib.suppress(BlockingIOError):
            os.read(master, 65536)
        time.sleep(0.05)
    os.close(master)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 130
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "seed-0" / "last.ckpt").exists() and not (folder / "result.json").exists()


def test_systems_without_unix_modules(tmp_path: Path):
    """Where `fcntl` and `resource` are missing, a run does without locks on folders and without the peak of memory."""
    code = """if True:
        import signal, sys
        sys.modules["fcntl"] = sys.modules["resource"] = None
        from graphkit.run import main
        sys.exit(main(["task=node", "dataset=karate", "train.epochs=1", "device=cpu"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    (report,) = tmp_path.glob("runs/*/report.html")
    assert "peak memory" not in report.read_text()
