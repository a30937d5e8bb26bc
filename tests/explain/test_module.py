"""Any module with PyG's conventions gets an account that adds up, a receipt and a page."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from graphkit.explain.module import explain_module
from tests.explain.test_masked import N, graph, pyg_module


@pytest.mark.parametrize("per_graph", [False, True])
@pytest.mark.parametrize("rule", ["gradients", "occlusion"])
def test_the_account_adds_up_and_names_edges(rule: Any, per_graph: bool) -> None:
    edges, x = graph()
    module, attr = pyg_module(per_graph), torch.randn(edges.size(1), 2)
    index = 0 if per_graph else 6
    module.train()
    found = explain_module(
        module, x, edges, index=index, per_graph=per_graph, rule=rule, arguments={"edge_attr": attr}, top=5,
        class_names=["a", "b", "c"], node_names=[f"n{node}" for node in range(N)],
    )  # fmt: skip
    assert module.training  # as it was
    module.eval()
    batch = {"batch": torch.zeros(N, dtype=torch.int64)} if per_graph else {}
    scores = module(x, edges, edge_attr=attr, **batch)[index].detach()
    assert found.predicted.name == "abc"[int(scores.argmax())] and found.probability == pytest.approx(
        float(scores.softmax(0).max())
    )
    for account in (found.predicted, found.runner_up):
        assert account is not None and account.rule
        assert account.score == pytest.approx(float(scores["abc".index(account.name)]), abs=1e-5)
        assert account.total() == pytest.approx(account.score, abs=1e-6) and 2 < len(account.terms) <= 5
    names = {term.name for term in found.predicted.terms}
    assert all(name.startswith(("the edge n", "the self-loop of n")) for name in names)
    assert found.checks[0].before == pytest.approx(found.predicted.score, abs=1e-5)
    assert "n6" in found.to_html() and found.subject == ("the graph" if per_graph else "node n6")


def test_a_term_of_occlusion_is_what_the_score_loses() -> None:
    edges, x = graph()
    module, attr = pyg_module(), torch.randn(edges.size(1), 2)
    found = explain_module(module, x, edges, index=6, rule="occlusion", arguments={"edge_attr": attr}, top=100)
    label = int(found.predicted.name.removeprefix("class "))
    score = float(module(x, edges, edge_attr=attr)[6, label].detach())
    for term in found.predicted.terms:
        if term.name.startswith("the self-loop"):
            continue
        one, arrow, other = term.name.removeprefix("the edge ").split()
        ends = {(int(one), int(other)), (int(other), int(one))} if arrow == "-" else {(int(one), int(other))}
        kept = torch.tensor([tuple(edge) not in ends for edge in edges.t().tolist()])
        left = float(module(x, edges[:, kept], edge_attr=attr[kept])[6, label].detach())
        assert term.contribution == pytest.approx(score - left, abs=1e-5)


def test_a_row_that_is_not_there() -> None:
    edges, x = graph()
    with pytest.raises(ValueError, match=f"index must be from 0 to {N - 1}, got {N}"):
        explain_module(pyg_module(), x, edges, index=N)
    with pytest.raises(ValueError, match="index must be from 0 to 0"):
        explain_module(pyg_module(True), x, edges, index=1, per_graph=True)
