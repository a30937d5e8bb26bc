"""Input widths that a convolution takes from its first input or state dict: `in_channels=-1`, as in PyG."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from graphkit.layers.checks import check_at_least
from graphkit.sparse import CSR, lasting, untraced

LAZY = -1


class LazyWidths(nn.Module, ABC):
    """Base of convolutions whose widths may be -1.

    The maps of unknown width have no values at first, and `reset_parameters` does nothing. The first input or state dict tells
    the widths; all parameters are drawn then. Parameters stay the same objects, so that an optimizer may be made before.

    Args:
        in_channels: Width of the input, or (width of the sources, width of the targets); -1 for one that is not known yet.

    Raises:
        ValueError: If a width is neither positive nor -1.
    """

    ENDS: ClassVar[dict[str, int]]
    """The maps by name, and what each reads: 0 for sources, 1 for targets."""

    def __init__(self, in_channels: int | tuple[int, int]) -> None:
        super().__init__()
        self.in_channels = in_channels
        self._widths = (in_channels, in_channels) if isinstance(in_channels, int) else in_channels
        for width in self._widths:
            if width != LAZY:
                check_at_least(1, in_channels=width)
        if self._waits:
            self._input_hook = self.register_forward_pre_hook(_take_input, with_kwargs=True)
            self.register_load_state_dict_pre_hook(_take_state)  # type: ignore[no-untyped-call]

    @property
    def _waits(self) -> bool:
        """Whether a width is not known yet."""
        return LAZY in self._widths

    def _map(self, end: int, out_channels: int, *, bias: bool = False) -> nn.Linear:
        """The linear map of the sources (0) or the targets (1)."""
        width = self._widths[end]
        linear = nn.Linear(abs(width), out_channels, bias=bias)
        if width == LAZY:
            linear.in_features, linear.weight = LAZY, UninitializedParameter()
        return linear

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw new parameters; nothing while a width is not known."""

    @untraced
    @lasting
    def _know(self, widths: tuple[int | None, int | None]) -> None:
        """Settle the widths that were not known."""
        maps = {name: end for name, end in self.ENDS.items() if hasattr(self, name)}
        source, target = (new if old == LAZY else old for old, new in zip(self._widths, widths, strict=True))
        target = target if 1 in maps.values() else source
        if source is None or target is None:
            raise ValueError("in_channels=-1 needs features of sources and targets in the first input, or the width itself")
        for name, end in maps.items():
            linear = getattr(self, name)
            if isinstance(linear.weight, UninitializedParameter):
                linear.in_features = (source, target)[end]
                linear.weight.materialize((linear.out_features, linear.in_features))
        self._widths = (source, target)
        self.in_channels = source if isinstance(self.in_channels, int) and source == target else self._widths
        self._input_hook.remove()
        self.reset_parameters()


def _take_input(layer: LazyWidths, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    x: Tensor | CSR | tuple[Tensor | CSR, Tensor | CSR | None] = args[0] if args else kwargs["x"]
    source, target = x if isinstance(x, tuple) else (x, x)
    layer._know((source.shape[-1], None if target is None else target.shape[-1]))


def _take_state(layer: LazyWidths, state: dict[str, Any], prefix: str, *_: Any) -> None:
    if not layer._waits:
        return
    widths: list[int | None] = [None, None]
    for name, end in layer.ENDS.items():
        weight = state.get(f"{prefix}{name}.weight")
        if weight is not None:
            widths[end] = weight.size(1)
    if widths != [None, None]:  # else the error about missing keys says it better
        layer._know((widths[0], widths[1]))
