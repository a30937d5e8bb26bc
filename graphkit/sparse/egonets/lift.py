"""Index work on rows of bags: each step once as a compiled loop for the CPU, once in plain torch for other devices."""

from __future__ import annotations

import torch
from torch import Tensor

from graphkit.sparse.compiled.work import parallel_for
from graphkit.sparse.csr import CSR
from graphkit.sparse.egonets import kernels
from graphkit.sparse.structure import pointers


def expand(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """All positions start[i], ..., start[i] + count[i] - 1, and the i of each."""
    owner = torch.arange(count.numel(), device=count.device).repeat_interleave(count)
    offset = start - (count.cumsum(0) - count)
    return torch.arange(owner.numel(), device=count.device) + offset[owner], owner


def ball_sizes(adj: CSR, roots: Tensor, hops: int) -> Tensor:
    """Number of nodes within `hops` steps of each bag's roots [S], from roots [S, k]."""
    if adj.device.type == "cpu":
        out = torch.zeros(roots.size(0), dtype=torch.long)
        parallel_for(kernels.balls, adj.rowptr, adj.col, roots, hops, False, out, out)
        return out
    return _balls(adj, roots, hops)[0].diff()


def balls(adj: CSR, roots: Tensor, hops: int) -> tuple[Tensor, Tensor]:
    """Boundaries [S + 1] and nodes [T], ascending inside a bag, within `hops` steps of each bag's roots [S, k]."""
    if adj.device.type == "cpu":
        ptr = pointers(ball_sizes(adj, roots, hops))
        node = torch.empty(int(ptr[-1]), dtype=torch.long)
        parallel_for(kernels.balls, adj.rowptr, adj.col, roots, hops, True, ptr, node)
        return ptr, node
    return _balls(adj, roots, hops)


def _balls(adj: CSR, roots: Tensor, hops: int) -> tuple[Tensor, Tensor]:
    """Breadth first from all bags at once: a set of keys bag * N + node grows by the neighbors of what came last."""
    n, num_bags = max(adj.shape[0], 1), roots.size(0)
    bags = torch.arange(num_bags, device=roots.device)
    found = last = torch.unique(bags[:, None] * n + roots)
    for _ in range(hops):
        bag, node = last // n, last % n
        entries, owner = expand(adj.rowptr[node], adj.rowptr.diff()[node])
        reached = torch.unique(bag[owner] * n + adj.col[entries])
        last = reached[~torch.isin(reached, found)]
        if last.numel() == 0:
            break
        found = torch.cat([found, last]).sort().values
    return pointers(torch.bincount(found // n, minlength=num_bags)), found % n


def depths(adj: CSR, roots: Tensor, ptr: Tensor, node: Tensor, within: CSR) -> Tensor:
    """Steps inside the bag from each of its roots [S, k] to each row [T, k], -1 where no walk leads."""
    out = torch.full((node.numel(), roots.size(1)), -1, device=node.device)
    if adj.device.type == "cpu":
        parallel_for(kernels.depths, adj.rowptr, adj.col, roots, ptr, node, out)
        return out
    return _depths(out, roots, ptr, node, within)


def _depths(out: Tensor, roots: Tensor, ptr: Tensor, node: Tensor, within: CSR) -> Tensor:
    """The same, level by level for all rows and roots at once; row t reaches the columns of its entries."""
    bag = torch.arange(ptr.numel() - 1, device=ptr.device).repeat_interleave(ptr.diff())
    out[node[:, None] == roots[bag]] = 0
    level, front = 0, (out == 0).float()
    while bool(front.any()):
        level += 1
        fresh = (within.t() @ front > 0) & (out < 0)
        out[fresh] = level
        front = fresh.float()
    return out


def lifted(adj: CSR, ptr: Tensor, member: Tensor, row: Tensor, removed: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The graph's edges inside each group of nodes.

    Args:
        adj: The graph [N, N].
        ptr: Boundaries of the groups [S + 1].
        member: Their nodes [T], strictly ascending inside a group.
        row: The row that stands for each member [T], a permutation that ascends inside a group.
        removed: Entries of the graph that each group leaves out [S, 2]; None for none.

    Returns:
        Boundaries [T + 1], by row; the neighboring rows of each row [L], ascending; the graph's entry of each [L].
    """
    removed = ptr.new_zeros(0, 2) if removed is None else removed
    if adj.device.type != "cpu":
        return _lifted(adj, ptr, member, row, removed)
    given = adj.rowptr, adj.col, ptr, member, row, removed
    counts = torch.zeros_like(member)
    parallel_for(kernels.lifted, *given, False, counts, counts, counts)
    start = pointers(counts)
    out, entry = torch.empty(2, int(start[-1]), dtype=torch.long)
    parallel_for(kernels.lifted, *given, True, start, out, entry)
    return start, out, entry


def _lifted(adj: CSR, ptr: Tensor, member: Tensor, row: Tensor, removed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same by binary search of keys group * N + node, for all rows at once."""
    group = torch.arange(ptr.numel() - 1, device=ptr.device).repeat_interleave(ptr.diff())
    place = torch.empty_like(row)
    place[row] = torch.arange(row.numel(), device=row.device)
    entry, owner = expand(adj.rowptr[member[place]], adj.rowptr.diff()[member[place]])
    keys = group * adj.shape[0] + member
    wanted = group[place[owner]] * adj.shape[0] + adj.col[entry]
    found = torch.searchsorted(keys, wanted).clamp_(max=max(keys.numel() - 1, 0))
    present = keys[found] == wanted
    if removed.size(0):
        present &= (entry[:, None] != removed[group[place[owner]]]).all(dim=1)
    start = pointers(torch.bincount(owner[present], minlength=member.numel()))
    return start, row[found[present]], entry[present]
