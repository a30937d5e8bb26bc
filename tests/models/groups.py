"""What a constructor takes, with the groups of keyword arguments that it passes on (`**options: Unpack[...]`)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from typing import Any

from graphkit import layers, models
from graphkit.layers import (
    CommonNeighborScore,
    DirectedPatternAggregation,
    DirectionalConv,
    SheafDiffusion,
    SubgraphCountScore,
)
from graphkit.layers.conv.adpa import PatternOptions
from graphkit.layers.conv.directional import DirectionalConvOptions
from graphkit.layers.pairs.completion import CommonNeighborOptions
from graphkit.layers.pairs.subgraph_counts import SubgraphCountOptions
from graphkit.layers.sheaf.diffusion import SheafDiffusionOptions, SheafOptions
from graphkit.models.graph.message_passing import PooledNetwork, PooledNetworkOptions
from graphkit.models.graph.ppgn import PPGN, PPGNOptions
from graphkit.models.image.prototype_autoencoder import AutoencoderOptions, PrototypeAutoencoder
from graphkit.models.image.prototype_network import PrototypeNetwork
from graphkit.models.image.prototype_network import PrototypeOptions as ImagePrototypeOptions
from graphkit.models.link.encoder import LinkEncoder, LinkEncoderOptions
from graphkit.models.link.gae_tuned import SharedPropagation, SharedPropagationOptions
from graphkit.models.link.ncn import CommonNeighborModel, NCNOptions
from graphkit.models.link.sheaf import SheafEncoder, SheafEncoderOptions
from graphkit.models.node.network import GraphNetworkOptions, Network, NetworkOptions
from graphkit.models.node.sheaf import SheafNetwork, SheafNetworkOptions
from graphkit.models.prototype_head import PrototypeHead, PrototypeOptions
from graphkit.models.recommend.pairwise import Pairwise, PairwiseOptions

OWNERS: dict[Any, Callable[..., Any]] = {
    CommonNeighborOptions: CommonNeighborScore,
    AutoencoderOptions: PrototypeAutoencoder,
    DirectionalConvOptions: DirectionalConv,
    GraphNetworkOptions: Network,
    ImagePrototypeOptions: PrototypeNetwork,
    LinkEncoderOptions: LinkEncoder,
    NCNOptions: CommonNeighborModel,
    NetworkOptions: Network,
    PPGNOptions: PPGN,
    PairwiseOptions: Pairwise,
    PatternOptions: DirectedPatternAggregation,
    PooledNetworkOptions: PooledNetwork,
    PrototypeOptions: PrototypeHead,
    SheafDiffusionOptions: SheafDiffusion,
    SharedPropagationOptions: SharedPropagation,
    SheafEncoderOptions: SheafEncoder,
    SheafNetworkOptions: SheafNetwork,
    SheafOptions: SheafDiffusion,
    SubgraphCountOptions: SubgraphCountScore,
}
"""Each group of options, and where their defaults are."""


def parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a constructor, those of a group as its owner declares them."""
    found: dict[str, inspect.Parameter] = {}
    hints = typing.get_type_hints(target.__init__)  # type: ignore[misc]
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            found[name] = parameter.replace(annotation=hints[name])
            continue
        assert typing.get_origin(hints[name]) is typing.Unpack, f"{target.__name__}: **{name} must unpack a TypedDict"
        (group,) = typing.get_args(hints[name])
        of_owner = parameters(OWNERS[group])
        found |= {key: of_owner[key] for key in typing.get_type_hints(group)}
    return found


def declared_groups() -> set[Any]:
    """Every TypedDict of `graphkit.layers` and `graphkit.models`."""
    found = set()
    for room in (layers, models):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            things = vars(importlib.import_module(module.name)).values()
            found |= {thing for thing in things if inspect.isclass(thing) and typing.is_typeddict(thing)}
    return found
