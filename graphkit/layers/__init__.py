"""The layer library: ordinary modules with PyG's conventions, `layer(x, edge_index, edge_weight=None)`."""

from graphkit.layers.context.node_context import ContextReading, NodeContext
from graphkit.layers.context.reasoner import ContextReasoner
from graphkit.layers.conv.adpa import DirectedPatternAggregation
from graphkit.layers.conv.air import AdaptiveHops, InitialResidual
from graphkit.layers.conv.catgcn import CategoryInteractions
from graphkit.layers.conv.dagnn import GatedPropagation
from graphkit.layers.conv.dgmlp import NodeAdaptiveSmoothing
from graphkit.layers.conv.directional import DirectionalConv
from graphkit.layers.conv.gat import GATConv
from graphkit.layers.conv.gcn import GCNConv
from graphkit.layers.conv.gin import GINConv
from graphkit.layers.conv.higcn import FlowerPetalConv
from graphkit.layers.conv.lightgcn import LightGCNPropagation
from graphkit.layers.conv.propagation import Propagation
from graphkit.layers.conv.sage import SAGEConv
from graphkit.layers.conv.sir import SIRConv
from graphkit.layers.dense.adjacency_linear import AdjacencyLinear
from graphkit.layers.dense.dropout import Dropout
from graphkit.layers.dense.feature_linear import FeatureLinear
from graphkit.layers.dense.graph_free_linear import GraphFreeLinear
from graphkit.layers.dense.norm_dropout_relu import NormDropoutReLU
from graphkit.layers.graph.graph_norm import GraphNorm
from graphkit.layers.graph.readout import Readout
from graphkit.layers.pairs.common_neighbors import CommonNeighborScore
from graphkit.layers.pairs.completion import CompletionScore
from graphkit.layers.pairs.hadamard import HadamardScore
from graphkit.layers.pairs.residual_hadamard import ResidualHadamardScore
from graphkit.layers.sheaf.diffusion import SheafDiffusion
from graphkit.layers.sheaf.polynomial import PolynomialSheafDiffusion
from graphkit.layers.subgraph.aggregations import AGGREGATIONS
from graphkit.layers.subgraph.conv import SubgraphConv
from graphkit.layers.subgraph.equivariant import EquivariantLinear
from graphkit.layers.subgraph.features import BagFeatures
from graphkit.layers.subgraph.permutation import SubgraphPermutationConv, Tensors
from graphkit.layers.subgraph.policies import POLICIES, Policy, make_bags
from graphkit.layers.subgraph.polynomials import pair_polynomials
from graphkit.layers.subgraph.pooling import SubgraphPooling
from graphkit.layers.subgraph.ppgn import PPGNBlock
from graphkit.layers.subgraph.presets import PRESETS, Preset

__all__ = [
    "AGGREGATIONS",
    "POLICIES",
    "PRESETS",
    "AdaptiveHops",
    "AdjacencyLinear",
    "BagFeatures",
    "CategoryInteractions",
    "CommonNeighborScore",
    "CompletionScore",
    "ContextReasoner",
    "DirectedPatternAggregation",
    "DirectionalConv",
    "Dropout",
    "EquivariantLinear",
    "FeatureLinear",
    "FlowerPetalConv",
    "GATConv",
    "GCNConv",
    "GINConv",
    "GatedPropagation",
    "GraphFreeLinear",
    "GraphNorm",
    "HadamardScore",
    "InitialResidual",
    "LightGCNPropagation",
    "NodeAdaptiveSmoothing",
    "NodeContext",
    "NormDropoutReLU",
    "PPGNBlock",
    "Policy",
    "PolynomialSheafDiffusion",
    "Preset",
    "Propagation",
    "ContextReading",
    "Readout",
    "ResidualHadamardScore",
    "SAGEConv",
    "SIRConv",
    "SheafDiffusion",
    "SubgraphConv",
    "SubgraphPermutationConv",
    "SubgraphPooling",
    "Tensors",
    "make_bags",
    "pair_polynomials",
]
