"""What is remembered, for how long, and what is never remembered."""

import gc

import pytest
import torch

from graphkit.sparse import CSR, remember
from graphkit.sparse.memo import _memory


class Counting:
    """Makes a new object at every call, and counts."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return object()


def test_the_same_objects_under_the_same_key_are_answered_from_memory():
    x, y, make = torch.zeros(3), torch.zeros(3), Counting()
    first = remember(make, "a", x, y)
    assert remember(make, "a", x, y) is first
    assert make.calls == 1
    others = [remember(make, "b", x, y), remember(make, "a", y, x), remember(make, "a", x), remember(make, "a", x.clone(), y)]
    assert make.calls == 5
    assert len({id(value) for value in (first, *others)}) == 5
    assert remember(make, "a", x, y) is first  # several values of one object stand side by side


def test_a_change_in_place_is_seen():
    x, graph, make = torch.zeros(3), CSR.from_edge_index(torch.tensor([[0], [1]]), 2), Counting()
    first = remember(make, "a", x, graph)
    x.add_(1)
    second = remember(make, "a", x, graph)
    assert second is not first
    assert remember(make, "a", x, graph) is second


@pytest.mark.parametrize("which", [0, 1])
def test_a_value_goes_with_any_of_its_sources(which):
    gc.collect()
    before = len(_memory)
    sources = [torch.zeros(2), CSR.from_edge_index(torch.tensor([[0], [1]]), 2)]
    remember(Counting(), "a", *sources)
    assert len(_memory) == before + 1
    del sources[which]
    gc.collect()
    assert len(_memory) == before


def test_an_outdated_value_goes_before_the_next_is_made():
    x = torch.zeros(2)
    remember(object, "a", x)
    x.add_(1)
    before = len(_memory)
    remember(lambda: seen.append(len(_memory)) or object(), "a", x) if (seen := []) is not None else None
    assert seen == [before - 1]


def test_gradients_and_inference_tensors_pass_by():
    make = Counting()
    learned = torch.zeros(2, requires_grad=True)
    weighted = CSR.from_edge_index(torch.tensor([[0], [1]]), 2, torch.ones(1, requires_grad=True))
    with torch.inference_mode():
        inference = torch.zeros(2)
    for source in (learned, weighted, inference):
        assert remember(make, "a", source) is not remember(make, "a", source)
    assert make.calls == 6


def test_what_is_made_in_inference_mode_serves_training_later():
    x = torch.ones(3)
    with torch.inference_mode():
        made = remember(lambda: x * 2, "twice", x)
    assert not made.is_inference()
    weight = torch.ones(3, requires_grad=True)
    (weight * remember(lambda: x * 2, "twice", x)).sum().backward()
    assert weight.grad.tolist() == [2, 2, 2]


def test_an_error_leaves_nothing_behind():
    x = torch.zeros(2)
    before = len(_memory)
    with pytest.raises(ZeroDivisionError):
        remember(lambda: 1 / 0, "a", x)
    assert len(_memory) == before
    assert remember(lambda: 5, "a", x) == 5
