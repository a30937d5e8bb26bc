"""A molecule as a bag of subgraphs: one picture, a small drawing per atom, the ball of two bonds around it.

pip install 'graphkit-layers[plot]'
python examples/draw_bag_of_subgraphs.py
"""

import math
from pathlib import Path

import matplotlib as mpl
import networkx as nx
import torch

from graphkit.sparse.egonets import Bags, ego_bags

mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def bags_of(graph: nx.Graph, hops: int) -> Bags:
    """One bag per node: all nodes within `hops` steps, with the edges between them."""
    edges = torch.tensor(list(graph.edges)).t()
    return ego_bags(torch.cat([edges, edges.flip(0)], dim=1), torch.tensor([0, len(graph)]), hops)


def draw(graph: nx.Graph, bags: Bags, path: Path) -> None:
    """The graph, then every bag in its place on it; the root is filled."""
    place = nx.kamada_kawai_layout(graph)
    columns = math.ceil(math.sqrt(bags.num_bags + 1))
    figure, axes = plt.subplots(-(-(bags.num_bags + 1) // columns), columns, figsize=(2 * columns, 2 * columns))
    for ax in axes.flat:
        ax.set_axis_off()
    nx.draw_networkx(graph, place, ax=axes.flat[0], node_size=60, node_color="black", with_labels=False)
    axes.flat[0].set_title("the graph", fontsize=9)
    row, col = bags.within.row, bags.within.col
    for bag, ax in enumerate(axes.flat[1 : bags.num_bags + 1]):
        root = int(bags.root[bag])
        inside = bags.bag[row] == bag
        edges = torch.stack([bags.node[row[inside]], bags.node[col[inside]]]).t().tolist()
        nodes = bags.node[bags.bag == bag].tolist()
        nx.draw_networkx_edges(graph, place, ax=ax, edge_color="lightgray")
        nx.draw_networkx_edges(graph, place, edgelist=edges, ax=ax, width=2)
        colors = ["tab:red" if node == root else "tab:blue" for node in nodes]
        nx.draw_networkx_nodes(graph, place, nodelist=nodes, ax=ax, node_size=50, node_color=colors)
        ax.set_title(f"bag of node {root}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(path: Path, hops: int = 2) -> Bags:
    """Draw decalin's bags."""
    decalin = nx.cycle_graph(10)
    decalin.add_edge(0, 5)
    bags = bags_of(decalin, hops)
    draw(decalin, bags, path)
    return bags


if __name__ == "__main__":
    print(main(Path("bags.png")).describe(), "Drawn in bags.png.")
