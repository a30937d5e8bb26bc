"""How the setting of a sample becomes a sample of bags."""

import pytest

from graphkit.errors import RequestError
from graphkit.models.graph.samples import bag_sample
from graphkit.sparse.egonets import BagSample


def test_sizes_are_shares_numbers_or_all():
    assert bag_sample(0.0, 1, 2) is None
    assert bag_sample(0.25, 1, 2) == BagSample(0.25, 1, 2)
    assert bag_sample(5.0, 1, 2) == BagSample(5, 1, 2) and isinstance(bag_sample(5.0, 0, 0).size, int)


@pytest.mark.parametrize("wrong", [-0.5, 1.5])
def test_other_sizes_are_refused(wrong):
    with pytest.raises(RequestError, match="must be 0 for all, a share below 1, or a whole number of bags per graph"):
        bag_sample(wrong, 0, 0)
