"""The encoder's table, its dropouts and its refusals; `test_ncn.py` and `test_gae.py` hold it against dense algebra."""

import pytest
import torch

from graphkit.models.link.encoder import LinkEncoder
from graphkit.sparse import CSR

NODES = 30


def ring():
    """Every node tied to four others."""
    nodes = torch.arange(NODES)
    source, target = nodes.repeat(2), torch.cat([nodes + 1, nodes + 2]) % NODES
    return CSR.from_edge_index(torch.stack([torch.cat([source, target]), torch.cat([target, source])]), NODES)


@pytest.mark.parametrize(("num_nodes", "channels"), [(NODES, 8), (5, 12)])
def test_without_features_a_table_with_a_spare_row_that_is_orthogonal_at_first(num_nodes, channels):
    table = LinkEncoder(0, num_nodes, channels).table
    assert table.shape == (num_nodes + 1, channels)
    product = table.t() @ table if num_nodes + 1 >= channels else table @ table.t()
    torch.testing.assert_close(product, torch.eye(min(num_nodes + 1, channels)), rtol=0, atol=1e-5)


def test_the_spare_row_is_never_read():
    encoder = LinkEncoder(0, NODES, 4, conv="puresum")
    out = encoder(None, ring())
    assert out.shape == (NODES, 4)
    out.square().sum().backward()
    assert encoder.table.grad[:-1].abs().sum(1).gt(0).all()
    assert encoder.table.grad[-1].eq(0).all()


def test_with_features_there_is_no_table():
    encoder = LinkEncoder(3, NODES, 4)
    assert encoder.table is None
    assert [name for name, _ in encoder.named_parameters()] == ["input.0.weight", "input.0.bias"]


@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize("conv", ["puregcn", "gcn", "mean"])
def test_sparse_features_give_what_dense_ones_give(conv, ones):
    torch.manual_seed(0)
    encoder = LinkEncoder(6, NODES, 4, num_layers=2, conv=conv).double()
    x = (torch.rand(NODES, 6) < 0.3).double()
    if not ones:
        x = x * torch.randn(NODES, 6, dtype=torch.float64)
    target, source = x.nonzero().t()
    sparse = CSR.from_edge_index(torch.stack([source, target]), (NODES, 6), None if ones else x[target, source])
    assert (sparse.value is None) == ones
    torch.testing.assert_close(encoder(sparse, ring()), encoder(x, ring()))


@pytest.mark.parametrize("name", ["feature_dropout", "dropout", "tail_dropout", "edge_dropout"])
@pytest.mark.parametrize("in_channels", [0, 3])
@pytest.mark.parametrize("conv", ["puresum", "gcn"])
def test_dropout_works_in_training_only(name, in_channels, conv):
    """Each of the dropouts changes training where it applies, and none changes evaluation."""
    without_effect = (name == "feature_dropout" and in_channels == 0) or (name == "tail_dropout" and conv == "gcn")
    torch.manual_seed(0)
    encoder = LinkEncoder(in_channels, NODES, 4, conv=conv, num_layers=2, **{name: 0.5})
    torch.manual_seed(0)
    plain = LinkEncoder(in_channels, NODES, 4, conv=conv, num_layers=2)
    x = torch.randn(NODES, in_channels) if in_channels else None
    adj = ring()
    encoder.eval()
    assert torch.equal(encoder(x, adj), encoder(x, adj))
    assert torch.equal(encoder(x, adj), plain.eval()(x, adj))
    encoder.train()
    assert torch.equal(encoder(x, adj), encoder(x, adj)) == without_effect


def test_edges_are_dropped_anew_each_round_and_the_kept_ones_rescaled():
    torch.manual_seed(0)
    encoder, adj = LinkEncoder(0, NODES, 4, num_layers=2, conv="puresum", edge_dropout=0.4).double(), ring()
    torch.manual_seed(1)
    found = encoder(None, adj)
    torch.manual_seed(1)
    first, second = ((torch.rand(adj.nnz) >= 0.4).double() / 0.6 for _ in range(2))
    expected = encoder.table[:-1]
    for values in (first, second):
        dense = torch.zeros(NODES, NODES, dtype=torch.float64)
        dense[adj.row, adj.col] = values
        expected = dense @ expected
    assert not torch.equal(first, second)
    torch.testing.assert_close(found, expected)


def test_no_rounds_are_the_input_alone():
    encoder = LinkEncoder(0, NODES, 4, num_layers=0, jumping_knowledge=True)
    assert torch.equal(encoder(None, ring()), encoder.table[:-1])
    mapped = LinkEncoder(3, NODES, 4, num_layers=0, conv="gcn")
    assert mapped(torch.randn(NODES, 3), ring()).shape == (NODES, 4)


def test_missing_features_and_unknown_convs_are_refused():
    with pytest.raises(ValueError, match=r"this encoder was built for node features; pass x \[N, in_channels\]"):
        LinkEncoder(3, NODES, 4)(None, ring())
    with pytest.raises(ValueError, match="conv must be one of puregcn, puresum, puremean, gcn, mean, got 'gat'"):
        LinkEncoder(3, NODES, 4, conv="gat")
