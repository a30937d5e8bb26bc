"""What tests share: shapes that are checked, and real data where it lies on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch

# The shapes in signatures are checked in tests alone; before these modules are imported.
FAMILIES = [f"graphkit.layers.{family}" for family in ("context", "conv", "dense", "graph", "pairs", "sheaf", "subgraph")]
jaxtyping.install_import_hook([*FAMILIES, "graphkit.prototypes", "graphkit.vision"], "beartype.beartype")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, by name, a test marked `data("folder", ...)` whose folders are not under GRAPHKIT_DATA."""
    for mark in item.iter_markers("data"):
        root = os.environ.get("GRAPHKIT_DATA")
        if not root:
            pytest.skip(
                f"{item.name} needs {', '.join(mark.args) or 'real data'}: set GRAPHKIT_DATA to the folder that holds it"
            )
        missing = [folder for folder in mark.args if not (Path(root) / folder).is_dir()]
        if missing:
            pytest.skip(f"{item.name} needs {', '.join(missing)}, which GRAPHKIT_DATA lacks")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a `python` whose commands start at once."""
    from tests.forks import quick_python

    with quick_python(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """No checks of signatures: a compiler would trace them, and they would refuse a wrong argument before the layer does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def data_root(request: pytest.FixtureRequest) -> Path:
    """The folder of real data, never to be written to; the test carries `@pytest.mark.data("folder", ...)`."""
    assert request.node.get_closest_marker("data"), 'mark the test: @pytest.mark.data("folder below GRAPHKIT_DATA")'
    return Path(os.environ["GRAPHKIT_DATA"])


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    """A test may set the number of threads."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
