"""What sheaf operators are made of: values at the ends of edges, products of maps, one diffusion.

Every operation has two implementations: a compiled kernel for float32 and float64 on the CPU, plain torch for everything else
and for gradients of gradients. Diagonal matrices have one row, [1, d], and the maps at the ends no rows, [2 m, d].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import Function

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.gathering import at_cols, at_rows, sum_rows
from graphkit.sparse.sheaf import kernels
from graphkit.sparse.sheaf.ends import EdgeEnds
from graphkit.sparse.sheaf.small_matrices import compiled
from graphkit.sparse.spmm import sddmm
from graphkit.sparse.structure import Structure
from graphkit.sparse.twice import recorded_gradients


def at_ends(nodes: Tensor, ends: EdgeEnds) -> Tensor:
    """y_e = a_v + b_u at each end e = (v, u).

    Args:
        nodes: (a, b) side by side [N, 2 C].
        ends: The edges.

    Returns:
        [2 m, C].
    """
    out: Tensor = _AtEnds.apply(nodes, ends)  # type: ignore[no-untyped-call]
    return out


def transports(maps: Tensor, weight: Tensor | None, ends: EdgeEnds, degree: bool) -> tuple[Tensor, Tensor | None]:
    """T_vu = w F_v^T F_u of every entry, and D_v = the sum of w F_v^T F_v over the ends at each node.

    Args:
        maps: F at the ends [2 m, d, d], or diagonals [2 m, d].
        weight: w of the edges, the same at both ends [2 m], or None for ones.
        ends: The edges.
        degree: Whether the second result is needed.

    Returns:
        T [2 m, d, d] or [2 m, 1, d], and the upper triangles of D, row by row [N, d (d + 1) / 2], or its diagonals [N, d];
        None without `degree`.
    """
    both: tuple[Tensor, Tensor | None] = _Transports.apply(maps, weight, ends, degree)  # type: ignore[no-untyped-call]
    return both


def tanh_transports(nodes: Tensor, d: int, weight: Tensor | None, ends: EdgeEnds) -> tuple[Tensor, Tensor | None]:
    """`transports` of the maps F_e = tanh(a_v + b_u) at the ends e = (v, u), which are never written, nor their gradients.

    Args:
        nodes: (a, b) side by side [N, 2 d d], or [N, 2 d] for diagonal maps.
        d: Order of the matrices.
        weight: w of the edges, the same at both ends [2 m], or None for ones.
        ends: The edges.

    Returns:
        T and D.
    """
    if compiled(nodes):
        both: tuple[Tensor, Tensor] = _TanhTransports.apply(nodes, d, weight, ends)  # type: ignore[no-untyped-call]
        return both
    return transports(_tanh_maps(nodes, d, ends), weight, ends, degree=True)


class Fixed(NamedTuple):
    """Stalk dimensions whose maps are not learned, behind those whose maps are.

    Attributes:
        root: The diagonal of S [N].
        weight: Weight of each entry of `ends.structure` [2 m], symmetric.
        signs: -1 or 1 for each dimension [k]: how T is made of the weights.
    """

    root: Tensor
    weight: Tensor
    signs: Tensor


def diffuse(transport: Tensor, root: Tensor, x: Tensor, ends: EdgeEnds, fixed: Fixed | None = None) -> Tensor:
    """Apply one diffusion, y = x - S (I + T) S x.

    Args:
        transport: T with T_uv = T_vu^T [2 m, d, d] or [2 m, 1, d], in the order of `ends.structure`.
        root: Symmetric S at the nodes [N, d, d] or [N, 1, d].
        x: Stalks [N, d + k, h].
        ends: The edges.
        fixed: S and T of the last k dimensions, None for k = 0.

    Returns:
        [N, d + k, h]. Each transport is stored twice, since T_uv = T_vu^T. Only the sum of the two stored gradients, one of
        them transposed, is the gradient of the edge.
    """
    given = fixed or Fixed(*(x.new_empty(0) for _ in Fixed._fields))
    out: Tensor = _Diffuse.apply(transport, root, x, *given, ends)  # type: ignore[no-untyped-call]
    return out


class _AtEnds(Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, ends: EdgeEnds) -> Tensor:
        ctx.ends = ends
        return _added(nodes, ends)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        ends: EdgeEnds = ctx.ends
        if not compiled(grad) or torch.is_grad_enabled():
            pattern = ends.structure
            arriving = sum_rows(grad, pattern.row, pattern.row_incidence)
            return torch.cat([arriving, sum_rows(grad, pattern.col, pattern.col_incidence)], dim=1), None
        out = grad.new_empty(ends.num_nodes, 2, grad.size(1))
        parallel_for(kernels.sum_ends, *_rows(ends.structure), ends.twin, grad.unsqueeze(1), out)
        return out.flatten(1), None


class _TanhTransports(Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, d: int, weight: Tensor | None, ends: EdgeEnds) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(nodes, weight)
        ctx.ends, ctx.d = ends, d
        size, structure = nodes.size(1) // 2, ends.structure
        out, degrees = nodes.new_empty(structure.nnz, size), nodes.new_empty(len(nodes), d if size == d else d * (d + 1) // 2)
        given = nodes, _or_one(weight, nodes), out, degrees
        parallel_for(kernels.tanh_products, (0,) * d, *_rows(structure), structure.narrow_col, *given)
        return out.view(-1, 1 if size == d else d, d), degrees

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_degree: Tensor) -> tuple[Tensor | None, None, Tensor | None, None]:
        nodes, weight = ctx.saved_tensors
        ends: EdgeEnds = ctx.ends
        if torch.is_grad_enabled():

            def plain(nodes: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
                return _plain_transports(_tanh_maps(nodes, ctx.d, ends), weight, ends, degree=True)

            of_nodes, of_weight = recorded_gradients(plain, (nodes, weight), (grad, grad_degree))
            return of_nodes, None, of_weight, None
        gradient = nodes.new_empty(2 * len(nodes), nodes.size(1) // 2)
        energy = nodes.new_empty(ends.structure.nnz) if ctx.needs_input_grad[2] else None
        pattern = *_rows(ends.structure), ends.twin, ends.structure.narrow_col
        given = nodes, _or_one(weight, nodes), grad.flatten(1), grad_degree, gradient, energy
        parallel_for(kernels.tanh_products_backward, (0,) * ctx.d, *pattern, *given)
        return gradient.view_as(nodes), None, None if energy is None else energy.to(weight.dtype), None


class _Transports(Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor | None, ends: EdgeEnds, degree: bool) -> tuple[Tensor, Tensor | None]:
        ctx.save_for_backward(maps, weight)
        ctx.ends, ctx.degree = ends, degree
        d, diagonal, degrees = maps.size(1), maps.dim() == 2, None
        if not compiled(maps):
            return _plain_transports(maps, weight, ends, degree)
        if degree:
            degrees = maps.new_empty(ends.num_nodes, d if diagonal else d * (d + 1) // 2)
        out = torch.empty_like(maps, memory_format=torch.contiguous_format)
        given = maps.flatten(1), _or_one(weight, maps), out.flatten(1), degrees
        parallel_for(kernels.products, (0,) * d, *_rows(ends.structure), ends.twin, *given)
        return out.view(-1, 1 if diagonal else d, d), degrees

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_degree: Tensor | None) -> tuple[Tensor | None, Tensor | None, None, None]:
        maps, weight = ctx.saved_tensors
        ends: EdgeEnds = ctx.ends
        if torch.is_grad_enabled():

            def plain(maps: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
                return _plain_transports(maps, weight, ends, ctx.degree)

            of_maps, of_weight = recorded_gradients(plain, (maps, weight), (grad, grad_degree))
            return of_maps, of_weight, None, None
        d, diagonal, weighs = maps.size(1), maps.dim() == 2, ctx.needs_input_grad[1]
        if compiled(maps):
            gradient = torch.empty_like(maps, memory_format=torch.contiguous_format)
            energy = maps.new_empty(ends.structure.nnz) if weighs else None
            given = maps.flatten(1), _or_one(weight, maps), grad.flatten(1), grad_degree
            parallel_for(
                kernels.products_backward, (0,) * d, *_rows(ends.structure), ends.twin, *given, gradient.flatten(1), energy
            )
        else:
            other, grad = maps[ends.twin], grad.squeeze(1) if diagonal else grad
            to_own = other * grad if diagonal else other @ grad.transpose(1, 2)
            gradient = to_own + (other * grad[ends.twin] if diagonal else other @ grad[ends.twin])
            if grad_degree is not None:
                at_ends = grad_degree[ends.structure.row]
                if diagonal:
                    own = 2 * at_ends * maps
                else:
                    rows, columns = torch.triu_indices(d, d, device=maps.device)
                    full = maps.new_zeros(len(maps), d, d)
                    full[:, rows, columns] = at_ends
                    own = maps @ (full + full.transpose(1, 2))
                gradient = gradient + own
                to_own = to_own + own / 2
            energy = (to_own * maps).flatten(1).sum(1) if weighs else None
            if weight is not None:
                gradient = gradient * weight.view(-1, *[1] * (maps.dim() - 1))
        return gradient, None if energy is None else energy.to(weight.dtype), None, None


class _Diffuse(Function):
    @staticmethod
    def forward(
        ctx: Any, transport: Tensor, root: Tensor, x: Tensor, scale: Tensor, weight: Tensor, signs: Tensor, ends: EdgeEnds
    ) -> Tensor:
        operator = transport, root, scale, weight, signs
        u, v, out = _diffused(ends, x, operator)
        ctx.save_for_backward(x, u, v, *operator)
        ctx.ends = ends
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, u, v, *operator = ctx.saved_tensors
        transport, root, _, _, signs = operator
        ends: EdgeEnds = ctx.ends
        if torch.is_grad_enabled():

            def plain(x: Tensor, *operator: Tensor) -> Tensor:
                return _plain_diffused(ends, x, operator)[2]

            of_x, of_transport, of_root, *of_fixed = recorded_gradients(plain, (x, *operator), (grad,))
            return of_transport, of_root, of_x, *of_fixed, None
        grad_scale = grad_weight = None
        grad_transport, grad_root = (
            torch.empty_like(one, memory_format=torch.contiguous_format) if needed else None
            for one, needed in zip((transport, root), ctx.needs_input_grad, strict=False)
        )
        # The operator is its own adjoint. dT_vu + dT_uv^T = -p_v u_u^T - u_v p_u^T, of which T_vu is given the second term;
        # dS = -g v^T - q x^T with the gradient g.
        p, q, moved = _diffused(ends, grad, operator, (x, u, v), grad_transport, grad_root)
        d = root.size(2)
        if ctx.needs_input_grad[3]:
            grad_scale = -(grad * v + q * x)[:, d:].sum((1, 2))
        if ctx.needs_input_grad[4]:
            signed = p[:, d:] * -signs.view(-1, 1)
            grad_weight = sddmm(ends.structure, signed.flatten(1), u[:, d:].flatten(1))
        return grad_transport, grad_root, moved, grad_scale, grad_weight, None, None


def _added(nodes: Tensor, ends: EdgeEnds) -> Tensor:
    """`at_ends` without a gradient."""
    structure, width = ends.structure, nodes.size(1) // 2
    if not compiled(nodes):
        return at_rows(nodes[:, :width], structure) + at_cols(nodes[:, width:], structure)
    out = nodes.new_empty(structure.nnz, 1, width)
    parallel_for(kernels.add_ends, *_rows(structure), structure.narrow_col, nodes.view(-1, 2, width), out)
    return out.squeeze(1)


def _diffused(
    ends: EdgeEnds,
    x: Tensor,
    operator: Sequence[Tensor],
    kept: tuple[Tensor, Tensor, Tensor] | None = None,
    grad_transport: Tensor | None = None,
    grad_root: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return u = S x, v = u + T u and x - S v.

    With the (x', u', v') kept of another x', `grad_transport` becomes -u'_v u_u^T at (v, u), and `grad_root` -x v'^T - v x'^T.
    """
    transport, root, scale, weight, signs = operator
    structure, ones = ends.structure, torch.ones_like(signs)
    if compiled(x):
        x = x.contiguous()
        u, v, out = (torch.empty_like(x) for _ in range(3))
        sizes, nodes = ((0,) * root.size(2), (0,) * signs.numel()), (torch.arange(ends.num_nodes), root, scale, ones)
        entries = structure.narrow_col, transport, weight, signs
        parallel_for(kernels.scaled, *sizes, structure.row_blocks, *nodes, x, u)
        before, other, later = kept or (None, None, None)
        of_transport = (None, None) if grad_transport is None else (other, grad_transport)
        of_root = (None, None, None) if grad_root is None else (before, later, grad_root)
        parallel_for(kernels.diffused, *sizes, *_rows(structure), *entries, *nodes, x, u, v, out, *of_transport, *of_root)
        return u, v, out
    u, v, out = _plain_diffused(ends, x, operator)
    if kept is not None and grad_transport is not None:
        other = kept[1].index_select(0, structure.row)
        grad_transport.copy_(-_outer(other, u.index_select(0, structure.col), transport))
    if kept is not None and grad_root is not None:
        grad_root.copy_(-_outer(x, kept[2], root) - _outer(v, kept[0], root))
    return u, v, out


def _plain_diffused(ends: EdgeEnds, x: Tensor, operator: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """`_diffused` in torch's operations."""
    transport, root, scale, weight, signs = operator
    ones = torch.ones_like(signs)
    u = _times(root, scale, ones, x)
    v = u + _sum(_times(transport, weight, signs, at_cols(u, ends.structure)), ends)
    return u, v, x - _times(root, scale, ones, v)


def _plain_transports(maps: Tensor, weight: Tensor | None, ends: EdgeEnds, degree: bool) -> tuple[Tensor, Tensor | None]:
    """`transports` in torch's operations."""
    d, diagonal, degrees = maps.size(1), maps.dim() == 2, None
    weighted = maps if weight is None else maps * weight.view(-1, *[1] * (maps.dim() - 1))
    other = maps.index_select(0, ends.twin)
    out = weighted * other if diagonal else weighted.transpose(1, 2) @ other
    if degree:
        rows, columns = torch.triu_indices(d, d, device=maps.device)
        square = weighted * maps if diagonal else (weighted[:, :, rows] * maps[:, :, columns]).sum(1)
        degrees = _sum(square, ends)
    return out.view(-1, 1 if diagonal else d, d), degrees


def _tanh_maps(nodes: Tensor, d: int, ends: EdgeEnds) -> Tensor:
    """The maps of `tanh_transports` [2 m, d, d], or diagonals [2 m, d]."""
    maps = at_ends(nodes, ends).tanh()
    return maps if maps.size(1) == d else maps.unflatten(1, (d, d))


def _outer(one: Tensor, other: Tensor, like: Tensor) -> Tensor:
    """The x y^T of the first dimensions of stalks, or the diagonals of that where `like` has diagonals."""
    d = like.size(2)
    one, other = one[:, :d], other[:, :d]
    return (one * other).sum(2).unsqueeze(1) if like.size(1) < d else one @ other.transpose(1, 2)


def _times(matrices: Tensor, weight: Tensor, signs: Tensor, stalks: Tensor) -> Tensor:
    """M x for matrices [n, d, d] or diagonals [n, 1, d], and weight [n] times signs [k] for the last k dimensions."""
    d = matrices.size(2)
    learned, rest = stalks[:, :d], stalks[:, d:]
    moved = matrices.transpose(1, 2) * learned if matrices.size(1) < d else matrices @ learned
    return torch.cat([moved, weight.view(-1, 1, 1) * signs.view(-1, 1) * rest], dim=1) if signs.numel() else moved


def _sum(entries: Tensor, ends: EdgeEnds) -> Tensor:
    """Sum over the entries of each row [2 m, ...] to [N, ...]."""
    return sum_rows(entries, ends.structure.row, ends.structure.row_incidence)


def _rows(structure: Structure) -> tuple[Tensor, Tensor]:
    """What kernels need to go through the rows."""
    return structure.row_blocks, structure.rowptr


def _or_one(weight: Tensor | None, maps: Tensor) -> Tensor:
    """What kernels take for weights: a single one stands for all."""
    return maps.new_ones(1) if weight is None else weight.to(maps.dtype)
