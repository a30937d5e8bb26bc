"""Published subgraph networks as choices: the aggregations of their layer, the order of pooling, the usual policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphkit.layers.subgraph.conv import SubgraphConv
from graphkit.layers.subgraph.pooling import Inner, Order


@dataclass(frozen=True)
class Preset:
    """A network of subgraphs, as `SubgraphConv` and `SubgraphPooling` express it.

    Attributes:
        aggregations: Of the layer.
        paper: Where it comes from.
        order: `VS` pools the nodes of a bag first, `SV` the bags of a node.
        inner: The first pool.
        policy: A name of `policies.POLICIES` with which it was published.
        options: Further arguments of `SubgraphConv`.
        differs: What the original does in another way; empty where we know of nothing.
    """

    aggregations: tuple[str, ...]
    paper: str
    order: Order = "VS"
    inner: Inner = "mean"
    policy: str = "node-marking"
    options: Mapping[str, Any] = field(default_factory=dict)
    differs: str = ""

    def conv(self, in_channels: int, out_channels: int, **options: Any) -> SubgraphConv:
        """The layer; further arguments of `SubgraphConv` win over the preset's own."""
        return SubgraphConv(in_channels, out_channels, self.aggregations, **{**self.options, **options})


_SWL = "Zhang et al., ICML 2023"
_DSS_POOL = {"pool": "mean", "self_term": "local"}

PRESETS: dict[str, Preset] = {
    "ds": Preset(("uL",), "Bevilacqua et al., ICLR 2022", policy="ego+"),
    "dss": Preset(
        ("uL", "vGL"),
        "Bevilacqua et al., ICLR 2022",
        policy="ego+",
        options=_DSS_POOL,
        differs="normalizes its two terms apart, where we normalize their sum",
    ),
    "ngnn": Preset(("uL",), "Zhang and Li, NeurIPS 2021", policy="ego-distance"),
    "id-gnn": Preset(("uL",), "You et al., AAAI 2021", inner="root", policy="ego", options={"root": "extra"}),
    "gnn-ak": Preset(
        ("uL", "vv", "uG"),
        "Zhao et al., ICLR 2022",
        policy="ego-distance",
        differs="runs several uL layers between two steps of vv and uG, and gates rows by their distance",
    ),
    "gnn-ak+": Preset(
        ("uL", "vv", "uG", "vG"), "Zhao et al., ICLR 2022", policy="ego-distance", differs="as gnn-ak, with the context vG"
    ),
    "sun": Preset(
        ("uL", "vGL", "uv", "uu", "vv", "uG"),
        "Frasca et al., NeurIPS 2022",
        policy="ego+",
        options={"pool": "mean", "self_term": "local", "root": "separate"},
        differs="sums over uG, and leaves terms out at the roots that are equal there",
    ),
    "swl": Preset(("uL",), _SWL, policy="distance"),
    "swl-sv": Preset(("uL",), _SWL, order="SV", policy="distance"),
    "pswl": Preset(("uL", "vv"), _SWL, policy="distance"),
    "pswl-sv": Preset(("uL", "vv"), _SWL, order="SV", policy="distance"),
    "gswl": Preset(("uL", "vG"), _SWL, policy="distance"),
    "sswl": Preset(("uL", "vL"), _SWL, policy="distance"),
    "sswl+": Preset(("uL", "vL", "vv"), _SWL, policy="distance"),
    "k-path": Preset(
        ("uL", "vG"),
        "Li et al., 2025",
        policy="path",
        differs="is known to us by its abstract: the layer is ours, and the loss that drops edges is left out",
    ),
}
"""Published subgraph networks by name."""
