"""The layer library: ordinary modules with PyG's conventions, `layer(x, edge_index, edge_weight=None)`."""

from graphkit.layers.activation import NormDropoutReLU
from graphkit.layers.attention import GATConv
from graphkit.layers.convolution import GCNConv, SAGEConv
from graphkit.layers.directional import DirectionalConv
from graphkit.layers.features import FeatureLinear
from graphkit.layers.lightgcn import LightGCNPropagation
from graphkit.layers.pair_scores import CommonNeighborScore, HadamardScore
from graphkit.layers.pattern_aggregation import DirectedPatternAggregation
from graphkit.layers.propagation import Propagation
from graphkit.layers.sheaf import SheafDiffusion
from graphkit.layers.sheaf_polynomial import PolynomialSheafDiffusion

__all__ = [
    "CommonNeighborScore",
    "DirectedPatternAggregation",
    "DirectionalConv",
    "FeatureLinear",
    "GATConv",
    "GCNConv",
    "HadamardScore",
    "LightGCNPropagation",
    "NormDropoutReLU",
    "PolynomialSheafDiffusion",
    "Propagation",
    "SAGEConv",
    "SheafDiffusion",
]
