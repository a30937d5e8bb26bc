"""Color refinement with dictionaries and loops over pairs of nodes; shares nothing with the library."""

from __future__ import annotations

from collections import Counter


def neighbors(graph):
    """The neighbors of each node of a `Graph`."""
    near = {v: set() for v in range(graph.num_nodes)}
    for u, v in graph.edge_index.t().tolist():
        near[v].add(u)
    return near


def distances(near, start, allowed):
    """Steps from `start` to each node that it reaches inside the allowed ones."""
    reached, front, steps = {start: 0}, {start}, 0
    while front:
        steps += 1
        front = {w for v in front for w in near[v] if w in allowed and w not in reached}
        reached.update(dict.fromkeys(front, steps))
    return reached


def bags(near, policy, hops):
    """(root or None, nodes, neighbors inside the bag) of each bag."""
    nodes = set(near)
    if policy == "plain":
        return [(None, nodes, near)]
    if policy == "edge-deleted":
        edges = [(u, v) for u in near for v in near[u] if u < v]
        without = [{v: near[v] - set(e) if v in e else near[v] for v in near} for e in edges]
        return [(None, nodes, one) for one in without] or [(None, nodes, near)]
    found = []
    for root in sorted(nodes):
        kept = nodes
        if policy == "node-deleted":
            kept = nodes - {root}
        if policy.startswith("ego"):
            kept = {v for v, steps in distances(near, root, nodes).items() if steps <= hops}
        found.append((root, kept, {v: near[v] & kept for v in kept}))
    return found


def label(policy, root, v, inside, kept):
    if policy in ("node-marking", "ego+"):
        return v == root
    if policy in ("distance", "ego-distance"):
        return distances(inside, root, kept).get(v, -1)
    return None


def multiset(colors):
    return tuple(sorted(Counter(colors).items()))


class Refined:
    """Stable colors of the rows (bag, node) of several graphs, refined together, and the colors of the graphs."""

    def __init__(self, graphs, aggregations, policy, order="VS", hops=None, inner="sum"):
        self.near = [neighbors(graph) for graph in graphs]
        self.bags = [bags(near, policy, hops) for near in self.near]
        color = {}
        for g, found in enumerate(self.bags):
            for b, (root, kept, inside) in enumerate(found):
                color |= {(g, b, v): (label(policy, root, v, inside, kept),) for v in kept}
        color = self.renamed(color)
        while True:
            finer = self.renamed({row: (color[row], *(self.read(name, row, color) for name in aggregations)) for row in color})
            if len(set(finer.values())) == len(set(color.values())):
                break
            color = finer
        self.color = color
        self.graph_colors = [self.pooled(g, order, inner) for g in range(len(graphs))]

    @staticmethod
    def renamed(color):
        names = {}
        return {row: names.setdefault(signature, len(names)) for row, signature in color.items()}

    def bag_at(self, g, node):
        """The bag rooted at a node."""
        return next(b for b, (root, _, _) in enumerate(self.bags[g]) if root == node)

    def at(self, g, u, v, color):
        return color.get((g, self.bag_at(g, u), v))

    def over_bags(self, g, v, color):
        return multiset(color[g, b, v] for b in range(len(self.bags[g])) if (g, b, v) in color)

    def read(self, name, row, color):
        g, b, v = row
        u, kept, inside = self.bags[g][b]
        near = self.near[g]
        match name:
            case "uv":
                return color[row]
            case "uL":
                return multiset(color[g, b, w] for w in inside[v])
            case "vL":
                others = [self.at(g, w, v, color) for w in near[u]]
                return multiset(one for one in others if one is not None)
            case "uu":
                return self.at(g, u, u, color)
            case "vv":
                return self.at(g, v, v, color)
            case "vu":
                return self.at(g, v, u, color)
            case "uG":
                return multiset(color[g, b, w] for w in kept)
            case "vG":
                return self.over_bags(g, v, color)
            case "vGL":
                return self.over_bags(g, v, color), multiset(self.over_bags(g, w, color) for w in near[v])
        middle = {"lfwl": near[v], "slfwl": near[u] | near[v], "fwl": set(near)}[name]
        return multiset((self.at(g, u, w, color), self.at(g, w, v, color)) for w in middle)

    def pooled(self, g, order, inner):
        if order == "SV":
            return multiset(self.over_bags(g, v, self.color) for v in self.near[g])
        if inner == "root":
            return multiset(self.color.get((g, b, root)) for b, (root, _, _) in enumerate(self.bags[g]))
        return multiset(multiset(self.color[g, b, v] for v in kept) for b, (_, kept, _) in enumerate(self.bags[g]))


def same_partition(first, second):
    """Whether two lists of hashable things put the same places into the same classes."""
    return len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second))
