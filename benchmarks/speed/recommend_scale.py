"""Epochs of LightGCN on more and more synthetic interactions: seconds, peak memory, and a plan for what is too large."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from benchmarks.speed import interactions
from benchmarks.speed.harness import Case, Contest, Options, Results, Side, seconds_of
from benchmarks.speed.lightgcn import Training, work_of_steps
from benchmarks.speed.machine import available_memory
from benchmarks.speed.scale_check import Oracle
from graphkit.data.dataset import InteractionData
from graphkit.sparse import Triples

SIZES = (10**5, 10**6, 10**7, 10**8)
PEER = "float64 sums, to check only"
_QUICK_SIZES, _QUICK_BATCH = (2_000, 8_000), 256
_LEAST_BATCH, _MOST_STEPS = 2_048, 396  # Gowalla's; larger sets get larger batches, so that the steps stay as many
_STEPS = 3  # that an epoch's seconds are extrapolated from
_CHECKED_CHANNELS = 2
_CHECKED = (
    f"the loss of a batch and the gradient of the table, where all channels but {_CHECKED_CHANNELS} are zero (memory: training "
    "from the interactions on)"
)
# Resident bytes at the peak, as measured from 1e5 to 1e7 interactions: the process, an interaction, a node's embedding.
_BASE, _PER_INTERACTION, _PER_NODE = 600e6, 150.0, 64 * 4 * 8.0


def contests(options: Options) -> Iterator[Contest]:
    """A contest for each size that fits; the last one says what the others would take."""
    sizes = _QUICK_SIZES if options.quick else sizes_up_to(options.largest)
    free = available_memory()
    fitting = [size for size in sizes if free is None or predicted_mb(size) <= free]
    planned = [] if options.quick else [size for size in {*SIZES, *sizes} if size not in fitting]
    for size in sizes:
        if size not in fitting:
            options.note(f"{size:,} interactions are left out: {_needs(size)}, {free:,.0f} MB are free")
    for size in fitting:
        scale = _Scale(interactions.of_size(size), options.quick)
        yield scale.contest(sorted(planned) if size == fitting[-1] else [])


def sizes_up_to(largest: int) -> tuple[int, ...]:
    """The sizes below `largest`, and `largest`."""
    return (*(size for size in SIZES if size < largest), largest)


def predicted_mb(size: int) -> float:
    """Peak memory of the process that trains on so many interactions, in MiB."""
    return (_BASE + _PER_INTERACTION * size + _PER_NODE * 90 * size**0.5) / 2**20


def _needs(size: int) -> str:
    nodes = 2 * round(45 * size**0.5)
    return f"with {nodes:,} users and items they need about {predicted_mb(size):,.0f} MB"


def _batch_and_steps(size: int, quick: bool = False) -> tuple[int, int]:
    batch = _QUICK_BATCH if quick else max(_LEAST_BATCH, -(-size // _MOST_STEPS))
    return batch, -(-size // batch)


class _Scale:
    """Interactions, and training on them from nothing."""

    def __init__(self, dataset: InteractionData, quick: bool) -> None:
        train = dataset.splits["train"]
        assert isinstance(train, Tensor)
        self._dataset, self._pairs, self._count = dataset, train, train.size(1)
        self._batch, self._steps = _batch_and_steps(self._count, quick)
        self._channels = 16 if quick else 64
        self._training: Training | None = None
        self._given: tuple[Tensor, Triples, int, float] | None = None

    def contest(self, planned: list[int]) -> Contest:
        """The row of this size, and a remark on sizes that are planned only."""
        nodes = int(self._dataset.graph.num_nodes)
        label = (
            f"{self._dataset.name}, {nodes:,} users and items, epoch of {self._steps} x {self._batch:,} EXTRAPOLATED from "
            f"{min(_STEPS, self._steps)} steps and a whole sampling"
        )
        work = work_of_steps(2 * self._count, 4 * nodes * self._channels, self._steps)
        ours = Side("graphkit", self._from_nothing, self._found, self._epoch_seconds)
        case = Case(label, ours, Side(PEER, None, self._right), work, tolerance=1e-4, checked=_CHECKED)

        def remark(ms: dict[Side, float]) -> str:
            return "\n".join(self._plan(size, ms[ours] / 1e3) for size in planned)

        return Contest([case], seconds=5.0, remark=remark if planned else None)

    def _from_nothing(self) -> None:
        """All that an epoch needs, and its first step."""
        self._training = None
        training = self._training = self._begin()
        for number, batch in enumerate(training.batches()):
            if number == 0:
                training.step(batch)

    def _epoch_seconds(self) -> float:
        training = self._training
        assert training is not None
        batches: list[Triples] = []

        def sample() -> None:
            for number, batch in enumerate(training.batches()):
                if number < _STEPS:
                    batches.append(batch)

        def some_steps() -> None:
            for batch in batches:
                training.step(batch)

        return seconds_of(sample) + seconds_of(some_steps) * self._steps / len(batches)

    def _found(self) -> Results:
        training = self._begin()
        table = training.model.embedding.data
        table[:, _CHECKED_CHANNELS:] = 0.0
        (batch,) = training.first_batches(1)
        settings = training.run.model
        self._given = table[:, :_CHECKED_CHANNELS].clone(), batch, settings.num_layers, settings.embedding_penalty
        results = training.loss_and_gradient(batch)
        return results | {"gradient": results["gradient"][:, :_CHECKED_CHANNELS].clone()}

    def _right(self) -> Results:
        assert self._given is not None
        table, batch, layers, weight = self._given
        data = self._dataset.data
        oracle = Oracle(self._pairs, int(data.num_users), int(data.num_items), layers, weight)
        return oracle.loss_and_gradient(table, batch)

    def _begin(self) -> Training:
        return Training(self._dataset, train__batch_size=self._batch, model__hidden_channels=self._channels)

    def _plan(self, size: int, seconds: float) -> str:
        _, steps = _batch_and_steps(size)
        times = size * steps / (self._count * self._steps)
        return (
            f"On paper, {size:,} interactions: {_needs(size)}, an epoch of {steps} steps about {seconds * times:,.0f} s, by "
            f"the time of {self._count:,} interactions (--largest={size:.0e} measures it where memory allows)."
        )
