"""What a number depends on besides its settings: versions, device, threads, commit."""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import graphkit
from graphkit.training.files import write_atomic

_PACKAGES = ("torch", "torch-geometric", "torch-scatter", "lightning-fabric", "numpy", "scipy", "scikit-learn", "numba")


def environment(device: torch.device, precision: str) -> dict[str, Any]:
    """Versions, device name, threads, platform, and the git commit where graphkit runs from a checkout."""
    return {
        "versions": {"python": platform.python_version(), "graphkit": graphkit.__version__, **_versions()},
        "device": _device_name(device),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "git": git_state(Path(graphkit.__file__).resolve().parent),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def git_state(package: Path) -> dict[str, Any] | None:
    """`{"commit", "dirty"}` of the checkout that tracks the package, None where there is none (or no commit, or no git).

    `dirty`: the package's own files differ from the commit. Others, such as the results of an earlier run, change no number.
    """
    tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py")
    commit = _git(package, "rev-parse", "--verify", "HEAD")
    if tracked is None or commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(package, "status", "--porcelain", "--untracked-files=no", "--", "."))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def record_environment(path: Path, now: dict[str, Any]) -> None:
    """Write env.json; a run resumed elsewhere keeps the earlier environments under `earlier`."""
    earlier: list[dict[str, Any]] = []
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            earlier = [*before.pop("earlier", [])]
        except (ValueError, AttributeError, TypeError, RecursionError):  # damaged: the present one replaces it
            before = now
        if before != now:
            earlier.append(before)
    record = {**now, "earlier": earlier} if earlier else now
    write_atomic(path, (json.dumps(record, indent=2) + "\n").encode())


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory in MiB: allocated on the GPU for CUDA, else resident memory of this process since it started."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
