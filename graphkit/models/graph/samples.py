"""How the setting of a sample becomes a sample of bags."""

from __future__ import annotations

from graphkit.errors import RequestError
from graphkit.sparse.egonets import Bags, BagSample


def bag_sample(size: float, vote: int, seed: int) -> BagSample | None:
    """The sample of a size: 0 for all bags (None), a share in (0, 1), or a whole number of bags per graph.

    Raises:
        RequestError: No such size.
    """
    if size == 0:
        return None
    if size < 0 or (size > 1 and size != int(size)):
        raise RequestError(f"model.sample={size:g} must be 0 for all, a share below 1, or a whole number of bags per graph.")
    return BagSample(int(size) if size >= 1 else size, vote, seed)


def index_bytes(bags: Bags) -> int:
    """About the memory of bags: three numbers per row, and two per edge inside a bag."""
    return 8 * (3 * bags.num_rows + 2 * bags.within.nnz)
