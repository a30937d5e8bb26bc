"""Bags of subgraphs and the layers on them, against loops over roots, gather-scatter, stacked bases and loops over bags."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.transforms import RootedEgoNets
from torch_geometric.utils import k_hop_subgraph, scatter

from benchmarks.speed.harness import Case, Contest, Options, Results, Side, Work
from graphkit.layers import EquivariantLinear, SubgraphConv, SubgraphPermutationConv
from graphkit.layers.subgraph.equivariant import equivariant
from graphkit.sparse.egonets import BagPairs, Bags, ego_bags, whole_bags

CHANNELS = 96  # of SSWL+ on ZINC


def molecules(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Graphs of ZINC's size, 23 nodes and 49 directed edges on average: a tree of low degree and a few rings."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(14, 33, (count,), generator=generator)
    ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    edges = []
    for start, n in zip(ptr.tolist(), sizes.tolist(), strict=False):
        child = torch.arange(1, n)
        parent = (child - 1 - torch.randint(0, 2, (n - 1,), generator=generator)).clamp(min=0)
        rings = torch.tensor([[0, n // 2], [5, n - 1]])
        edges.append(torch.cat([torch.stack([child, parent]), rings.t()], dim=1) + start)
    one_way = torch.cat(edges, dim=1)
    return torch.unique(torch.cat([one_way, one_way.flip(0)], dim=1), dim=1), ptr


def ego_nets(options: Options) -> Iterator[Contest]:
    """All balls of a batch of molecules, with their edges, against one call of PyG per root."""
    edge_index, ptr = molecules(8 if options.quick else 100)
    for hops in (2, 3):
        whole = _bag_results(ego_bags(edge_index, ptr, hops))
        label = f"{ptr.numel() - 1} ZINC-sized graphs, {int(ptr[-1]):,} roots, {hops} hops: nodes and edges"
        ours = Side("graphkit ego_bags", lambda hops=hops: _bag_results(ego_bags(edge_index, ptr, hops)))
        peer = Side("PyG k_hop_subgraph per root", lambda hops=hops: _per_root(edge_index, ptr, hops))
        yield Contest([Case(label, ours, peer, _written(whole))])


def ego_nets_large(options: Options) -> Iterator[Contest]:
    """All balls of one large graph, against PyG's dense masks (on a tenth of it) and a sparse matrix power."""
    for num_nodes in (200, 400) if options.quick else (2_000, 20_000):
        generator = torch.Generator().manual_seed(0)
        pairs = torch.randint(num_nodes, (2, 3 * num_nodes), generator=generator)
        pairs = pairs[:, pairs[0] != pairs[1]]
        edge_index = torch.unique(torch.cat([pairs, pairs.flip(0)], dim=1), dim=1)
        ptr = torch.tensor([0, num_nodes])
        with_edges = num_nodes in (200, 2_000)

        def ours(edge_index: Tensor = edge_index, ptr: Tensor = ptr, with_edges: bool = with_edges) -> Results:
            bags = ego_bags(edge_index, ptr, 2)
            return _bag_results(bags) if with_edges else {"sizes": bags.ptr, "nodes": bags.node}

        label = f"{num_nodes:,} nodes of degree 6, 2 hops: nodes{' and edges' if with_edges else ''}"
        if with_edges:
            peer = Side("PyG RootedEgoNets", lambda e=edge_index, n=num_nodes: _rooted(e, n))
        else:
            peer = Side("scipy: (I + A)^2", lambda e=edge_index, n=num_nodes: _power(e, n))
        yield Contest([Case(label, Side("graphkit ego_bags", ours), peer, _written(ours()))])


def _bag_results(bags: Bags) -> Results:
    return {"sizes": bags.ptr, "nodes": bags.node, "to": bags.within.row, "from": bags.within.col}


def _written(results: Results) -> Work:
    return Work("the result written once, at the copy rate", bytes=float(sum(one.nbytes for one in results.values())))


def _ordered(nodes: list[Tensor], targets: Tensor, sources: Tensor, total: int) -> Results:
    key = (targets * total + sources).sort().values
    sizes = torch.tensor([0, *(one.numel() for one in nodes)]).cumsum(0)
    return {"sizes": sizes, "nodes": torch.cat(nodes), "to": key // total, "from": key % total}


def _per_root(edge_index: Tensor, ptr: Tensor, hops: int) -> Results:
    nodes, edges, first = [], [], 0
    owner = torch.bucketize(edge_index[0].contiguous(), ptr, right=True) - 1
    for g, (start, stop) in enumerate(zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True)):
        own = edge_index[:, owner == g] - start
        for root in range(stop - start):
            subset, inside, _, _ = k_hop_subgraph(root, hops, own, relabel_nodes=True, num_nodes=stop - start)
            nodes.append(subset + start)
            edges.append(inside + first)
            first += subset.numel()
    sources, targets = torch.cat(edges, dim=1)
    return _ordered(nodes, targets, sources, first)


def _rooted(edge_index: Tensor, num_nodes: int) -> Results:
    data = RootedEgoNets(num_hops=2)(Data(edge_index=edge_index, num_nodes=num_nodes))
    sizes = torch.bincount(data.n_sub_batch, minlength=num_nodes)
    sources, targets = data.sub_edge_index
    return _ordered(list(data.n_id.split(sizes.tolist())), targets, sources, data.n_id.numel())


def _power(edge_index: Tensor, num_nodes: int) -> Results:
    ones = np.ones(edge_index.size(1), dtype=np.int8)
    step = sparse.csr_array((ones, (edge_index[1].numpy(), edge_index[0].numpy())), shape=(num_nodes, num_nodes))
    step = step + sparse.eye_array(num_nodes, dtype=np.int8, format="csr")
    ball = (step @ step).tocsr()
    ball.sort_indices()
    return {"sizes": torch.from_numpy(ball.indptr.astype(np.int64)), "nodes": torch.from_numpy(ball.indices.astype(np.int64))}


# -------------------------------------------------------------------------------------------------------- pair layer


def pair_layer(options: Options) -> Iterator[Contest]:
    """An SSWL+ layer on a batch of molecules, and its aggregations alone, against index lists and scatters."""
    edge_index, ptr = molecules(4 if options.quick else 128)
    bags = whole_bags(edge_index, ptr)
    torch.manual_seed(0)
    layer = SubgraphConv(CHANNELS, CHANNELS)
    lists = {name: _lists(bags, name) for name in layer.aggregations}
    x, weight = torch.randn(2, bags.num_rows, CHANNELS)
    operators = (bags.within, bags.across, bags.vv)

    def gather(h: Tensor, name: str) -> Tensor:
        sources, targets = lists[name]
        return scatter(h.index_select(0, sources), targets, dim=0, dim_size=h.size(0), reduce="sum")

    def literal(h: Tensor) -> Tensor:
        maps = [layer.maps[f"all_{name}"]((1 + layer.eps[name]) * h + gather(h, name)) for name in layer.aggregations]
        assert layer.norm is not None
        out: Tensor = layer.norm(maps[0] + maps[1] + maps[2]).relu()
        return out

    label = f"{ptr.numel() - 1} ZINC-sized graphs, {bags.num_rows:,} pairs, {CHANNELS} channels, forward + backward"
    products = 18 * 2.0 * bags.num_rows * CHANNELS**2  # six linear maps, each once forward and twice backward
    whole = Work("the products of its six linear maps, forward and backward", flops=products)
    moved = Work("pairs read and written once per aggregation and pass", bytes=2.0 * 3 * 2 * x.nbytes)
    named = "SubgraphConv", "gather and scatter"
    parameters = [p for p in layer.parameters() if p.requires_grad]
    for what, ours, peer, work in (
        ("SSWL+ layer", lambda h: layer(h, bags), literal, whole),
        ("uL + vL + vv", lambda h: sum(o @ h for o in operators), lambda h: sum(gather(h, o) for o in lists), moved),
    ):
        sides = [
            _trained(name, call, x, weight, parameters if what.startswith("SSWL") else [])
            for name, call in zip(named, (ours, peer), strict=True)
        ]
        yield Contest([Case(f"{what}: {label}", *sides, work, tolerance=1e-4)])


def _lists(bags: Bags, name: str) -> tuple[Tensor, Tensor]:
    operator = {"uL": bags.within, "vL": bags.across, "vv": bags.vv}[name]
    return operator.col, operator.row


def _trained(name: str, call: Callable[[Tensor], Tensor], x: Tensor, weight: Tensor, parameters: list[nn.Parameter]) -> Side:
    leaf = x.clone().requires_grad_()

    def run() -> Results:
        leaf.grad = None
        for parameter in parameters:
            parameter.grad = None
        out = call(leaf)
        out.backward(weight)
        assert leaf.grad is not None
        gradients = {f"gradient {i}": p.grad for i, p in enumerate(parameters) if p.grad is not None and p.dim() == 2}
        return {"forward": out.detach(), "gradient": leaf.grad, **gradients}

    return Side(name, run)


# --------------------------------------------------------------------------------------------------- equivariant maps


def equivariant_maps(options: Options) -> Iterator[Contest]:
    """The 15 maps of order 2 against their stack, and SPEN's layer against a loop over its bags."""
    count, m, width = (4, 5, 4) if options.quick else (256, 16, 32)
    torch.manual_seed(0)
    layer = EquivariantLinear(width, width, bias=False)
    x, weight = torch.randn(2, count, m, m, width)
    label = f"15 maps, {count} subgraphs of {m} nodes, {width} channels, forward + backward"
    work = Work("two products of full size, forward and backward", flops=3 * 2 * 2.0 * x.numel() * width)
    ours = _trained("EquivariantLinear", layer, x, weight, [layer.weight])
    peer = _trained("stack of 15", lambda x: _stacked(x, layer.weight), x, weight, [layer.weight])
    yield Contest([Case(label, ours, peer, work, tolerance=1e-4)])
    edge_index, ptr = molecules(2 if options.quick else 32)
    index = BagPairs(ego_bags(edge_index, ptr, 1))
    conv = SubgraphPermutationConv((16, 16), (0, 16, 16), (2, 3, 4))
    nodes, pairs = torch.randn(index.bags.num_nodes, 16), torch.randn(index.num_pairs, 16)
    label = (
        f"SPEN's layer, {index.bags.num_bags:,} bags of {ptr.numel() - 1} ZINC-sized graphs, 16 channels, forward + backward"
    )
    work = Work("features read and written once forward and backward", bytes=4.0 * (nodes.nbytes + pairs.nbytes))
    sides = [
        _on_tensors(name, call, conv, nodes, pairs)
        for name, call in (
            ("SubgraphPermutationConv", lambda n, p: tuple(conv(n, p, index)[1:])),
            ("loop over nodes", lambda n, p: _bag_by_bag(conv, n, p, index)),
        )
    ]
    yield Contest([Case(label, *sides, work, tolerance=1e-4)])


def _stacked(x: Tensor, weight: Tensor) -> Tensor:
    """The usual way: all 15 outputs as one tensor, then one contraction with the coefficients."""
    m = x.size(1)
    eye = torch.eye(m).view(1, m, m, 1)
    d = x.diagonal(dim1=1, dim2=2).transpose(1, 2)
    r, c = x.sum(2) / m, x.sum(1) / m
    t = (d.sum(1) / m)[:, None, None]
    s = (r.sum(1) / m)[:, None, None]
    down, right = (lambda v: v[:, :, None].expand_as(x)), (lambda v: v[:, None].expand_as(x))
    basis = [eye * down(d), eye * t, eye * down(r), eye * down(c), eye * s, down(c), down(r), right(c), right(r)]
    basis += [x, x.transpose(1, 2), down(d), right(d), t.expand_as(x), s.expand_as(x)]
    return torch.einsum("bnijd,bdo->nijo", torch.stack(basis), weight)


def _bag_by_bag(conv: SubgraphPermutationConv, nodes: Tensor, pairs: Tensor, index: BagPairs) -> tuple[Tensor, ...]:
    """Every bag cut out, mapped and written back by itself."""
    bags = index.bags
    bounds = bags.ptr.tolist()
    sums, counts = [torch.zeros_like(nodes), torch.zeros_like(pairs)], [torch.zeros(len(nodes)), torch.zeros(len(pairs))]
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        own = bags.node[start:stop]
        m = own.numel()
        at = index.find(own[:, None], own[None]).flatten()
        blocks = {1: nodes[own][None], 2: pairs[at].view(1, m, m, -1)}
        for order, place in ((1, own), (2, at)):
            grade, bias = conv.grade(m), conv.biases[str(order)]
            out = [
                equivariant(x, conv.weights[f"{k}{order}"][grade], bias[grade] if k == 1 else None, order)
                for k, x in blocks.items()
            ]
            sums[order - 1] = sums[order - 1].index_add(0, place, (out[0] + out[1]).flatten(0, -2))
            counts[order - 1].index_add_(0, place, torch.ones(place.numel()))
    return tuple(total / count[:, None] for total, count in zip(sums, counts, strict=True))


def _on_tensors(
    name: str, call: Callable[[Tensor, Tensor], tuple[Tensor, ...]], conv: nn.Module, nodes: Tensor, pairs: Tensor
) -> Side:
    leaves = nodes.clone().requires_grad_(), pairs.clone().requires_grad_()

    def run() -> Results:
        first, second = call(*leaves)
        inputs = [*leaves, *conv.parameters()]
        gradients = torch.autograd.grad(first.sin().sum() + second.sin().sum(), inputs)
        return {"nodes": first.detach(), "pairs": second.detach(), **{f"gradient {i}": g for i, g in enumerate(gradients)}}

    return Side(name, run)
