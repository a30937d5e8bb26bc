"""Singular vectors from blocks of products against LAPACK's dense decomposition."""

import numpy as np
import pytest
import torch

from graphkit.models.recommend.svd import top_singular_vectors
from tests.models.recommend.histories import operator


def assert_same_space(vectors, expected, tolerance):
    """The projections onto the two spaces agree; single vectors may turn where singular values are equal."""
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=tolerance)


@pytest.mark.parametrize("shape", [(300, 260), (180, 400)])
def test_equals_dense_decomposition(shape):
    """Larger than a block by far, so that the space really has to grow."""
    random = np.random.default_rng(0)
    dense = random.random(shape) * (random.random(shape) < 0.1)
    singular, vectors = top_singular_vectors(operator(dense), 20, torch.float64, tolerance=1e-9)
    _, values, rows = np.linalg.svd(dense)
    np.testing.assert_allclose(singular.numpy(), values[:20], rtol=1e-9)
    assert_same_space(vectors.numpy(), rows[:20].T, 1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(20), atol=1e-10)


def test_looser_tolerance_is_kept():
    random = np.random.default_rng(1)
    dense = random.random((300, 300)) * (random.random((300, 300)) < 0.1)
    singular, vectors = top_singular_vectors(operator(dense, torch.float32), 30, torch.float32, tolerance=1e-3)
    v, s = vectors.double().numpy(), singular.double().numpy()
    residual = np.linalg.norm(dense.T @ (dense @ v) - v * s**2, axis=0)
    assert residual.max() <= 1.2e-3 * s[0] ** 2


def test_equal_singular_values_and_exhausted_space():
    """Two hundred blocks of ones: few distinct values, far more often than a block is wide, and a rank below the size."""
    dense = np.kron(np.eye(200), np.ones((1, 2)))
    dense[:40] *= 3.0
    singular, vectors = top_singular_vectors(operator(dense), 40, torch.float64)
    np.testing.assert_allclose(singular.numpy(), np.full(40, 3.0 * np.sqrt(2.0)), rtol=1e-6)
    assert_same_space(vectors.numpy(), np.linalg.svd(dense)[2][:40].T, 1e-3)


def test_rank_beyond_the_matrix():
    dense = np.random.default_rng(2).random((5, 8))
    singular, vectors = top_singular_vectors(operator(dense), 100, torch.float64)
    np.testing.assert_allclose(singular.numpy(), np.linalg.svd(dense)[1], rtol=1e-10)
    assert vectors.shape == (8, 5)
