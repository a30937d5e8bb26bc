"""Pair tensors as dictionaries (bag, node) -> vector, aggregated by loops."""

import torch

from tests.sparse.egonets import oracle as sets


def pair_dictionary(h, bags):
    return {pair: h[t] for pair, t in sets.rows(bags).items()}


def total(vectors, like, mean=False):
    vectors = list(vectors)
    if not vectors:
        return torch.zeros_like(like)
    stacked = torch.stack(vectors).sum(0)
    return stacked / len(vectors) if mean else stacked


def aggregate(h, bags, name, pool, edges=None):
    """[T, C], one pair at a time; bag u is rooted at node u, or h is a dictionary of a policy without roots."""
    at = pair_dictionary(h, bags)
    near = sets.neighbors(bags.adj.edge_index(), bags.num_nodes)
    zero = torch.zeros_like(h[0])
    position = {pair: e for e, pair in enumerate(zip(bags.adj.row.tolist(), bags.adj.col.tolist(), strict=True))}

    def sent(vector, receiver, sender):
        return vector if edges is None else (vector + edges[position[receiver, sender]]).clamp(min=0)

    def over_bags(v):
        return total((x for (_, w), x in at.items() if w == v), zero, pool == "mean")

    def read(u, v):
        match name:
            case "uv":
                return at[u, v]
            case "vu":
                return at.get((v, u), zero)
            case "uu":
                return at.get((u, u), zero)
            case "vv":
                return at.get((v, v), zero)
            case "uL":
                return total((sent(at[u, w], v, w) for w in near[v] if (u, w) in at), zero)
            case "vL":
                return total((sent(at[w, v], u, w) for w in near[u] if (w, v) in at), zero)
            case "uG":
                return total((x for (s, _), x in at.items() if s == u), zero, pool == "mean")
            case "vG":
                return over_bags(v)
            case "vGL":
                return over_bags(v) + total((over_bags(w) for w in near[v]), zero)

    return torch.stack([read(u, v) for u, v in at])
