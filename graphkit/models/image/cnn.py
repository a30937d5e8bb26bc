"""The plain convolutional network: what prototype models are measured against."""

from __future__ import annotations

from torch import Tensor, nn

from graphkit.layers import Dropout
from graphkit.models.image.base import ImageModel
from graphkit.vision import SmallCNN, halvings_for


def make_backbone(in_channels: int, size: tuple[int, int], *, hidden_channels: int, num_layers: int) -> SmallCNN:
    """The network of 3x3 convolutions that all models of the task share.

    Args:
        in_channels: Channels of the images.
        size: Height and width of the images; it decides the number of pools.
        hidden_channels: Channels of every map.
        num_layers: Blocks; 0: one more than pools.

    Raises:
        ValueError: If there are fewer blocks than pools, or the images are too small.
    """
    halvings = halvings_for(*size)
    return SmallCNN(in_channels, hidden_channels, num_layers or halvings + 1, halvings=halvings)


class CNN(ImageModel):
    """A small CNN, the mean over the positions of its last map, and a linear map.

    Args:
        in_channels: Channels of the images.
        out_channels: Number of scores per image.
        size: Height and width of the images.
        hidden_channels: Channels of every map.
        num_layers: 3x3 convolutions; 0: one more than the map is halved.
        dropout: Probability in [0, 1), before the linear map.

    Raises:
        ValueError: A number out of its range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        *,
        hidden_channels: int = 32,
        num_layers: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(in_channels)
        self.backbone = make_backbone(in_channels, size, hidden_channels=hidden_channels, num_layers=num_layers)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(hidden_channels, out_channels)

    def embed(self, images: Tensor) -> Tensor:
        """The mean over positions [B, hidden_channels], in training after dropout."""
        maps: Tensor = self.backbone(self.standardized(images))
        dropped: Tensor = self.dropout(maps.mean(dim=(2, 3)))
        return dropped

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the images [B, out_channels]."""
        scores: Tensor = self.head(self.embed(images))
        return scores
