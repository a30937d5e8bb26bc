"""A claim compared with the user's own copy of the data: what it holds, what was changed, and what its predictions give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphkit.claims.again import Again, train_again
from graphkit.claims.content import Claim, definition, differences, read_claim, require_own_files
from graphkit.claims.evidence import Evidence, digests_of
from graphkit.claims.report import Verification
from graphkit.claims.scores import MEAN, Score, compared
from graphkit.conf.request import Request
from graphkit.data.own.memory import InMemory
from graphkit.errors import ClaimError, RequestError, RunError
from graphkit.metrics.registry import decimals, own_measure
from graphkit.tasks.experiment import StoredError, completed
from graphkit.training.artifacts import config_digest, significant
from graphkit.training.protocol import AnyTask
from graphkit.training.result import Metrics, summarize

_MOST_NAMED = 10
"""Seeds that are left out and named one by one."""


def verify_claim(
    path: Path,
    places: Mapping[str, Any],
    memory: Mapping[str, InMemory] | None = None,
    *,
    retrain: int = 0,
    device: str = "auto",
) -> Verification:
    """Score a claim again.

    Args:
        path: The claim.
        places: Where the user's own copy of the data lies, by dotted key.
        memory: Data in memory that stands in the place of own files, by setting.
        retrain: How many seeds are trained again, the first ones.
        device: Where to train them.

    Raises:
        RequestError: If there is no such file, or data is not available.
        ClaimError: If it is no claim.
    """
    claim = read_claim(path)
    request = _request(claim, places)
    seeds = claim.result.seeds
    if retrain > len(seeds):
        raise RequestError(f"retrain={retrain}: {path} has {len(seeds)} seeds")
    checking = _Checking(claim, request, memory)
    scored = checking.scored()
    scores = compared(claim.result.metrics, scored, seeds)
    findings = [*claim.archive.changes(), *_contradictions(claim), *checking.findings]
    findings += [
        _sentence(score)
        for score in scores
        if not score.holds and score.metric not in checking.own and (score.scored is not None or not findings)
    ]
    notes = [*checking.notes]
    again: list[Again] = []
    for seed in seeds[:retrain]:
        again.append(train_again(claim, request, seed, device, memory))
        findings += again[-1].findings
        notes += again[-1].notes
    return Verification(claim, tuple(dict.fromkeys(findings)), tuple(dict.fromkeys(notes)), tuple(scores), tuple(again))


def _request(claim: Claim, places: Mapping[str, Any]) -> Request:
    """The settings of the run with the user's own places."""
    require_own_files(claim, places)
    try:
        return completed(significant(claim.settings), str(claim.archive.path), said=places)  # no place is taken from a claim
    except StoredError as error:
        lines = [f"{claim.archive.path} cannot be scored by this graphkit: {line}" for line in str(error).splitlines()]
        raise ClaimError("\n".join(lines)) from error


class _Checking:
    """The seeds of a claim on their way through the data at hand.

    Args:
        claim: The claim.
        request: Its settings, and where the data lies.
        memory: Data in memory, by setting.

    Attributes:
        findings: What does not hold.
        notes: What could not be compared.
        own: Figures that the model tells of itself, and predictions do not give.
    """

    def __init__(self, claim: Claim, request: Request, memory: Mapping[str, InMemory] | None) -> None:
        self._claim, self._evidence = claim, Evidence(request, None, memory)
        self.findings: list[str] = []
        self.notes: list[str] = []
        self.own: set[str] = set()

    def scored(self) -> dict[int, Metrics]:
        """What the predictions of each seed give; a seed whose data or predictions do not fit is told and left out."""
        found: dict[int, Metrics] = {}
        with self._evidence.at_hand():
            if self._evidence.pooled:
                self.findings.append("settings: a run with them pools epochs of which no predictions are kept")
            first, held = self._claim.result.seeds[0], self._claim.archive.seeds()
            for seed in self._claim.result.seeds:
                if seed != first and seed not in held:
                    continue  # a finding tells so
                task = self._evidence.task(seed)
                if seed == first:
                    self._of_run(seed, task)
                if seed in held and self._same_parts(seed, task) and (metrics := self._score(seed, task)) is not None:
                    found[seed] = metrics
        return found

    def _of_run(self, seed: int, task: AnyTask) -> None:
        """What is the same for all seeds: the data, the metrics and their definition."""
        result = self._claim.result
        self.findings += differences(self._claim.record, self._evidence.record(seed))
        if task.metric != result.metric:
            self.findings.append(
                f"result.json: its epochs are selected by {result.metric}, these settings select by {task.metric}"
            )
        self.own = {name for name in task.metrics if own_measure(name, result.task)}
        if self.own:
            told = "the model's own figure: predictions do not give it, retrain=1 does"
            self.notes += [f"{name} is {told}" for name in sorted(self.own)]
        reported = {name for part in result.metrics.values() for name in part}
        if others := reported ^ set(task.metrics):
            told = "a figure that these settings do not give" if others - set(task.metrics) else "left out of result.json"
            self.findings.append(f"result.json: {', '.join(sorted(others))} is {told}")
        else:
            names = next(iter(result.metrics.values()))
            now = definition(list(names), task.metric, result.task, task.judged_by, task.facts().get("splits"))
            if now != self._claim.metric:
                self.findings.append("metric.json: the metrics are defined otherwise than this graphkit computes them")

    def _same_parts(self, seed: int, task: AnyTask) -> bool:
        claimed, found = self._claim.parts.get(seed), digests_of(task)
        if claimed is None:
            self.findings.append(f"seed {seed}: data.json has no digests of its data and splits")
            return False
        for name in sorted(claimed.keys() | found.keys()):
            if claimed.get(name) != found.get(name):
                what = f"the {name} split is" if name in ("train", "valid", "test") else f"the {name} are"
                self.findings.append(f"seed {seed}: {what} not what the run had: the data, or the way it is split, differs")
        return claimed == found

    def _score(self, seed: int, task: AnyTask) -> Metrics | None:
        arrays = self._claim.archive.arrays(seed)
        try:
            return task.rescore(arrays)
        except (ValueError, RequestError, RunError) as error:
            self.findings.append(f"seed {seed}: its predictions do not fit the data ({error})")
            return None


def _contradictions(claim: Claim) -> list[str]:
    """What does not go together within a claim."""
    result, settings, found = claim.result, claim.settings, []
    if config_digest(settings) != claim.stated_digest:
        found.append("result.json: its settings are not those of the run (their digest is another one)")
    named = (settings["task"].get("name"), settings.get("dataset"), settings["model"].get("name"))
    if named != (result.task, result.dataset, result.model):
        found.append(
            f"result.json: it is of {'-'.join(map(str, (result.task, result.dataset, result.model)))}, its settings are not"
        )
    first, count = settings.get("seed", 0), settings.get("seeds", 1)
    asked = set(range(first, first + count))
    if missing := sorted(asked - set(result.seeds)):
        found += [
            f"seed {seed} is left out: the run had seeds {first} to {first + count - 1}" for seed in missing[:_MOST_NAMED]
        ]
        found += [f"{len(missing) - _MOST_NAMED} further seeds are left out"] if len(missing) > _MOST_NAMED else []
    found += [f"seed {seed} is none of the run's" for seed in sorted(set(result.seeds) - asked)]
    if len(set(result.seeds)) < len(result.seeds):
        found.append("result.json: it has a seed twice")
    held = claim.archive.seeds()
    found += [f"seed {seed}: the claim holds no predictions of it" for seed in sorted(set(result.seeds) - held)]
    found += [
        f"seed {seed}: the claim holds predictions of it, and result.json has none" for seed in sorted(held - set(result.seeds))
    ]
    own = summarize([result.of_seed(seed) for seed in result.seeds])
    for split, metrics in result.metrics.items():
        for name, said in metrics.items():
            score = Score(split, name, MEAN, said["mean"], own[split][name]["mean"])
            if not score.holds:
                found.append(f"result.json: the mean of {split} {name} is not that of its seeds")
    return found


def _sentence(score: Score) -> str:
    """A figure that does not hold."""
    of = f"seed {score.of}" if isinstance(score.of, int) else f"the {score.of} over seeds"
    digits = decimals(score.metric) + 2
    if score.claimed is None:
        return f"{of}: {score.split} {score.metric} is left out of result.json, its predictions give {score.scored:.{digits}f}"
    given = "none" if score.scored is None else f"{score.scored:.{digits}f}"
    return f"{of}: {score.split} {score.metric} is claimed as {score.claimed:.{digits}f}, its predictions give {given}"
