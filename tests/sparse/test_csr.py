"""The operator against dense float64 algebra: values, gradients, entries left out, norms, bad input."""

import copy
import gc
import pickle
import weakref

import pytest
import torch

from graphkit.sparse import CSR, normalize
from tests.sparse.graphs import N, close, dense, edges, features, undirected, unique_edges, weights


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", [N, (5, 9), (9, 5)])
def test_propagation_and_gradient_equal_dense(size, weighted):
    rows, cols = (size, size) if isinstance(size, int) else size
    e = edges(40, rows, cols)
    w = weights(40) if weighted else None
    a, oracle = CSR.from_edge_index(e, size, w), dense(e, w, rows, cols)
    x = features(cols).requires_grad_()
    out = a @ x
    seed_grad = features(rows, seed=5)
    out.backward(seed_grad)
    close(out.detach(), oracle @ x.detach())
    close(x.grad, oracle.t() @ seed_grad)
    close(a.to_dense(torch.float64), oracle)
    close(a.t().to_dense(torch.float64), oracle.t())
    close(a.to_torch(torch.float64).to_dense(), oracle)
    close(a.matmul(x[:, 0]).detach(), oracle @ x[:, 0].detach())
    assert torch.equal(a.row.diff() >= 0, torch.ones(a.nnz - 1, dtype=torch.bool))
    assert bool(((a.row.diff() > 0) | (a.col.diff() > 0)).all())


def test_gradcheck_in_features_and_values():
    e = edges(20)
    w, x = weights(20).requires_grad_(), features(channels=2).requires_grad_()
    build = CSR.from_edge_index
    assert torch.autograd.gradcheck(lambda w, x: build(e, N, w) @ x, (w, x))
    assert torch.autograd.gradcheck(lambda w, x: build(e, N, w).t() @ x, (w, x))
    assert torch.autograd.gradcheck(lambda w, x: build(e, N, w).matmul(x, "mean"), (w, x))
    assert torch.autograd.gradcheck(lambda w, x: build(e, N, w, duplicates="first") @ x[:, 0], (w, x))
    assert torch.autograd.gradcheck(lambda w: build(e, N, w).row_sum(), (w,))
    assert torch.autograd.gradcheck(lambda w: build(e, N, w).to_dense(), (w,))


@pytest.mark.parametrize("self_loops", [False, True])
def test_gradcheck_through_norms(self_loops):
    e = edges(20)
    w, x = weights(20).requires_grad_(), features(channels=2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w, x: normalize(CSR.from_edge_index(e, N, w), "gcn", self_loops=self_loops) @ x, (w, x)
    )
    assert torch.autograd.gradcheck(lambda w, x: normalize(CSR.from_edge_index(e, N, w), "mean") @ x, (w, x))

    def less(w, x):
        a = CSR.from_edge_index(e, N, w)
        return normalize(a.without(a.positions(e[:, :4])), "gcn", self_loops=self_loops) @ x

    assert torch.autograd.gradcheck(less, (w, x))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 3e-3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_dtype_follows_features(dtype, tolerance, weighted):
    e = edges()
    w = weights(60) if weighted else None
    a = CSR.from_edge_index(e, N, w)
    x = features(dtype=dtype).requires_grad_()
    out = a @ x
    out.sum().backward()
    assert out.dtype == x.grad.dtype == dtype
    close(out.detach(), dense(e, w) @ x.detach().double(), tolerance)
    close(x.grad, dense(e, w).t() @ torch.ones(N, 3, dtype=torch.float64), tolerance)


def test_bfloat16_accumulates_in_float32():
    star = torch.stack([torch.arange(3000), torch.zeros(3000, dtype=torch.int64)])
    out = CSR.from_edge_index(star, (1, 3000)) @ torch.ones(3000, 1, dtype=torch.bfloat16)
    assert out.item() == torch.tensor(3000.0, dtype=torch.bfloat16).item()  # sums in bfloat16 stall at 256


def test_learned_values_get_their_own_dtype_of_gradient():
    e = edges()
    w, x = weights(60).float().requires_grad_(), features(dtype=torch.bfloat16).requires_grad_()
    (CSR.from_edge_index(e, N, w) @ x).sum().backward()
    assert w.grad.dtype == torch.float32
    assert x.grad.dtype == torch.bfloat16
    close(w.grad, x.detach().double()[e[0]].sum(1), 1e-2)


def test_autocast_leaves_the_dtype_of_features_alone():
    a = normalize(CSR.from_edge_index(edges(), N), "gcn")
    with torch.autocast("cpu", torch.bfloat16):
        for dtype in (torch.float32, torch.bfloat16):
            x = features(dtype=dtype).requires_grad_()
            out = a @ x
            out.sum().backward()
            assert out.dtype == x.grad.dtype == dtype


def test_strided_views_and_expanded_gradients():
    e = edges()
    a = CSR.from_edge_index(e, N)
    base = features(3, N).requires_grad_()
    out = a @ base.t()
    out.sum().backward()
    close(out.detach(), dense(e) @ base.t().detach())
    close(base.grad, (dense(e).t() @ torch.ones(N, 3, dtype=torch.float64)).t())


@pytest.mark.parametrize(("rows", "cols"), [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_no_entries(rows, cols):
    a = CSR.from_edge_index(torch.empty(2, 0, dtype=torch.int64), (rows, cols))
    x = torch.ones(cols, 2, requires_grad=True)
    out = a @ x
    out.sum().backward()
    assert torch.equal(out, torch.zeros(rows, 2))
    assert torch.equal(x.grad, torch.zeros(cols, 2))
    assert a.matmul(x, "mean").shape == (rows, 2)
    assert a.edge_index().shape == (2, 0)
    assert (a @ torch.ones(cols, 0)).shape == (rows, 0)
    if rows == cols:
        close(normalize(a, "gcn").to_dense(), torch.eye(rows))
        assert a.symmetric


def test_duplicates():
    e, w = torch.tensor([[0, 1, 0, 0], [2, 2, 2, 1]]), torch.tensor([1.0, 2.0, 5.0, 7.0])
    assert CSR.from_edge_index(e, 3).to_dense()[2].tolist() == [2, 1, 0]
    assert CSR.from_edge_index(e, 3, w).to_dense()[2].tolist() == [6, 2, 0]
    assert CSR.from_edge_index(e, 3, w, duplicates="first").to_dense()[2].tolist() == [1, 2, 0]
    first = CSR.from_edge_index(e, 3, duplicates="first")
    assert first.value is None
    assert first.nnz == 3


def test_symmetry_is_found_in_pattern_and_values():
    e = undirected()
    a = CSR.from_edge_index(e, N)
    assert a.symmetric
    assert a.t() is a
    w = weights(e.size(1))
    both = dense(e, w) + dense(e, w).t()
    even = CSR.from_edge_index(e, N, both[e[1], e[0]])
    assert even.symmetric
    assert even.t() is even
    odd = CSR.from_edge_index(e, N, w)
    assert not odd.symmetric
    assert odd.t().t() is odd
    assert odd.t().structure is odd.structure
    close(odd.t().to_dense(), dense(e, w).t())
    directed = CSR.from_edge_index(edges(), N)
    assert not directed.symmetric
    assert directed.t().t() is directed
    assert directed.t() is directed.t()
    assert not CSR.from_edge_index(torch.tensor([[0], [0]]), (1, 2)).symmetric


def test_learned_values_are_never_taken_as_symmetric():
    """A parameter that starts symmetric need not stay so: its adjoint is made anew at every use."""
    e = undirected()
    w = torch.ones(e.size(1), dtype=torch.float64, requires_grad=True)
    a = CSR.from_edge_index(e, N).with_value(w)
    x = features().requires_grad_()
    assert not a.symmetric
    with torch.no_grad():
        w.copy_(weights(e.size(1)))
    (a @ x).sum().backward()
    close(x.grad, a.to_dense().detach().t() @ torch.ones(N, 3, dtype=torch.float64))


def test_a_promise_of_symmetry_spares_the_transpose():
    e = undirected()
    a = CSR.from_edge_index(e, N)
    pair = a.structure.perm
    half = weights(a.nnz).requires_grad_()
    x = features().requires_grad_()

    def even(half, x):
        learned = a.with_value(half + half[pair], symmetric=True)
        assert learned.t() is learned
        assert normalize(learned, "gcn").promised_symmetric
        return normalize(learned, "gcn") @ x

    assert torch.autograd.gradcheck(even, (half, x))


def test_with_self_loops_and_with_value():
    e = unique_edges()
    a = CSR.from_edge_index(e, N)
    oracle = dense(e)
    oracle.fill_diagonal_(1.0)
    close(a.with_self_loops().to_dense(), oracle)
    assert a.with_self_loops().structure is a.with_self_loops().structure
    close(a.with_self_loops().with_self_loops().to_dense(), oracle)
    less = a.without(torch.tensor([1, 2]))
    assert less.with_value(torch.ones(a.nnz)).value[[1, 2]].tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"value must have shape \[\d+\]"):
        a.with_value(torch.ones(a.nnz + 1))


def test_conversions():
    e, w = unique_edges(), weights(unique_edges().size(1))
    a = CSR.from_edge_index(e, N, w)
    assert a.to("cpu") is a
    assert a.to(dtype=torch.float32).dtype == torch.float32
    close(a.to(dtype=torch.float32).to_dense(), dense(e, w), 1e-6)
    assert a.to(dtype=torch.float32).structure is a.structure
    assert CSR.from_edge_index(e, N).to(dtype=torch.float32).dtype is None
    assert repr(a) == f"CSR(13 x 13, nnz={a.nnz}, values=float64, device=cpu)"
    assert "absent=2, values=ones" in repr(CSR.from_edge_index(e, N).without(torch.tensor([0, 1])))
    a.t()
    for twin in (pickle.loads(pickle.dumps(a)), copy.deepcopy(a)):
        assert torch.equal(twin.to_dense(), a.to_dense())
        assert torch.equal(twin.t().to_dense(), a.t().to_dense())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu():
    e = undirected()
    a = normalize(CSR.from_edge_index(e, N), "gcn")
    on = normalize(CSR.from_edge_index(e.cuda(), N), "gcn")
    x, y = features().requires_grad_(), features().cuda().requires_grad_()
    (a @ x).square().sum().backward()
    (on @ y).square().sum().backward()
    close(y.grad.cpu(), x.grad)
    close(a.to("cuda").to_dense().cpu(), a.to_dense())
    assert on.without(on.positions(e[:, :3].cuda()), mirror=True).symmetric
    w, v = weights(e.size(1)).requires_grad_(), weights(e.size(1)).cuda().requires_grad_()
    (CSR.from_edge_index(e, N, w) @ x).square().sum().backward()
    (CSR.from_edge_index(e.cuda(), N, v) @ y).square().sum().backward()
    close(v.grad.cpu(), w.grad)


def test_stays_off_the_weights_it_was_given():
    e = CSR.from_edge_index(unique_edges(), N).edge_index()  # sorted: nothing would need a copy
    w = weights(e.size(1))
    a = CSR.from_edge_index(e, N, w)
    w.zero_()
    assert bool((a.value > 0).all())


@pytest.mark.parametrize("make", [edges, undirected])
def test_per_step_operators_are_freed_without_the_garbage_collector(make):
    a = CSR.from_edge_index(make(), N)
    gc.disable()
    try:
        step = a.dropout(0.5)
        step.t()
        gone = weakref.ref(step)
        del step
        assert gone() is None
        structure = weakref.ref(a.structure)
        a.t()
        del a
        assert structure() is None
    finally:
        gc.enable()


def test_what_inference_mode_made_serves_training():
    a = CSR.from_edge_index(edges(), N)
    x = features().requires_grad_()
    with torch.inference_mode():
        _ = normalize(a, "gcn") @ x, a.t(), a.row
    w = weights(a.nnz).requires_grad_()
    (a.with_value(w) @ x).sum().backward()
    (normalize(a, "gcn").value * weights(normalize(a, "gcn").nnz).requires_grad_()).sum().backward()
    assert bool(w.grad.isfinite().all())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # dynamo's own, after any graph break
def test_compiled_code_propagates():
    a = CSR.from_edge_index(edges(), N)
    model = torch.compile(lambda x: (normalize(a, "gcn") @ x.sin()).cos().sum(), backend="eager")
    x = features().requires_grad_()
    model(x).backward()
    y = features().requires_grad_()
    (normalize(a, "gcn") @ y.sin()).cos().sum().backward()
    close(x.grad, y.grad)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: CSR.from_edge_index(torch.tensor([[0, 5], [0, 1]]), 5), ValueError, "source id 5 is out of range"),
        (lambda: CSR.from_edge_index(torch.tensor([[0], [-1]]), 5), ValueError, "target id -1 is out of range"),
        (lambda: CSR.from_edge_index(torch.tensor([[3], [2]]), (2, 4)), ValueError, r"target id 2 .* \[0, 2\)"),
        (lambda: CSR.from_edge_index(torch.tensor([0, 1]), 5), ValueError, r"shape \[2, E\], got \[2\]"),
        (lambda: CSR.from_edge_index(torch.tensor([[0.0], [1.0]]), 5), TypeError, "integer node ids, got torch.float32"),
        (lambda: CSR.from_edge_index(edges(), N, torch.ones(3)), ValueError, r"edge_weight must have shape \[60\]"),
        (lambda: CSR.from_edge_index(edges(), N, duplicates="max"), ValueError, "duplicates must be"),
        (lambda: CSR.from_edge_index(edges(), -1), ValueError, "must not be negative"),
        (lambda: CSR.from_edge_index(edges(), 2**32), ValueError, "too large"),
        (lambda: CSR.from_edge_index(edges(), N) @ torch.ones(N + 1, 2), ValueError, r"x must have shape \[13, C\]"),
        (lambda: CSR.from_edge_index(edges(), N) @ torch.ones(N, 2, 2), ValueError, "x must have shape"),
        (lambda: CSR.from_edge_index(edges(), N) @ torch.ones(N, dtype=torch.int64), TypeError, "floating point"),
        (lambda: CSR.from_edge_index(edges(), N) @ torch.ones(N, device="meta"), ValueError, "lies on meta"),
        (lambda: CSR.from_edge_index(edges(), N).matmul(torch.ones(N), "max"), ValueError, "reduce must be"),
        (lambda: CSR.from_edge_index(edges(), N).without(torch.tensor([999])), ValueError, "entries must lie"),
        (lambda: CSR.from_edge_index(edges(), N).without(torch.tensor([0]), mirror=True), ValueError, "symmetric pattern"),
        (lambda: normalize(CSR.from_edge_index(edges(9, 2, 9), (2, 9)), "gcn"), ValueError, "square operator, got 2 x 9"),
        (lambda: CSR.from_edge_index(edges(9, 2, 9), (2, 9)).with_self_loops(), ValueError, "square operator, got 2 x 9"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
