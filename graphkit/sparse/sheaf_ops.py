"""What sheaf operators are made of, differentiable once: values at the ends of edges, products of maps, one diffusion.

Every operation has two implementations: a compiled kernel for float32 and float64 on the CPU, plain torch for everything else.
Diagonal matrices have one row, [1, d], and the maps at the ends no rows, [d, 2 m].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from graphkit.sparse import sheaf_kernels as kernels
from graphkit.sparse.edge_pairs import EdgePairs
from graphkit.sparse.segment import segment_sum
from graphkit.sparse.shared_work import share
from graphkit.sparse.small_matrices import compiled, ends_first, ends_last
from graphkit.sparse.spmm import sddmm


def at_ends(nodes: Tensor, pairs: EdgePairs) -> Tensor:
    """y_e = a_own(e) + b_other(e) at the 2 m ends of the edges.

    Args:
        nodes: (a, b) side by side [N, 2 C].
        pairs: The edges.

    Returns:
        [C, 2 m].
    """
    out: Tensor = _AtEnds.apply(nodes, pairs)  # type: ignore[no-untyped-call]
    return out


def transports(maps: Tensor, weight: Tensor | None, pairs: EdgePairs, degree: bool) -> tuple[Tensor, Tensor]:
    """T_vu = w F_v^T F_u of every entry, and D_v = the sum of w F^T F over the ends at each node.

    Args:
        maps: F at the ends [d, d, 2 m], or diagonals [d, 2 m].
        weight: w of the edges [m], or None for ones.
        pairs: The edges.
        degree: Whether the second result is needed.

    Returns:
        T in the order of `pairs.structure` [2 m, d, d] or [2 m, 1, d], and the upper triangles of D, row by row
        [N, d (d + 1) / 2], or its diagonals [N, d]; empty without `degree`.
    """
    both: tuple[Tensor, Tensor] = _Transports.apply(maps, weight, pairs, degree)  # type: ignore[no-untyped-call]
    return both


class Fixed(NamedTuple):
    """Stalk dimensions whose maps are not learned, behind those whose maps are.

    Attributes:
        root: The diagonal of S [N].
        weight: Weight of each entry of `pairs.structure` [2 m], symmetric.
        signs: -1 or 1 for each dimension [k]: how T is made of the weights.
    """

    root: Tensor
    weight: Tensor
    signs: Tensor


def diffuse(transport: Tensor, root: Tensor, x: Tensor, pairs: EdgePairs, fixed: Fixed | None = None) -> Tensor:
    """Apply one diffusion, y = x - S (I + T) S x.

    Args:
        transport: T with T_uv = T_vu^T [2 m, d, d] or [2 m, 1, d], in the order of `pairs.structure`.
        root: Symmetric S at the nodes [N, d, d] or [N, 1, d].
        x: Stalks [N, d + k, h].
        pairs: The edges.
        fixed: S and T of the last k dimensions, None for k = 0.

    Returns:
        [N, d + k, h]. Because T_uv = T_vu^T, the gradient of both is given to one of them.
    """
    given = fixed or Fixed(*(x.new_empty(0) for _ in Fixed._fields))
    out: Tensor = _Diffuse.apply(transport, root, x, *given, pairs)  # type: ignore[no-untyped-call]
    return out


class _AtEnds(Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, pairs: EdgePairs) -> Tensor:
        ctx.pairs = pairs
        width = nodes.size(1) // 2
        if not compiled(nodes):
            both = nodes[:, :width].index_select(0, pairs.own) + nodes[:, width:].index_select(0, pairs.other)
            return both.t().contiguous()
        out = nodes.new_empty(pairs.own.numel(), 1, width)
        share(kernels.add_ends, nodes.view(-1, 2, width), pairs.own, pairs.other, out)
        return ends_last(out.squeeze(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        pairs: EdgePairs = ctx.pairs
        structure = pairs.structure
        if compiled(grad):
            out = grad.new_empty(pairs.num_nodes, 2, grad.size(0))
            share(kernels.sum_ends, structure.row_blocks, structure.rowptr, pairs.end, ends_first(grad).unsqueeze(1), out)
            return out.flatten(1), None
        sums = [_sum(grad.index_select(1, end).t(), pairs) for end in (pairs.end, pairs.turned)]
        return torch.cat(sums, dim=1), None


class _Transports(Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor | None, pairs: EdgePairs, degree: bool) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(maps, weight)
        ctx.pairs, ctx.degree = pairs, degree
        d, ends, diagonal = maps.size(0), maps.size(-1), maps.dim() == 2
        degrees = maps.new_empty(pairs.num_nodes if degree else 0, d if diagonal else d * (d + 1) // 2)
        if compiled(maps):
            given, w, structure = ends_first(maps).flatten(1), _or_ones(weight, maps), pairs.structure
            out = torch.empty_like(given)
            share(kernels.products, (0,) * d, given, w, pairs.upper, pairs.lower, out)
            if degree:
                share(kernels.degrees, (0,) * d, structure.row_blocks, structure.rowptr, pairs.end, given, w, degrees)
        else:
            first, second = maps.view(*maps.shape[:-1], 2, -1).unbind(-2)
            product = (first * second).t().unsqueeze(1) if diagonal else torch.einsum("cak,cbk->kab", first, second)
            if weight is not None:
                product = product * weight.view(-1, 1, 1)
            out = product.new_empty(ends, *product.shape[1:])
            out[pairs.upper] = product
            out[pairs.lower] = product if diagonal else product.transpose(1, 2)
            if degree:
                rows, columns = torch.triu_indices(d, d, device=maps.device)
                square = maps.square() if diagonal else (maps[:, rows] * maps[:, columns]).sum(0)
                square = square if weight is None else square * weight.repeat(2)
                degrees = _sum(square.index_select(1, pairs.end).t(), pairs)
        if not degree:
            ctx.mark_non_differentiable(degrees)
        return out.view(ends, 1 if diagonal else d, d), degrees

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_degree: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        maps, weight = ctx.saved_tensors
        pairs: EdgePairs = ctx.pairs
        d, ends, diagonal = maps.size(0), maps.size(-1), maps.dim() == 2
        if compiled(maps):
            given = ends_first(maps)
            gradient = torch.empty_like(given)
            energy = maps.new_empty(pairs.size if ctx.needs_input_grad[1] else 0)
            edges = _or_ones(weight, maps), pairs.low, pairs.high, pairs.upper, pairs.lower
            outer = grad.flatten(1), grad_degree if ctx.degree else None
            share(kernels.products_backward, (0,) * d, given.flatten(1), *edges, *outer, gradient.flatten(1), energy)
            grad_maps = ends_last(gradient)
        else:
            lower = grad[pairs.lower]
            both = grad[pairs.upper] + (lower if diagonal else lower.transpose(1, 2))
            first, second = maps.view(*maps.shape[:-1], 2, -1).unbind(-2)
            if diagonal:
                both = both.squeeze(1).t()
                to_first, to_second = both * second, both * first
            else:
                to_first, to_second = torch.einsum("kab,cbk->cak", both, second), torch.einsum("kab,cak->cbk", both, first)
            energy = (to_first * first).flatten(0, -2).sum(0)
            grad_maps = torch.cat([to_first, to_second], dim=-1)
            if ctx.degree:
                at_ends = grad_degree.t().index_select(1, pairs.own)
                if diagonal:
                    own = 2 * at_ends * maps
                else:
                    rows, columns = torch.triu_indices(d, d, device=maps.device)
                    full = maps.new_zeros(d, d, ends)
                    full[rows, columns] = at_ends
                    own = torch.einsum("abe,cbe->cae", full + full.transpose(0, 1), maps)
                energy += (own * maps).flatten(0, -2).sum(0).view(2, -1).sum(0) / 2
                grad_maps += own
            if weight is not None:
                grad_maps = grad_maps * weight.repeat(2)
        return grad_maps, energy.to(weight.dtype) if ctx.needs_input_grad[1] else None, None, None


class _Diffuse(Function):
    @staticmethod
    def forward(
        ctx: Any, transport: Tensor, root: Tensor, x: Tensor, scale: Tensor, weight: Tensor, signs: Tensor, pairs: EdgePairs
    ) -> Tensor:
        operator = transport, root, scale, weight, signs
        u, v, out = _diffused(pairs, x, *operator)
        ctx.save_for_backward(x, u, v, *operator)
        ctx.pairs = pairs
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, u, v, *operator = ctx.saved_tensors
        transport, root, _, _, signs = operator
        pairs: EdgePairs = ctx.pairs
        p, q, moved = _diffused(pairs, grad, *operator)  # the operator is its own adjoint
        grad_transport = grad_root = grad_scale = grad_weight = None
        if ctx.needs_input_grad[0]:
            # dT_vu + dT_uv^T = -p_v u_u^T - u_v p_u^T.
            grad_transport = torch.zeros_like(transport)
            _dots(pairs.low, pairs.high, pairs.upper, (p, u, u, p), grad_transport)
        if ctx.needs_input_grad[1]:
            nodes = torch.arange(pairs.num_nodes, device=x.device)
            grad_root = torch.empty_like(root, memory_format=torch.contiguous_format)
            _dots(nodes, nodes, nodes, (grad, v, q, x), grad_root)
        d = root.size(2)
        if ctx.needs_input_grad[3]:
            grad_scale = -(grad * v + q * x)[:, d:].sum((1, 2))
        if ctx.needs_input_grad[4]:
            signed = p[:, d:] * -signs.view(-1, 1)
            grad_weight = sddmm(pairs.structure, signed.flatten(1), u[:, d:].flatten(1))
        return grad_transport, grad_root, moved, grad_scale, grad_weight, None, None


def _diffused(
    pairs: EdgePairs, x: Tensor, transport: Tensor, root: Tensor, scale: Tensor, weight: Tensor, signs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return u = S x, v = u + T u and x - S v."""
    structure, ones = pairs.structure, torch.ones_like(signs)
    if compiled(x):
        x = x.contiguous()
        u, v, out = (torch.empty_like(x) for _ in range(3))
        sizes, rows = ((0,) * root.size(2), (0,) * signs.numel()), (torch.arange(pairs.num_nodes), root, scale, ones)
        entries = structure.rowptr, structure.narrow_col, transport, weight, signs
        share(kernels.scaled, *sizes, structure.row_blocks, *rows, x, u)
        share(kernels.diffused, *sizes, structure.row_blocks, *entries, *rows, x, u, v, out)
        return u, v, out
    u = _times(root, scale, ones, x)
    v = u + _sum(_times(transport, weight, signs, u.index_select(0, structure.col)), pairs)
    return u, v, x - _times(root, scale, ones, v)


def _dots(low: Tensor, high: Tensor, to: Tensor, four: tuple[Tensor, Tensor, Tensor, Tensor], out: Tensor) -> None:
    """out[to] = -a[low] b[high]^T - c[low] d[high]^T of the first dimensions, or the diagonals of that."""
    if compiled(out):
        share(kernels.dots, (0,) * out.size(2), low, high, to, *four, out)
        return
    a, b, c, d = (one[:, : out.size(2)] for one in four)
    left, right = torch.cat([a, c], dim=2)[low], torch.cat([b, d], dim=2)[high]
    found = torch.einsum("kah,kah->ka" if out.size(1) < out.size(2) else "kah,kbh->kab", left, right)
    out[to] = -found.view(-1, *out.shape[1:])


def _times(matrices: Tensor, weight: Tensor, signs: Tensor, stalks: Tensor) -> Tensor:
    """M x for matrices [n, d, d] or diagonals [n, 1, d], and weight [n] times signs [k] for the last k dimensions."""
    d = matrices.size(2)
    learned, rest = stalks[:, :d], stalks[:, d:]
    moved = matrices.transpose(1, 2) * learned if matrices.size(1) < d else matrices @ learned
    return torch.cat([moved, weight.view(-1, 1, 1) * signs.view(-1, 1) * rest], dim=1) if signs.numel() else moved


def _sum(entries: Tensor, pairs: EdgePairs) -> Tensor:
    """Sum over the entries of each row [2 m, ...] to [N, ...]."""
    summed: Tensor = segment_sum(entries, pairs.structure.rowptr, pairs.structure.row)
    return summed


def _or_ones(weight: Tensor | None, maps: Tensor) -> Tensor:
    """What kernels take for weights: nothing stands for ones."""
    return maps.new_empty(0) if weight is None else weight.to(maps.dtype)
