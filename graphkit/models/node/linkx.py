"""LINKX: perceptrons on the adjacency matrix and on the features, put together by a third one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphkit.layers import AdjacencyLinear, GraphFreeLinear
from graphkit.layers.checks import check_at_least
from graphkit.models.node.network import GraphNetwork, Network, make_norm
from graphkit.sparse import CSR


class LINKX(GraphNetwork):
    """Perceptrons on each node's row of the adjacency matrix and on its features, and one on what both give.

    a = MLP_A(A), z = MLP_X(X), logits = MLP_f(relu(W [a | z] + c + a + z)). In a directed graph a row of A holds the edges
    that leave the node. The first layer of MLP_A holds a vector for each node: the model is bound to the nodes that it was
    made for, and says nothing of others.

    Args:
        in_channels: Feature width F.
        out_channels: Number of classes C.
        num_nodes: Number of nodes N.
        hidden_channels: Width of all hidden layers.
        num_layers: Layers of MLP_f, at least 1.
        num_edge_layers: Layers of MLP_A, at least 1.
        num_node_layers: Layers of MLP_X, at least 1.
        dropout: Probability in [0, 1) of dropping an entry of every layer's input but A's.
        input_dropout: The same of the features; None: `dropout`.
        norm: In every hidden layer of the perceptrons: `none`, `layer` or `batch`.
        residual: Add to such a layer its input: `none`, `identity` or `linear`, see `Network`.

    Raises:
        ValueError: If a number of layers is below 1, or `norm` or `residual` is unknown.

    Source: Lim et al., NeurIPS 2021. The authors normalize after relu and never drop the perceptrons' inputs; we normalize
    before relu, and `dropout` also acts on the features and on the input of MLP_f.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_nodes: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 2,
        num_edge_layers: int = 1,
        num_node_layers: int = 1,
        dropout: float = 0.5,
        input_dropout: float | None = None,
        norm: str = "none",
        residual: str = "none",
    ) -> None:
        super().__init__()
        check_at_least(1, num_edge_layers=num_edge_layers, num_node_layers=num_node_layers)

        def perceptron(width: int, out: int, layers: int, *, first_dropout: float | None = None) -> Network:
            return Network(
                GraphFreeLinear,
                width,
                out,
                hidden_channels=hidden_channels,
                num_layers=layers,
                dropout=dropout,
                input_dropout=first_dropout,
                norm=norm,
                residual=residual,
            )

        self.adjacency = AdjacencyLinear(num_nodes, hidden_channels)
        deeper = num_edge_layers > 1
        self.edge_norm = make_norm(norm, hidden_channels) if deeper else None
        self.edge_network = perceptron(hidden_channels, hidden_channels, num_edge_layers - 1) if deeper else None
        self.node_network = perceptron(in_channels, hidden_channels, num_node_layers, first_dropout=input_dropout)
        self.mix = nn.Linear(2 * hidden_channels, hidden_channels)
        self.network = perceptron(hidden_channels, out_channels, num_layers)

    @property
    def bound_to_nodes(self) -> str:
        """The vectors of the nodes, see `NodeModel.bound_to_nodes`."""
        return "has learned a vector for each node of the graph it was trained on"

    def hidden(self, x: Tensor | CSR, adj: CSR) -> Tensor | CSR:
        """What MLP_f gives its last layer, see `NodeModel.hidden`.

        Raises:
            ValueError: If there are more or fewer nodes than the model was made for.
        """
        if x.shape[0] != self.adjacency.num_nodes:
            raise ValueError(f"LINKX was made for {self.adjacency.num_nodes} nodes, got {x.shape[0]}; make a new one")
        a = self.adjacency(adj)
        if self.edge_network is not None and self.edge_norm is not None:
            a = self.edge_network(F.relu(self.edge_norm(a)))
        z = self.node_network(x)
        return self.network.embed(F.relu(self.mix(torch.cat([a, z], dim=1)) + a + z), after_layer=self.after_layer)
