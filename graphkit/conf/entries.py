"""What the catalog's rows hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A citation: short title, where it appeared, and an address."""

    title: str
    venue: str
    url: str = ""


@dataclass(frozen=True)
class TaskEntry:
    """A task: its settings and the class that runs it."""

    settings: type
    target: str  # "module:class", imported only when a run starts
    default_model: str
    default_dataset: str
    summary: str


@dataclass(frozen=True)
class ModelEntry:
    """A model of one task: its settings, its class and its citation. Traits of a model stand in its class."""

    settings: type
    target: str
    summary: str
    paper: Paper | None = None
