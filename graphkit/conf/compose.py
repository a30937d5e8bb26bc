"""A checked request becomes the settings of a run, composed by Hydra: defaults < task < model < recipe < request."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from graphkit.conf import schema
from graphkit.conf.catalog import MODELS, TASKS
from graphkit.conf.recipes import Recipe, find_recipe
from graphkit.conf.request import Request
from graphkit.conf.settings import show

_ROOT = "graphkit_run"
_PATHS = ("out", "resume", "data.root", "data.edges", "data.features", "data.labels", "data.interactions")


@dataclass(frozen=True)
class Resolved:
    """The settings of a run.

    Attributes:
        run: As the schema's dataclasses.
        recipe: The recipe that was applied.
        notes: What the recipe did, in plain sentences.
    """

    run: schema.Run
    recipe: Recipe | None
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """As plain nested containers, the content of config.yaml."""
        return asdict(self.run)


def compose(request: Request) -> Resolved:
    """Resolve a checked request.

    Args:
        request: What `graphkit.conf.request.check` returned.

    Returns:
        The typed settings of the run.
    """
    wanted = request.values.get("recipe", schema.Run.recipe)
    recipe = find_recipe(request.task, request.dataset, request.model) if wanted == "auto" else None
    groups = [
        f"+graphkit/task@task={request.task}",
        f"+graphkit/model/{request.task}@model={request.model}",
        f"+graphkit/dataset@_global_={request.dataset}",
    ]
    if recipe:
        groups.append(f"+graphkit/recipe@_global_={recipe.name}")
    _fill_store(request, recipe)
    return Resolved(_composed(tuple(groups), request.values), recipe, _notes(recipe, request.values))


def _fill_store(request: Request, recipe: Recipe | None) -> None:
    """Hand our groups to Hydra, under a prefix so that they meet no other application's."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    if f"{_ROOT}.yaml" not in store.repo:  # filling it is what takes time
        for task, entry in TASKS.items():
            store.store(group="graphkit/task", name=task, node=entry.settings)
            for model, row in MODELS[task].items():
                store.store(group=f"graphkit/model/{task}", name=model, node=row.settings)
        store.store(name=_ROOT, node=schema.Run)
    store.store(group="graphkit/dataset", name=request.dataset, node={"dataset": request.dataset})
    if recipe:
        store.store(group="graphkit/recipe", name=recipe.name, node=recipe.sections)


def _composed(groups: tuple[str, ...], values: dict[str, Any]) -> schema.Run:
    from omegaconf import OmegaConf

    config = copy.deepcopy(_defaults(groups))
    for key, value in values.items():
        OmegaConf.update(config, key, str(Path(value).expanduser()) if key in _PATHS and value is not None else value)
    return cast(schema.Run, OmegaConf.to_object(config))


@cache  # Hydra takes a third of a second, and a table has the same groups in many rows
def _defaults(groups: tuple[str, ...]) -> Any:
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    callers = GlobalHydra.instance().hydra  # an application that uses Hydra itself may call `graphkit.run.run`
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_module("graphkit.conf", version_base="1.3"):
            return hydra.compose(_ROOT, overrides=list(groups))
    finally:
        GlobalHydra.instance().hydra = callers


def _notes(recipe: Recipe | None, values: dict[str, Any]) -> tuple[str, ...]:
    if recipe is None:
        return ()
    changed = [
        f"{key}={show(values[key])} (recipe: {show(value)})"
        for key, value in recipe.values.items()
        if key in values and values[key] != value
    ]
    used = f"settings of the recipe {recipe.name}"
    return (used + (f", but {', '.join(changed)}" if changed else "; recipe=none leaves them out"),)
