"""What the catalog's rows hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paper:
    """A citation: short title, where it appeared, and an address."""

    title: str
    venue: str
    url: str = ""


@dataclass(frozen=True)
class Question:
    """Something that finished runs of a task can be asked by `graphkit.predict`; the setting that asks it is its key.

    Attributes:
        example: How it is asked, e.g. `user=NAME`.
        meaning: What is given, and what the answer is.
        takes: Settings of `graphkit.conf.predict.Prediction` that it reads, and others do not.
        files: Endings of the file `out=` that the answer is written to; empty: it goes to stdout.
        printed: Whether the answer goes to stdout where no file is named.
        choices: The allowed values; empty: any text.
        each: Whether its value names samples of which each is answered for itself, so that several requests can be answered
            as one.
        table: Whether its value is a table, which a served request gives by its rows.
    """

    example: str
    meaning: str
    takes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    printed: bool = False
    choices: tuple[str, ...] = ()
    each: bool = False
    table: bool = False


@dataclass(frozen=True)
class TaskEntry:
    """A task: its settings, the code that runs it, and what it makes of own files.

    Code is named `module:name` and imported only when it is needed.

    Attributes:
        settings: Dataclass of its settings `task.*`.
        target: The class that fulfills `graphkit.training.protocol.Task`.
        data: Builds its data: from a `graphkit.data.sources.DataRequest` to a class of `graphkit.data.dataset`.
        default_model: The model of a run that names none.
        default_dataset: The data set of a run that names none.
        summary: What is predicted, in a few words.
        needs: Settings of own files that `dataset=custom` must come with.
        reads: Further settings of own files that it reads; it refuses all others.
        refuses: Settings `data.*` that mean nothing for it, each with the reason, a predicate of the task.
        over_seeds: Says how the epochs of all seeds make a run's result, given the task's settings, where it is not each seed's
            selected epoch; empty: it always is.
        report: What it adds to report.html, a `graphkit.tasks.report_parts.TaskReport` of a seed's data, predictions and run;
            empty: nothing.
        serve: The class that answers for a finished run, made of a `graphkit.serving.opened.Opened`; empty: none, and it cannot
            be asked by `graphkit.predict`.
        answer: Answers a `graphkit.conf.predict.Prediction` from what `serve` gave, by a `graphkit.serving.replies.Reply`.
        questions: What `answer` can be asked, by the setting that asks it.
        explain: The class that explains its predictions, a `graphkit.explain.explainer.Explainer`; empty: there is none.
        splits_by_protocol: Whether `task.protocol` says how its data is split, so that `graphkit.data.load` takes it, too.
        without_validation: Values of `task.protocol` that have no validation beside the test split; a sweep refuses them.
        asks: The settings of `graphkit.explain` that together name what is explained, each with its meaning.
        transforms: Keys of `graphkit.conf.transforms.TRANSFORMS` that its graph may be changed by, beside `none`.
    """

    settings: type
    target: str
    data: str
    default_model: str
    default_dataset: str
    summary: str
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=dict)
    over_seeds: str = ""
    report: str = ""
    serve: str = ""
    answer: str = ""
    questions: Mapping[str, Question] = field(default_factory=dict)
    explain: str = ""
    splits_by_protocol: bool = False
    without_validation: tuple[str, ...] = ()
    asks: Mapping[str, str] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[str, ...]:
        """The settings of own files that it takes."""
        return (*self.needs, *self.reads)


@dataclass(frozen=True)
class ModelEntry:
    """A model of one task: its settings, its class and its citation. Traits of a model stand in its class.

    Attributes:
        settings: Dataclass of its settings `model.*`; of a model around a backbone those with its default backbone.
        target: The class.
        summary: What it is, in a few words.
        paper: Where it is from.
        backbones: Its settings by the name of the backbone, of a model that is built around another one of its task, see
            `graphkit.conf.backbones`; empty: it stands alone.
    """

    settings: type
    target: str
    summary: str
    paper: Paper | None = None
    backbones: Mapping[str, type] = field(default_factory=dict)

    def settings_on(self, backbone: str | None) -> type:
        """The settings with a backbone; the default ones where it has none of that name."""
        return self.backbones.get(backbone or "", self.settings)


@dataclass(frozen=True)
class TransformEntry:
    """What acts on the graph before any model.

    Attributes:
        settings: Dataclass of its settings `transform.*`.
        target: The class, a `graphkit.models.transforms.base.Transform`; empty: nothing is changed.
        summary: What it is, in a few words.
        paper: Where it is from.
        around: A model around the run's own, which trains it otherwise; empty: there is none. Of the settings each class gets
            those that its constructor names.
        undirected: Whether it is for undirected graphs alone.
    """

    settings: type
    target: str
    summary: str
    paper: Paper | None = None
    around: str = ""
    undirected: bool = False
