"""Parts: what prototypes are compared with. Nodes, members of a neighborhood, subgraphs and image patches all become parts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graphkit.errors import DataError


@dataclass(frozen=True)
class PartBatch:
    """The parts of a batch of samples, padded to the largest number of parts, each with a reference to where it is from.

    Samples are nodes, graphs or images; their parts are nodes, subgraphs or patches. Padding has no effect on any result.

    Attributes:
        z: Embeddings.
        mask: Which parts exist; the others are padding. Every sample has at least one.
        ref: Global id of the sample, and the id of the part within its source: a node, a patch, a subgraph of a list. The ids
            outlive shuffling and batching, so that a part can be shown again.

    Raises:
        ValueError: The shapes do not fit each other.
        DataError: A sample has no part.
    """

    z: Float[Tensor, "B P D"]
    mask: Bool[Tensor, "B P"]
    ref: Int[Tensor, "B P 2"]

    def __post_init__(self) -> None:
        shape = tuple(self.z.shape)
        if len(shape) != 3 or self.mask.shape != shape[:2] or tuple(self.ref.shape) != (*shape[:2], 2):
            raise ValueError(
                f"z [B, P, D], mask [B, P] and ref [B, P, 2] must fit each other, got "
                f"{list(shape)}, {list(self.mask.shape)} and {list(self.ref.shape)}"
            )
        empty = ~self.mask.any(dim=1)
        if bool(empty.any()):
            raise DataError(f"sample {int(empty.nonzero()[0])} of the batch has no part: leave out samples without parts")

    @classmethod
    def of_nodes(cls, z: Float[Tensor, "N D"], nodes: Int[Tensor, " N"] | None = None) -> PartBatch:
        """Every row is a sample with one part, itself: node classification, or graphs by their pooled embedding.

        Args:
            z: Embeddings.
            nodes: Global ids; default: 0, 1, ...
        """
        ids = torch.arange(z.size(0), device=z.device) if nodes is None else nodes
        mask = torch.ones(z.size(0), 1, dtype=torch.bool, device=z.device)
        return cls(z.unsqueeze(1), mask, torch.stack([ids, ids], dim=1).unsqueeze(1))

    @classmethod
    def of_maps(cls, maps: Float[Tensor, "B D H W"], samples: Int[Tensor, " B"]) -> PartBatch:
        """Every position of a feature map is a part; position (y, x) has the id y W + x.

        Args:
            maps: Feature maps of images.
            samples: Global ids of the images.
        """
        z = maps.flatten(2).transpose(1, 2)
        items = torch.arange(z.size(1), device=z.device).expand(z.shape[:2])
        mask = torch.ones(z.shape[:2], dtype=torch.bool, device=z.device)
        return cls(z, mask, torch.stack([samples[:, None].expand_as(items), items], dim=2))

    @classmethod
    def of_ragged(
        cls, z: Float[Tensor, "T D"], ptr: Int[Tensor, " boundaries"], samples: Int[Tensor, " B"], items: Int[Tensor, " T"]
    ) -> PartBatch:
        """Parts stored one sample after the other, with any number of parts per sample.

        Args:
            z: Embeddings of all parts.
            ptr: Where each sample begins, and the end: B + 1 numbers from 0 to T.
            samples: Global ids of the samples.
            items: Ids of the parts, such as node ids.
        """
        sizes = ptr.diff()
        width = int(sizes.max()) if sizes.numel() else 0
        owner = torch.repeat_interleave(torch.arange(sizes.numel(), device=z.device), sizes)
        place = owner * width + torch.arange(z.size(0), device=z.device) - ptr[owner]
        cells = sizes.numel() * width
        # Every row is copied once, so that the gradient needs no sum over repeated rows.
        padded = z.new_zeros(cells, z.size(1)).index_copy(0, place, z)
        mask = torch.zeros(cells, dtype=torch.bool, device=z.device).index_fill(0, place, True)
        item = items.new_full((cells,), -1).index_copy(0, place, items).view(-1, width)
        ref = torch.stack([samples[:, None].expand_as(item), item], dim=2)
        return cls(padded.view(-1, width, z.size(1)), mask.view(-1, width), ref)

    @property
    def rows(self) -> tuple[Float[Tensor, "T D"], Int[Tensor, "T 2"]]:
        """Embeddings and references of the parts that exist, one sample after the other."""
        return self.z[self.mask], self.ref[self.mask]

    def ref_of(self, part: Int[Tensor, "B M"]) -> Int[Tensor, "B M 2"]:
        """The references of chosen parts, such as the winning part of every prototype."""
        return self.ref.gather(1, part.unsqueeze(2).expand(-1, -1, 2))
