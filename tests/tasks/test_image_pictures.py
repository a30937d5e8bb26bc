"""Pictures of images stay small."""

from __future__ import annotations

import numpy as np

from graphkit.tasks import image_pictures


def test_a_large_image_is_reduced_by_the_means_of_squares():
    pixels = np.random.default_rng(0).random((3, 340, 230))
    found = image_pictures._reduced(pixels)
    assert found.shape == (3, 113, 76)
    for channel, row, column in ((0, 0, 0), (2, 50, 70), (1, 112, 75)):
        square = [pixels[channel, 3 * row + i, 3 * column + j] for i in range(3) for j in range(3)]
        assert np.isclose(found[channel, row, column], sum(square) / 9)
    assert image_pictures._reduced(pixels[:, :150]).shape == (3, 75, 115)
    assert image_pictures._reduced(pixels[:, :150, :200]).shape == (3, 150, 200)


def test_prototypes_stop_where_the_page_gets_large():
    figures = ["x" * 150_000] * 5
    assert len(image_pictures._first(iter(figures))) == 2
    assert len(image_pictures._first(["x" * 10**6])) == 1 and len(image_pictures._first(["x"] * 9)) == 9
