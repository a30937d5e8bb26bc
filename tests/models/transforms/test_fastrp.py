"""FastRP as scikit-learn has transformers: forms of a graph, pipelines, parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from graphkit.models.transforms.fastrp import FastRP
from graphkit.sparse import as_csr
from graphkit.sparse.graph_measures import fast_random_projection, random_projection
from tests.layers.oracle import messy_graph


def test_every_form_of_a_graph_gives_the_same():
    edge_index, n = messy_graph()
    adj = as_csr(edge_index, n)
    expected = fast_random_projection(adj, random_projection(n, 8, "gaussian", seed=5), weights=(1.0, 2.0)).numpy()
    fastrp = FastRP(8, weights=(1.0, 2.0), projection="gaussian", random_state=5)
    matrix = csr_array((adj.weights(torch.float32).numpy(), (adj.row.numpy(), adj.col.numpy())), shape=(n, n))
    for graph in (adj, adj.to_torch(), matrix):
        np.testing.assert_allclose(clone(fastrp).fit_transform(graph), expected, atol=1e-5)
    np.testing.assert_allclose(fastrp.fit(edge_index, num_nodes=n).transform(edge_index), expected, atol=1e-5)


def test_it_is_a_transformer_of_scikit_learn():
    adj = as_csr(*messy_graph())
    fastrp = FastRP(4, exponent=0.0)
    assert fastrp.get_params()["exponent"] == 0.0 and clone(fastrp).set_params(n_components=6).n_components == 6
    norms = np.linalg.norm(make_pipeline(fastrp, Normalizer()).fit_transform(adj), axis=1)
    np.testing.assert_allclose(norms[norms > 0.5], 1.0, atol=1e-5)
    with pytest.raises(ValueError, match="one of sparse, gaussian"):
        FastRP(projection="dense").fit(adj)
