"""Networks of the layer library by name, each with the color refinement that bounds it, built to embed graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from graphkit.errors import RequestError
from graphkit.layers import PRESETS, BagFeatures, GCNConv, PPGNBlock, SubgraphConv, SubgraphPooling, pair_polynomials
from graphkit.layers.subgraph.policies import POLICIES
from graphkit.separation.ball_network import BallEmbedding
from graphkit.separation.refinement import BALLS, PLAIN, Refinement, labels_of
from graphkit.sparse import gather, segment_mean, segment_sum
from graphkit.sparse.egonets import Bags

HOPS = 2
LENGTH = 2
"""Where a policy needs a radius or a length of paths and none is given."""
_ROOTED = {"vL", "vv", "uu", "vu"}
_PRODUCTS = {"lfwl", "slfwl", "fwl"}


@dataclass(frozen=True)
class Network:
    """What a network computes with.

    Attributes:
        ceiling: Its bags, aggregations and pools. Color refinement with these tells apart whatever the network can, whatever
            its width, depth and weights.
        layer: `layer(width)` makes a layer without normalization and last activation, called with rows and bags; None for
            SPEN, whose layers work on pairs.
        paper: Where it comes from.
    """

    ceiling: Refinement
    layer: Callable[[int], nn.Module] | None
    paper: str

    def embedding(self, width: int, num_layers: int, *, trained: bool = False) -> Embedding | BallEmbedding:
        """The network as an embedding of graphs; see `Embedding` and `BallEmbedding`."""
        if self.layer is None:
            return BallEmbedding(self.ceiling, width, num_layers, trained=trained)
        return Embedding(self, width, num_layers, trained=trained)

    def on(self, model: str, policy: str | None, hops: int | None, length: int | None) -> Network:
        """The same layers on other bags.

        Args:
            model: Its name, for messages.
            policy: Name of the bags; None: its own.
            hops: For bags that have a radius; None: the network's own, or else 2.
            length: For bags around paths; None: 2.

        Raises:
            RequestError: The layers cannot run on these bags, or the bags have no radius or length.
        """
        old = self.ceiling
        policy = policy or old.policy
        needs = POLICIES[policy].needs if policy != PLAIN else ()
        for name, value in (("hops", hops), ("length", length)):
            if value is not None and name not in needs:
                raise RequestError(f"{name}={value}: bags of policy={policy} take none, leave it out")
        if policy != old.policy and (PLAIN in (old.policy, policy) or BALLS in old.aggregations):
            raise RequestError(f"policy={policy}: model={model} has no choice of bags, leave it out")
        if policy not in ("node-marking", "distance") and _PRODUCTS & set(old.aggregations):
            raise RequestError(f"policy={policy}: model={model} needs bags of whole graphs: give policy=distance")
        lacking = _ROOTED & set(old.aggregations) if policy in ("edge-deleted", "path") else set()
        if lacking or (old.inner == "root" and policy in ("edge-deleted", "path", "node-deleted")):
            read = ", ".join(sorted(lacking)) or "the root's row"
            raise RequestError(f"policy={policy}: model={model} reads {read}, which these bags lack: give another policy")
        usual = HOPS if old.hops is None else old.hops
        radius = (usual if hops is None else hops) if "hops" in needs else None
        nodes = (LENGTH if length is None else length) if "length" in needs else None
        return replace(self, ceiling=replace(old, policy=policy, hops=radius, length=nodes))


class _OnNodes(nn.Module):
    """A layer for graphs, on bags that are the graphs themselves."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, h: Tensor, bags: Bags) -> Tensor:
        out: Tensor = self.conv(h, bags.adj)
        return out


def _sums(aggregation: str, width: int) -> nn.Module:
    return SubgraphConv(width, width, (aggregation,), norm=False, activation=False)


def _preset(name: str) -> Network:
    preset = PRESETS[name]
    hops = HOPS if "hops" in POLICIES[preset.policy].needs else None
    ceiling = Refinement(
        preset.aggregations,
        preset.policy,
        preset.order,
        hops,
        inner="root" if preset.inner == "root" else "sum",
        roots=preset.options.get("root", "shared") != "shared",
    )
    options: dict[str, Any] = {"norm": False, "activation": False}
    if preset.policy in ("node-marking", "distance"):
        # All bags of a graph have n rows: a mean tells as much as a sum, which would drown what is added to it. Pairs of BREC's
        # category cfi differed by 1e-15 in `gswl` with a sum, by 1e-4 with a mean.
        options["pool"] = "mean"
    return Network(ceiling, lambda width: preset.conv(width, width, **options), preset.paper)


_MARON, _PUNY = "Maron et al., NeurIPS 2019", "Puny et al., ICML 2023"
_FWL = Refinement(("fwl",), "distance")

NETWORKS: dict[str, Network] = {
    "deepsets": Network(Refinement(("uv",), PLAIN), partial(_sums, "uv"), "Zaheer et al., NeurIPS 2017"),
    "gcn": Network(Refinement(("uL",), PLAIN), lambda width: _OnNodes(GCNConv(width, width)), "Kipf and Welling, ICLR 2017"),
    "gin": Network(Refinement(("uL",), PLAIN), partial(_sums, "uL"), "Xu et al., ICLR 2019"),
    **{name: _preset(name) for name in PRESETS},
    "k-path": Network(
        Refinement(("uL",), "path", hops=HOPS, length=LENGTH), partial(_sums, "uL"), "Li et al., 2025; Huang et al., ICLR 2023"
    ),
    "spen": Network(Refinement((BALLS,), "ego", hops=1), None, "Mitton and Murray-Smith, TMLR 2023"),
    "ppgn": Network(_FWL, lambda width: PPGNBlock(width, width), _MARON),
    "ppgn++": Network(_FWL, lambda width: PPGNBlock(width, width, plus=True), _PUNY),
    "ppgn++6": Network(replace(_FWL, degree=6), lambda width: PPGNBlock(width, width, plus=True), _PUNY),
}
"""By name; `ppgn++6` also gets the polynomials of A up to degree 6."""


class Embedding(nn.Module):
    """Graphs to rows: bags, `num_layers` layers, and two pools.

        h_0(u, v) = 1 + what the bag tells of v
        h'        = tanh(a / s_g),  a = layer(h),  s_g = mean over the rows of graph g of |a|
        y_g       = sum over the bags (VS) or nodes (SV) z of (ReLU(Linear(sum of the rows of z)))^2

    and with `trained`

        h'        = ReLU(BN(layer(h)))
        y_g       = mean over the bags or nodes z of ReLU(Linear(mean of the rows of z))

    Without training there is no batch statistic: the row of a graph depends on this graph alone. Division by s_g keeps numbers
    where tanh is curved, at any depth. The square makes up for a ReLU whose inputs all have one sign.

    Args:
        network: What to build.
        width: Channels C.
        num_layers: Layers.
        max_distance: Largest distance that a label tells apart.
        trained: With batch normalization.
    """

    def __init__(self, network: Network, width: int, num_layers: int, *, max_distance: int = 8, trained: bool = False) -> None:
        super().__init__()
        test = network.ceiling
        self.test, self.width = test, width
        roots = test.length or 1
        self.first = BagFeatures(width, labels_of(test), max_distance=max_distance, num_roots=roots)
        self.polynomials = nn.Linear(test.degree + 2, width) if test.degree else None
        if network.layer is None:
            raise ValueError("the network has no layers on rows of bags: take its `embedding`.")
        self.layers = nn.ModuleList(network.layer(width) for _ in range(num_layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) if trained else nn.Identity() for _ in range(num_layers))
        inner = "mean" if trained and test.inner == "sum" else test.inner
        self.pool = SubgraphPooling(width, test.order, inner=inner, level="node")
        self.trained = trained
        if not trained:
            self._draw_eps()

    def _draw_eps(self) -> None:
        """Weigh rows apart from their neighbors. With eps = 0, as layers begin, K_3,3 and the prism are the same to `ds`."""
        for layer in self.layers:
            if isinstance(layer, SubgraphConv):
                for eps in layer.eps.values():
                    nn.init.uniform_(eps, 0.1, 1.0)

    def forward(self, bags: Bags) -> Tensor:
        """Embed the graphs of bags that `Refinement.bags` made: [G, width]."""
        z = self.rows(bags)
        ptr = bags.node_ptr if self.test.order == "SV" else bags.bag_ptr
        return segment_mean(z, ptr) if self.trained else segment_sum(z.square(), ptr)

    def rows(self, bags: Bags) -> Tensor:
        """Embed the bags [S, width] (VS) or the nodes [N, width] (SV)."""
        like = self.pool.lin.weight
        h: Tensor = self.first(like.new_ones(bags.num_nodes, self.width), bags)
        if self.polynomials is not None:
            h = h + self.polynomials(pair_polynomials(bags, self.test.degree).to(like.dtype).log1p())
        ptr = bags.ptr[bags.bag_ptr]
        graph = bags.graph[bags.bag]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = norm(layer(h, bags))
            if self.trained:
                h = h.relu()
            else:
                scale = segment_mean(h.abs(), ptr, graph)
                h = torch.tanh(h / gather(torch.where(scale > 0, scale, 1.0), graph))
        z: Tensor = self.pool(h, bags)
        return z
