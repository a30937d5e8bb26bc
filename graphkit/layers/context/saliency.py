"""How strongly a node's own features move its own score: the context that needs a model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphkit.sparse import CSR, segment_sum


def own_saliency(model: Callable[[Tensor | CSR, CSR], Tensor], x: Tensor | CSR, classes: Tensor) -> Tensor:
    """sum_f |x_if dz_i / dx_if| of every node i, with z_i the score of its class where no node has a neighbor.

    With neighbors, one backward pass would mix what the node's features do to its own score with what they do to the scores of
    others, and to keep them apart takes a pass per node. Without edges z_i depends on x_i alone, so that one pass gives all
    nodes exactly; what is said of a node is then said by its features alone. A convolution in which a node does not hear itself
    gives 0.

    Args:
        model: From features and a graph to scores [N, C], each node by itself where there is no edge: in evaluation mode.
        x: Features [N, F], dense or sparse.
        classes: A class of each node [N].

    Returns:
        [N], detached, not negative.
    """
    alone = CSR.from_edge_index(torch.zeros(2, 0, dtype=torch.long, device=classes.device), x.shape[0])
    with torch.enable_grad():
        if isinstance(x, Tensor):
            return _moved(lambda leaf: model(leaf, alone), x, classes).sum(1)
        values = x.weights(x.dtype or torch.get_default_dtype())
        return segment_sum(_moved(lambda leaf: model(x.with_value(leaf), alone), values, classes), x.rowptr, x.row)


def _moved(scores: Callable[[Tensor], Tensor], values: Tensor, classes: Tensor) -> Tensor:
    """|value x gradient of the sum of the classes' scores|, entry by entry."""
    leaf = values.detach().clone().requires_grad_()
    own = scores(leaf).gather(1, classes.unsqueeze(1)).sum()
    (gradient,) = torch.autograd.grad(own, leaf, materialize_grads=True)
    return (gradient * leaf).abs().detach()
