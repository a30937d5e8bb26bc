"""A sweep's folder: what is searched, the claims on trials, and the finished trials in Optuna's storage.

| file | what it holds |
|---|---|
| `sweep.yaml` | the request, the validation metric, the name of the study |
| `study.db` | the finished trials, unless `storage=` names another place |
| `trials/0007/` | the settings of a trial, and its run folder |
| `final-5-of-7/` | the run folder of the winner, trial 7, over 5 seeds |
| `sweep.json`, `trials.csv`, `recipe.yaml`, `report.html` | the result |

A trial is claimed by a lock on its folder, which the system lets go when its process ends, however that happens. Its settings
are written before its run begins, and it enters the storage, in one transaction, when the run has finished. So a killed trial
has a folder, no lock and no row: whoever claims it goes on with it. Where a file system has no locks, one process must suffice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from graphkit.conf.sweep import SweepRequest, from_stored, stored_values
from graphkit.data.catalog import DATASETS
from graphkit.errors import CheckpointError, RequestError, shown
from graphkit.sweeps.trial import Trial
from graphkit.training.artifacts import first_free
from graphkit.training.files import exclusive, write_atomic

if TYPE_CHECKING:
    import optuna

SWEEP = "sweep.yaml"
RESULT = "sweep.json"
_SETTINGS = "settings.json"


class Record:
    """The folder of a sweep and its storage, for one process of perhaps several.

    Args:
        folder: The folder.
        request: What it holds.
        metric: The validation metric.
        name: Name of the study.

    Raises:
        RequestError: If Optuna is not installed, or the storage cannot be used.
        CheckpointError: If the storage holds the study of another request.
    """

    def __init__(self, folder: Path, request: SweepRequest, metric: str, name: str) -> None:
        self.folder, self.request, self.metric = folder, request, metric
        self._name = name
        self._study = self._open()

    @classmethod
    def create(cls, out: Path, request: SweepRequest, metric: str) -> Record:
        """Begin a sweep in a new folder below `out`.

        Raises:
            RequestError: If the folder cannot be written.
        """
        fixed = request.fixed
        name = f"sweep-{fixed.task}-{fixed.dataset}-{fixed.model}-{datetime.now():%Y%m%d-%H%M%S}"
        try:
            out.mkdir(parents=True, exist_ok=True)
            folder = first_free(out, name)
            (folder / "trials").mkdir()
        except OSError as error:
            raise RequestError(f"cannot write to out={out} ({error.strerror}): choose another folder with out=...") from error
        study = f"graphkit-{folder.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"
        record = cls(folder, request, metric, study)
        record.write_request()  # last: it is what makes the folder a sweep
        return record

    @classmethod
    def open(cls, folder: Path, **said: Any) -> Record:
        """A sweep that was begun.

        Args:
            folder: Its folder.
            **said: Settings of the sweep that are others from now on: `trials`, `final_seeds`, `storage`.

        Raises:
            RequestError: If it has more trials than are asked for now.
            CheckpointError: If the folder is none, or was changed.
        """
        stored = read_sweep_file(folder)
        try:
            before = from_stored(stored, DATASETS)
        except RequestError as error:
            raise CheckpointError("\n".join(f"{folder / SWEEP}: {line}" for line in str(error).splitlines())) from error
        request = replace(before, sweep=replace(before.sweep, **said))
        if (trials := request.sweep.trials) < before.sweep.trials:
            had = f"{folder} has {before.sweep.trials}, and resume= can only add to them"
            raise RequestError(f"trials={trials}: {had}: give more")
        record = cls(folder, request, stored["metric"], stored["study"])
        if request != before:
            record.write_request()
        return record

    def write_request(self) -> None:
        """Write sweep.yaml."""
        content = {**stored_values(self.request), "metric": self.metric, "study": self._name}
        write_atomic(self.folder / SWEEP, yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())

    @contextlib.contextmanager
    def claimed(self, number: int) -> Iterator[Path | None]:
        """Hold a trial; gives its folder, None where another process holds it or it has finished."""
        place = self.folder / "trials" / f"{number:04}"
        place.mkdir(exist_ok=True)
        with held(place) as mine:
            yield place if mine and all(trial.number != number for trial in self.finished()) else None

    def settings(self, place: Path) -> dict[str, Any] | None:
        """The settings that a trial was begun with; None where it was not."""
        file = place / _SETTINGS
        if not file.is_file():
            return None
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return stored

    def begin(self, place: Path, values: Mapping[str, Any]) -> None:
        """Keep the settings of a trial before it begins."""
        write_atomic(place / _SETTINGS, (json.dumps(values, indent=2) + "\n").encode())

    def finished(self) -> list[Trial]:
        """The trials that have finished, by number."""
        with self._errors():
            found = self._study.get_trials(deepcopy=False)
        trials = [
            Trial(values=one.params, valid=one.values[0] if one.values else None, **one.user_attrs["trial"]) for one in found
        ]
        return sorted(trials, key=lambda trial: trial.number)

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        from graphkit.sweeps.sampling import distributions, frozen

        kept = {key: value for key, value in vars(trial).items() if key not in ("values", "valid")}
        with self._errors():
            self._study.add_trial(frozen(trial, distributions(self.request.ranges), trial=kept))

    def _open(self) -> optuna.Study:
        try:
            import optuna
        except ModuleNotFoundError as error:
            raise RequestError(
                f"a sweep needs the package {error.name!r}: install the extra with `pip install -e '.[hpo]'`"
            ) from error
        from graphkit.sweeps.sampling import direction

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = quote(quote(str(self.folder.resolve() / "study.db")))  # SQLAlchemy reads it once, SQLite again
        own = f"sqlite:///file:{path}?uri=true&timeout=60"
        asked = stored_values(self.request)
        digest = hashlib.sha256(json.dumps([asked["runs"], asked["ranges"], self.metric]).encode()).hexdigest()
        with self._errors():
            study = optuna.create_study(
                storage=self.request.sweep.storage or own,
                study_name=self._name,
                direction=direction(self.metric),
                load_if_exists=True,
            )
            if study.user_attrs.setdefault("request", digest) != digest:
                raise CheckpointError(f"{self.folder / SWEEP} was changed: put it back, or start the sweep again")
            study.set_user_attr("request", digest)
        return study

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """RequestError where the storage cannot be used."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError, ImportError) as error:
            asked = self.request.sweep.storage
            place = str(self.folder / "study.db") if asked is None else f"storage={shown(asked)}"
            reason = shown(str(error).splitlines()[0], 200)
            raise RequestError(f"{place} cannot be used ({reason}): mend that and resume={self.folder}") from error


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a folder where no other process does; gives whether it is held."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(folder))
        except CheckpointError:
            yield False
            return
        yield True


def read_sweep_file(folder: Path) -> dict[str, Any]:
    """The content of sweep.yaml.

    Raises:
        CheckpointError: If there is none, or it was changed.
    """
    path = folder / SWEEP
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{folder} is no folder of a sweep (it has no {SWEEP}): check resume=...") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path} cannot be read: put it back, or start the sweep again") from error
    wanted = {"runs": dict, "ranges": dict, "sweep": dict, "metric": str, "study": str}
    if not isinstance(stored, dict) or any(not isinstance(stored.get(key), kind) for key, kind in wanted.items()):
        raise CheckpointError(f"{path} is truncated or was changed: put it back, or start the sweep again")
    return stored


def run_folder(place: Path) -> Path | None:
    """The folder of the run that was begun in a trial's folder; None where there is none yet."""
    begun = sorted(found.parent for found in place.glob("*/config.yaml"))
    return begun[0] if begun else None
