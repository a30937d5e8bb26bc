"""How a task makes its model: it names what the data decides, and knows neither the catalog nor a setting of the model."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from graphkit.tasks.memory import require_memory_for

M = TypeVar("M", bound=nn.Module)


class _Unfilled(TorchFunctionMode):
    """Within, new parameters are not initialized: to fill a tensor without memory, torch imports its compiler, for seconds."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"]  # as `torch.nn.init` hands its call over
        if kwargs.get("out") is not None:  # `nn.init.eye_`
            return kwargs["out"]
        return func(*args, **kwargs)


@dataclasses.dataclass(frozen=True)
class MakeModel(Generic[M]):
    """Makes new models of one class and the same settings; the class answers what a task must know before it has one.

    Attributes:
        name: The model's name, for messages.
        model_class: Its class, with its traits, such as `undirected` or `trained`.
        settings: Its settings as keyword arguments.
        backbone: Makes what the model is built around, the first argument of its class; None: nothing.
    """

    name: str
    model_class: type[M]
    settings: Mapping[str, Any]
    backbone: MakeModel[M] | None = None

    @property
    def body_class(self) -> type[M]:
        """The class that reads the graph: that of the backbone, where there is one."""
        return self.model_class if self.backbone is None else self.backbone.body_class

    def __call__(self, **dims: Any) -> M:
        """A freshly initialized model; consumes torch's global random state.

        Args:
            **dims: What the data decides: `in_channels`, `out_channels`, `num_nodes`, ..., or the data itself; the class
                gets those that its constructor names.

        Raises:
            RequestError: If its parameters would not fit in memory.
            ValueError: If its settings do not go together.
        """
        require_memory_for(self.outline(**dims))
        return self._build(dims)()

    def outline(self, **dims: Any) -> M:
        """The model on torch's `meta` device: its shapes, without memory and without random numbers.

        Args:
            **dims: As for a call.

        Raises:
            ValueError: If its settings do not go together.
        """
        with torch.device("meta"), _Unfilled():
            return self._build(dims)()

    def _build(self, dims: Mapping[str, Any]) -> Callable[[], M]:
        named = inspect.signature(self.model_class).parameters
        taken = {name: size for name, size in dims.items() if name in named}
        around = () if self.backbone is None else (self.backbone._build(dims)(),)
        return functools.partial(self.model_class, *around, **taken, **self.settings)


def arguments(settings: object) -> dict[str, Any]:
    """A model's settings as keyword arguments: every field but `name`.

    Args:
        settings: A settings dataclass of `graphkit.conf.models`, or a mapping of the same keys.

    Returns:
        A new dictionary.

    Raises:
        TypeError: If `settings` is neither.
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    elif isinstance(settings, Mapping):
        values = {str(key): value for key, value in settings.items()}
    else:
        raise TypeError(f"settings must be a dataclass instance or a mapping, got {type(settings).__name__}")
    values.pop("name", None)
    return values
