"""Images for prototypes: networks that make maps of parts, where a part lies, and what may be changed about an image."""

from graphkit.vision.backbones import Backbone, Pixels, SmallCNN, halvings_for
from graphkit.vision.characteristics import CHARACTERISTICS, characteristics
from graphkit.vision.grid import Box, Grid, grid_of
from graphkit.vision.lipschitz import lipschitz_bound
from graphkit.vision.patches import PatchEncoder, add_on, space_to_depth

__all__ = [
    "CHARACTERISTICS",
    "Backbone",
    "Box",
    "Grid",
    "PatchEncoder",
    "Pixels",
    "SmallCNN",
    "add_on",
    "characteristics",
    "grid_of",
    "halvings_for",
    "lipschitz_bound",
    "space_to_depth",
]
