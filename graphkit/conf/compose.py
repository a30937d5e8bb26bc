"""A checked request becomes the settings of a run, composed by Hydra: defaults < task < model < recipe < request."""

from __future__ import annotations

import copy
import threading
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, cast

from graphkit.conf import schema
from graphkit.conf.arguments import flatten
from graphkit.conf.catalog import BACKBONE, MODELS, SECTIONS, TASKS, run_settings
from graphkit.conf.recipe import Recipe, find_recipe, read_recipe
from graphkit.conf.request import Request
from graphkit.conf.setting import show
from graphkit.conf.transforms import TRANSFORMS
from graphkit.errors import RequestError, shown, shown_path
from graphkit.paths import expanded

_ROOT = "graphkit_run"
_NO_FIGURE_DEPENDS = ("train.eval_batch_size", "train.checkpoint_every", "task.micro_batch", "data.root")
"""Settings of a section that no figure depends on."""
_HYDRA = threading.Lock()
"""Hydra's state is one for the whole process."""


@dataclass(frozen=True)
class Resolved:
    """The settings of a run.

    Attributes:
        run: As the schema's dataclasses.
        recipe: The recipe that was applied.
        notes: What the recipe did, in plain sentences.
        paper: The recipe's published figures, None where there are none or the run has other settings than they are of.
    """

    run: schema.Run
    recipe: Recipe | None
    notes: tuple[str, ...] = ()
    paper: dict[str, Any] | None = None

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

    Raises:
        RequestError: If a path begins with the home folder of nobody, or recipe=FILE cannot be used.
    """
    wanted = request.values.get("recipe", schema.Run.recipe)
    recipe = find_recipe(request.task, request.dataset, request.model) if wanted == "auto" else None
    if wanted not in ("auto", "none"):
        request, recipe = with_recipe_file(request, wanted)
    notes: tuple[str, ...] = ()
    if recipe is not None and not _is_of_backbone(recipe, request):
        notes = (f"the recipe {recipe.name} is of another {BACKBONE} and is left out",)
        recipe = None
    run, notes = _composed(request, recipe), (*notes, *_notes(recipe, request.values))
    if recipe is None or recipe.paper is None:
        return Resolved(run, recipe, notes)
    published = _composed(Request(request.task, request.dataset, request.model, recipe.conditions), recipe)
    others = _deciding(published).items() - _deciding(run).items()
    if not others:
        return Resolved(run, recipe, notes, recipe.figures())
    made_with = ", ".join(f"{key}={value}" for key, value in sorted(others))
    return Resolved(run, recipe, (*notes, f"no published figure beside this run: that of the recipe was made with {made_with}"))


def with_recipe_file(request: Request, path: str) -> tuple[Request, Recipe]:
    """The recipe of a file, and the request with the file's settings in its place, whatever becomes of the file.

    Raises:
        RequestError: If there is no such file, or a setting in it is not one of the run; one line per mistake.
    """
    recipe = read_recipe(expanded(path, "recipe"))
    said = {key: value for key, value in recipe.values.items() if key == BACKBONE}
    request = replace(request, values={**said, **request.values, "recipe": "none"})
    known, mistakes = request.settings(), []
    for key, value in recipe.values.items():
        try:
            known[key].check(value)
        except KeyError:
            mistakes.append(f"{shown_path(recipe.name)}: model={request.model} has no setting {shown(key)}, take it out")
        except ValueError as error:
            mistakes.append(f"{shown_path(recipe.name)}: {key}={shown(show(value))}: {error}")
    if mistakes:
        raise RequestError("\n".join(mistakes))
    return replace(request, values={**recipe.values, **request.values}), recipe


def _is_of_backbone(recipe: Recipe, request: Request) -> bool:
    """Whether the recipe's settings are of the backbone that is asked for; of a model without one they are."""
    default = getattr(MODELS[request.task][request.model].settings, "backbone", None)
    return recipe.values.get(BACKBONE, default) == (request.backbone or default)


def _deciding(run: schema.Run) -> dict[str, str]:
    """What decides a figure besides seeds and machine: data, task, model and training, by dotted key."""
    config = asdict(run)
    settings = flatten({**{section: config[section] for section in SECTIONS}, "precision": config["precision"]})
    return {given.key: show(given.value) for given in settings if given.key not in _NO_FIGURE_DEPENDS}


def _composed(request: Request, recipe: Recipe | None) -> schema.Run:
    from omegaconf import OmegaConf

    config = copy.deepcopy(_defaults(request.task, request.model, request.backbone, request.transform))
    config.merge_with({"dataset": request.dataset}, recipe.sections if recipe else {})
    paths = {key for key, setting in run_settings().items() if setting.path}
    for key, value in request.values.items():
        OmegaConf.update(config, key, str(expanded(value, key)) if key in paths and value is not None else value)
    return cast(schema.Run, OmegaConf.to_object(config))


@cache  # Hydra takes a third of a second, and the rows of a table ask for the same again and again
def _defaults(task: str, model: str, backbone: str | None, transform: str) -> Any:
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    with _HYDRA:
        _fill_store(task, model, backbone, transform)
        callers = GlobalHydra.instance().hydra  # an application that uses Hydra itself may call `graphkit.run.run`
        GlobalHydra.instance().clear()
        try:
            with hydra.initialize_config_module("graphkit.conf", version_base="1.3"):
                chosen = [f"+graphkit/task@task={task}", f"+graphkit/model/{task}@model={model}"]
                chosen.append(f"+graphkit/transform@transform={transform}")
                return hydra.compose(_ROOT, overrides=chosen)
        finally:
            GlobalHydra.instance().hydra = callers


def _fill_store(task: str, model: str, backbone: str | None, transform: str) -> None:
    """Hand what is chosen to Hydra, under a prefix so that it meets no other application's."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store(group="graphkit/task", name=task, node=TASKS[task].settings)
    store.store(group=f"graphkit/model/{task}", name=model, node=MODELS[task][model].settings_on(backbone))
    store.store(group="graphkit/transform", name=transform, node=TRANSFORMS[transform].settings)
    store.store(name=_ROOT, node=schema.Run)


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
