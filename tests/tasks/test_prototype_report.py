"""Figures of prototypes in a report against loops, and what the page says."""

from __future__ import annotations

import numpy as np
import torch

from graphkit.tasks.prototype_report import figures, sections


def arrays(projected: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {
        "prototype_classes": np.array([[True, False], [False, True], [False, True]]),
        "prototype_contributions": np.array(
            [[1.0, 0.01, -0.5], [2.0, 0.0, 0.0], [0.1, 0.1, 0.1], [-3.0, 1.0, 0.05]], np.float32
        ),
        "prototype_nearest": np.array([[0, 1, -1], [3, 0, -1], [2, 3, -1]]),
        "probabilities": rng.random((4, 2)).astype(np.float32),
    }
    if projected:
        found |= {
            "prototype_source": np.array([[0, 0], [3, 3], [3, 3]]),
            "prototype_source_similarity": np.array([0.5, 0.25, 1.0]),
            "scores_before_projection": rng.random((4, 2)).astype(np.float32),
            "scores_after_projection": rng.random((4, 2)).astype(np.float32),
        }
    return found


LABELS = torch.tensor([0, 0, 1, 1])


def test_figures_equal_loops() -> None:
    given, samples = arrays(), torch.tensor([0, 1, 3])
    found = figures(given, LABELS, samples)
    active = []
    for row in given["prototype_contributions"][samples.numpy()].tolist():
        active.append(sum(abs(value) > 0.05 * sum(map(abs, row)) for value in row))
    assert found["active"] == sum(active) / 3 and abs(found["sparsity"] - (1 - sum(active) / 9)) < 1e-12
    owns = [0, 1, 1]
    shares = [sum(int(LABELS[i]) == owns[j] for i in row[:2]) / 2 for j, row in enumerate(given["prototype_nearest"].tolist())]
    assert abs(found["purity"] - sum(shares) / 3) < 1e-12 and found["distinct"] == 2
    for name, key in (("before", "scores_before_projection"), ("after", "scores_after_projection"), ("final", "probabilities")):
        hits = [given[key][i].argmax() == int(LABELS[i]) for i in samples.tolist()]
        assert abs(found[name] - 100 * sum(hits) / 3) < 1e-4


def test_the_section_names_training_parts_and_escapes_names() -> None:
    splits = {"valid": torch.tensor([0, 1]), "test": torch.tensor([2, 3])}
    (section,) = sections(arrays(), LABELS, splits, ("<b>", "white"), lambda sample, part: f"node {part} & co")
    assert "&lt;b&gt;" in section.html and "<b>" not in section.html and section.html.count("node 3 &amp; co") == 2
    assert "The 3 prototypes are 2 different training parts." in section.html and "accuracy before projection" in section.html
    assert section.html.count("<tr>") == 1 + 5 + 1 + 3
    (plain,) = sections(arrays(projected=False), LABELS, splits, (), lambda sample, part: "")
    assert "were not projected (model.projects=false)" in plain.html and "before projection" not in plain.html
    assert sections({"logits": np.zeros((4, 2))}, LABELS, splits, (), lambda sample, part: "") == []
