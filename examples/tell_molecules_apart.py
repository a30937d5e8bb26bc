"""Decalin and bicyclopentyl: two molecules of ten carbons that no GCN tells apart, and a subgraph network does.

python examples/tell_molecules_apart.py
"""

import networkx as nx
import torch

from graphkit.data.graph import Graph
from graphkit.data.graph_pairs import GraphPair
from graphkit.separation.collection import Collection
from graphkit.separation.networks import NETWORKS
from graphkit.separation.verdicts import Untrained, ceiling, measure


def carbons(graph: nx.Graph) -> Graph:
    """The carbon skeleton: both directions of every bond."""
    bonds = torch.tensor(list(graph.edges)).t()
    return Graph(edge_index=torch.cat([bonds, bonds.flip(0)], dim=1), num_nodes=len(graph))


def main() -> dict[str, tuple[bool, bool]]:
    """For each network: whether it separates the two with random weights, and whether any weights could."""
    decalin = nx.cycle_graph(10)  # two rings of six that share a bond
    decalin.add_edge(0, 5)
    bicyclopentyl = nx.disjoint_union(nx.cycle_graph(5), nx.cycle_graph(5))  # two rings of five, joined by a bond
    bicyclopentyl.add_edge(0, 5)
    pair = Collection([GraphPair("skeletons", "molecules", carbons(decalin), carbons(bicyclopentyl))])
    found = {}
    for name in ("gcn", "gin", "ds", "sswl+"):
        measured = measure(NETWORKS[name], pair, Untrained())
        found[name] = bool(measured.separated[0]), bool(ceiling(NETWORKS[name].ceiling, pair)[0])
        print(
            f"{name:>6}: the outputs differ by {measured.difference[0]:.1e}, those of a relabeled copy by "
            f"{measured.control[0]:.1e}: {'separated' if found[name][0] else 'the same'}"
        )
    return found


if __name__ == "__main__":
    main()
