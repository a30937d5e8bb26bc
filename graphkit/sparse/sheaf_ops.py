"""What sheaf operators are made of, differentiable once: values at the ends of edges, products of maps, sums over neighbors.

Every operation has two implementations: a compiled kernel for float32 and float64 on the CPU, plain torch for everything else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from graphkit.sparse import sheaf_kernels as kernels
from graphkit.sparse.edge_pairs import EdgePairs
from graphkit.sparse.segment import segment_sum
from graphkit.sparse.small_matrices import compiled, run


def at_ends(nodes: Tensor, pairs: EdgePairs) -> Tensor:
    """y_e = a_own(e) + b_other(e) at the 2 m ends of the edges.

    Args:
        nodes: (a, b) side by side [N, 2 C].
        pairs: The edges.

    Returns:
        [C, 2 m], channel by channel.
    """
    out: Tensor = _AtEnds.apply(nodes, pairs)  # type: ignore[no-untyped-call]
    return out


def sum_at_nodes(ends: Tensor, pairs: EdgePairs) -> Tensor:
    """y_v = the sum of x_e over the ends at v: [C, 2 m] to [N, C]."""
    out: Tensor = _SumAtNodes.apply(ends, pairs)  # type: ignore[no-untyped-call]
    return out


def transports(maps: Tensor, weight: Tensor | None, pairs: EdgePairs, gram: bool) -> tuple[Tensor, Tensor]:
    """T_vu = w F_v^T F_u of every entry, and w F^T F at every end.

    Args:
        maps: F at the ends [r, d, 2 m].
        weight: w of the edges [m], or None for ones.
        pairs: The edges.
        gram: Whether the second result is needed.

    Returns:
        T in the order of `pairs.structure` [2 m, d, d], and the upper triangles of the products at the ends, row by row
        [d (d + 1) / 2, 2 m], empty without `gram`.
    """
    both: tuple[Tensor, Tensor] = _Transports.apply(maps, weight, pairs, gram)  # type: ignore[no-untyped-call]
    return both


def diagonal_transports(maps: Tensor, weight: Tensor | None, pairs: EdgePairs) -> tuple[Tensor, Tensor]:
    """The same for diagonal maps [d, 2 m]: the diagonals of T [2 m, 1, d], and w f^2 at every end [d, 2 m]."""
    both: tuple[Tensor, Tensor] = _DiagonalTransports.apply(maps, weight, pairs)  # type: ignore[no-untyped-call]
    return both


def aggregate(transport: Tensor, x: Tensor, pairs: EdgePairs) -> Tensor:
    """y_v = sum over neighbors u of T_vu x_u.

    Args:
        transport: T with T_uv = T_vu^T [2 m, d, d], or its diagonals [2 m, 1, d], in the order of `pairs.structure`.
        x: Stalks [N, d, h].
        pairs: The edges.

    Returns:
        [N, d, h]. Because T_uv = T_vu^T, the gradient of both is given to one of them.
    """
    out: Tensor = _Aggregate.apply(transport, x, pairs)  # type: ignore[no-untyped-call]
    return out


def _at_own(nodes: Tensor, pairs: EdgePairs) -> Tensor:
    """x_own(e): [N, C] to [C, 2 m]."""
    if not compiled(nodes):
        return nodes.t().index_select(1, pairs.own)
    out = nodes.new_empty(nodes.size(1), pairs.own.numel())
    run(kernels.add_ends, nodes, pairs.own, pairs.other, out)
    return out


def _sum(ends: Tensor, end: Tensor, pairs: EdgePairs) -> Tensor:
    """Sum over the entries of each row of what lies at their `end`: [C, 2 m] to [N, C]."""
    structure = pairs.structure
    if not compiled(ends):
        return segment_sum(ends.index_select(1, end).t(), structure.rowptr, structure.row)
    out = ends.new_zeros(pairs.num_nodes, ends.size(0))
    run(kernels.sum_ends, structure.row_blocks, structure.rowptr, end, ends, out)
    return out


class _AtEnds(Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, pairs: EdgePairs) -> Tensor:
        ctx.pairs = pairs
        width = nodes.size(1) // 2
        if not compiled(nodes):
            both = nodes[:, :width].index_select(0, pairs.own) + nodes[:, width:].index_select(0, pairs.other)
            return both.t().contiguous()
        out = nodes.new_empty(width, pairs.own.numel())
        run(kernels.add_ends, nodes, pairs.own, pairs.other, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        pairs: EdgePairs = ctx.pairs
        return torch.cat([_sum(grad, pairs.end, pairs), _sum(grad, pairs.turned, pairs)], dim=1), None


class _SumAtNodes(Function):
    @staticmethod
    def forward(ctx: Any, ends: Tensor, pairs: EdgePairs) -> Tensor:
        ctx.pairs = pairs
        return _sum(ends, pairs.end, pairs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _at_own(grad, ctx.pairs), None


class _Transports(Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor | None, pairs: EdgePairs, gram: bool) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(maps, weight)
        ctx.pairs = pairs
        r, d, ends = maps.shape
        out = maps.new_empty(ends, d, d)
        grams = maps.new_empty(d * (d + 1) // 2 if gram else 0, ends)
        if compiled(maps):
            given = maps.new_empty(0) if weight is None else weight.to(maps.dtype)
            run(kernels.products, maps, given, pairs.upper, pairs.lower, out, grams)
        else:
            first, second = maps.view(r, d, 2, -1).unbind(2)
            product = torch.einsum("cak,cbk->kab", first, second)
            if weight is not None:
                product = product * weight.view(-1, 1, 1)
            out[pairs.upper] = product
            out[pairs.lower] = product.transpose(1, 2)
            if gram:
                rows, columns = torch.triu_indices(d, d, device=maps.device)
                grams = (maps[:, rows] * maps[:, columns]).sum(0)
                if weight is not None:
                    grams = grams * weight.repeat(2)
        if not gram:
            ctx.mark_non_differentiable(grams)
        return out, grams

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_gram: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        maps, weight = ctx.saved_tensors
        pairs: EdgePairs = ctx.pairs
        r, d, ends = maps.shape
        grad_weight = maps.new_zeros(pairs.size if ctx.needs_input_grad[1] else 0)
        if compiled(maps):
            grad_maps = torch.empty_like(maps, memory_format=torch.contiguous_format)
            given = maps.new_empty(0) if weight is None else weight.to(maps.dtype)
            arrays = maps, given, pairs.upper, pairs.lower, grad, grad_gram, grad_maps, grad_weight
            run(kernels.products_backward, *arrays)
        else:
            both = grad[pairs.upper] + grad[pairs.lower].transpose(1, 2)
            first, second = maps.view(r, d, 2, -1).unbind(2)
            to_first, to_second = torch.einsum("kab,cbk->cak", both, second), torch.einsum("kab,cak->cbk", both, first)
            grad_maps = torch.stack([to_first, to_second], dim=2)
            energy = (to_first * first).sum((0, 1))
            if grad_gram.numel():
                rows, columns = torch.triu_indices(d, d, device=maps.device)
                full = maps.new_zeros(d, d, ends)
                full[rows, columns] = grad_gram
                from_gram = torch.einsum("abe,cbe->cae", full + full.transpose(0, 1), maps)
                energy += (from_gram * maps).sum((0, 1)).view(2, -1).sum(0) / 2
                grad_maps += from_gram.view_as(grad_maps)
            if weight is not None:
                grad_maps = grad_maps * weight
            grad_maps = grad_maps.view(r, d, ends)
            grad_weight = energy
        return grad_maps, grad_weight.to(weight.dtype) if ctx.needs_input_grad[1] else None, None, None


class _DiagonalTransports(Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor | None, pairs: EdgePairs) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(maps, weight)
        ctx.pairs = pairs
        if compiled(maps):
            out, squares = maps.new_empty(maps.size(1), 1, maps.size(0)), maps.new_empty(maps.shape)
            given = maps.new_empty(0) if weight is None else weight.to(maps.dtype)
            run(kernels.diagonal_products, maps, given, pairs.upper, pairs.lower, out, squares)
            return out, squares
        first, second = maps.chunk(2, dim=1)
        product, squares = first * second, maps.square()
        if weight is not None:
            product, squares = product * weight, squares * weight.repeat(2)
        return product.t()[pairs.pair].unsqueeze(1), squares

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_squares: Tensor) -> tuple[Tensor, Tensor | None, None]:
        maps, weight = ctx.saved_tensors
        pairs: EdgePairs = ctx.pairs
        grad_weight = maps.new_zeros(pairs.size if ctx.needs_input_grad[1] else 0)
        if compiled(maps):
            grad_maps = maps.new_empty(maps.shape)
            given = maps.new_empty(0) if weight is None else weight.to(maps.dtype)
            arrays = maps, given, pairs.upper, pairs.lower, grad, grad_squares, grad_maps, grad_weight
            run(kernels.diagonal_products_backward, *arrays)
        else:
            both = (grad[pairs.upper] + grad[pairs.lower]).squeeze(1).t()
            first, second = maps.chunk(2, dim=1)
            grad_maps = torch.cat([both * second, both * first], dim=1) + 2 * grad_squares * maps
            grad_weight = (both * first * second).sum(0) + (grad_squares * maps.square()).sum(0).view(2, -1).sum(0)
            if weight is not None:
                grad_maps = grad_maps * weight.repeat(2)
        return grad_maps, grad_weight.to(weight.dtype) if ctx.needs_input_grad[1] else None, None


class _Aggregate(Function):
    @staticmethod
    def forward(ctx: Any, transport: Tensor, x: Tensor, pairs: EdgePairs) -> Tensor:
        ctx.save_for_backward(transport, x)
        ctx.pairs = pairs
        return _rows_times(transport, x, pairs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        transport, x = ctx.saved_tensors
        pairs: EdgePairs = ctx.pairs
        grad_transport = grad_x = None
        if ctx.needs_input_grad[0]:
            # dT_vu + dT_uv^T = dy_v x_u^T + x_v dy_u^T: one inner product of rows (dy, x) with rows (x, dy).
            grad_transport = transport.new_zeros(transport.shape)
            left, right = torch.cat([grad, x], dim=2), torch.cat([x, grad], dim=2)
            if compiled(x):
                run(kernels.pair_dots, pairs.low, pairs.high, pairs.upper, left, right, grad_transport)
            else:
                equation = "kah,kah->ka" if transport.size(1) == 1 else "kah,kbh->kab"
                dots = torch.einsum(equation, left[pairs.low], right[pairs.high])
                grad_transport[pairs.upper] = dots.view(-1, *transport.shape[1:])
        if ctx.needs_input_grad[1]:
            grad_x = _rows_times(transport, grad, pairs)  # T_uv = T_vu^T: the operator is its own adjoint
        return grad_transport, grad_x, None


def _rows_times(transport: Tensor, x: Tensor, pairs: EdgePairs) -> Tensor:
    structure = pairs.structure
    if compiled(x):
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        arrays = structure.row_blocks, structure.rowptr, structure.col, transport, x, out
        run(kernels.rows_times_blocks, *arrays)
        return out
    message = x.index_select(0, structure.col)
    message = message * transport.transpose(1, 2) if transport.size(1) == 1 else transport @ message
    summed: Tensor = segment_sum(message, structure.rowptr, structure.row)
    return summed
