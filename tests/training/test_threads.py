"""Every trained model, with 1 thread and with 2 or 3: equal runs are equal bit for bit, also one that was stopped and resumed.

Models take turns with 2 and 3, since each of these trainings takes seconds.

The planted data sets are large enough for torch to split work among three threads: its loops do so from 32,768 elements on.
Runs with other numbers of threads may differ: sums are cut into other parts.
"""

from itertools import count
from pathlib import Path
from pkgutil import resolve_name

import pytest

from graphkit.conf.arguments import flatten
from graphkit.conf.catalog import MODELS
from graphkit.conf.compose import compose
from graphkit.conf.request import check
from graphkit.data.catalog import DATASETS
from graphkit.errors import Interrupted
from graphkit.tasks.experiment import Experiment
from graphkit.training.runner import train_run
from tests.training.compare import assert_same_run

EPOCHS = 2
DATA = {
    "link": "planted-communities",
    "node": "planted-partition",
    "graph": "planted-graphs",
    "image": "planted-patches",
    "recommend": "planted-interactions",
}
BATCH = {"link": 2048, "node": 0, "graph": 128, "image": 128, "recommend": 2048}


def is_trained(task: str, name: str) -> bool:
    """Whether the model is trained."""
    return getattr(resolve_name(MODELS[task][name].target), "trained", True)


SAME_CODE = ("ds", "ngnn", "gnn-ak", "sswl", "ppgn")
"""Graph models that are choices of the classes of others here."""
CASES = {
    **{f"{task}-{name}": (task, name, {}) for task, models in MODELS.items() for name in models if is_trained(task, name)},
    **{f"graph-{name}": ("graph", name, {"hidden_channels": 8, "num_layers": 2}) for name in MODELS["graph"]},
    **{f"image-{name}": ("image", name, {"hidden_channels": 8}) for name in ("cnn", "prototype-autoencoder", "prob-psenn")},
    **{
        f"image-{name}": ("image", name, {"hidden_channels": 8, "channels": 8, "warm_epochs": 1, "head_epochs": 1})
        for name in ("protopnet", "st-protopnet", "cbc", "multi-scale")
    },
    "link-ncn": ("link", "ncn", {"hidden_channels": 64}),
    "link-gae": ("link", "gae", {"hidden_channels": 64}),
    "link-buddy": ("link", "buddy", {"hidden_channels": 64, "num_hashes": 16}),
    "link-elph": ("link", "elph", {"hidden_channels": 32, "num_hashes": 16}),
    "link-nbfnet": ("link", "nbfnet", {"hidden_channels": 2, "num_layers": 1}),
    "node-sir-gcn": ("node", "sir-gcn", {"hidden_channels": 8}),
    "node-dir-gnn-gat": ("node", "dir-gnn", {"conv": "gat"}),
    "node-mowst": ("node", "mowst", {"hidden_channels": 16, "weak_channels": 16}),
    "node-hei": ("node", "hei", {"hidden_channels": 16, "infer_epochs": 1}),
    "node-sheaf-weighted": ("node", "sheaf", {"maps": "identity", "edge_weights": True}),
    "recommend-lightgcn-norm": ("recommend", "lightgcn", {"penalty": "norm", "layer_weights": "learned"}),
    "recommend-ultragcn-few": ("recommend", "ultragcn", {"hidden_channels": 32}),  # items are gathered instead of all scored
}


# beartype draws from Python's random numbers, whose state a checkpoint holds
pytestmark = pytest.mark.usefixtures("checkpoint_every_epoch", "unchecked_shapes")


def stopping(experiment: Experiment):
    """The experiment with a SIGINT in the last epoch, after its first step where it has more."""

    def make(seed: int):
        task = experiment(seed)
        step, steps = task.step, count(1)
        last = (EPOCHS - 1) * task.num_batches + min(2, task.num_batches)

        def stopped(*arguments):
            if next(steps) == last:
                raise KeyboardInterrupt
            return step(*arguments)

        task.step = stopped
        return task

    return make


RUN = [(name, case) for name, case in CASES.items() if case[1] not in SAME_CODE]


@pytest.mark.parametrize(
    ("task", "model", "options", "threads"),
    [
        pytest.param(*case, threads, id=f"{name}-{threads}")
        for number, (name, case) in enumerate(RUN)
        for threads in (1, 2 + number % 2)
    ],
)
def test_a_resumed_run_is_the_unbroken_one(task: str, model: str, options: dict, threads: int, tmp_path: Path, monkeypatch):
    asked = {
        "task": task,
        "dataset": DATA[task],
        "model": {"name": model, **options},
        "train": {"epochs": EPOCHS, "batch_size": BATCH[task], "lr": 0.01},
        "recipe": "none",
        "device": "cpu",
        "threads": threads,
        "progress": False,
        "out": str(tmp_path),
    }
    with monkeypatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: 3)  # more threads than cores are refused
        resolved = compose(check(flatten(asked), DATASETS))
    experiment = Experiment(resolved.run)
    unbroken = train_run(resolved.config, experiment)
    assert unbroken.num_parameters > 0
    with pytest.raises(Interrupted) as caught:
        train_run(resolved.config, stopping(experiment))
    folder = Path(str(caught.value).split("resume=", 1)[1])
    assert (folder / "seed-0" / "last.ckpt").exists()
    train_run(resolved.config, experiment, folder=folder)
    assert_same_run(folder, unbroken.folder)
