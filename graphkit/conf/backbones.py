"""Models that are built around another model of their task, the backbone. The settings of both stand side by side.

    model=prototype model.backbone=gat model.heads=4 model.per_class=3

The dataclass of such a model has the fields of both, so that settings are checked, composed, stored and read back as those of
any other model. There is one such dataclass per backbone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from graphkit.conf.entries import ModelEntry, Paper

_DEFAULTS = {"linear_head": True}
"""Settings of backbones that start otherwise: their last layer is cut off, which must not be a convolution."""


def on_backbones(
    own: type, models: Mapping[str, ModelEntry], target: str, summary: str, paper: Paper | None = None
) -> ModelEntry:
    """The row of a model that is built around another one.

    Args:
        own: Dataclass of its own settings; `backbone` is one of them, a text setting with the names of `models` as choices.
        models: The rows of what it can be built around.
        target: Its class, whose constructor takes the backbone first.
        summary: What it is, in a few words.
        paper: Where it is from.

    Raises:
        ValueError: A setting of its own has the name of a setting of a backbone.
    """
    backbones = {name: _joined(own, name, entry.settings) for name, entry in models.items()}
    return ModelEntry(backbones[own().backbone], target, summary, paper, backbones)


def _joined(own: type, backbone: str, settings: type) -> type:
    """The settings of both, the own ones first."""
    inner = {field.name: field for field in dataclasses.fields(settings)}
    outer = {field.name: field for field in dataclasses.fields(own)}
    if shared := (inner.keys() & outer.keys()) - {"name"}:
        raise ValueError(f"{own.__name__} and {settings.__name__} both have settings {sorted(shared)}: rename the former")
    starts: dict[str, Any] = {"name": outer["name"].default, "backbone": backbone}
    starts |= {name: value for name, value in _DEFAULTS.items() if name in inner}
    found = {**inner, **outer}
    changed = [
        (name, type(value), dataclasses.field(default=value, metadata=found[name].metadata)) for name, value in starts.items()
    ]
    joined = dataclasses.make_dataclass(own.__name__, changed, bases=(settings, own))
    joined.__doc__, joined.__module__ = own.__doc__, own.__module__
    return joined
