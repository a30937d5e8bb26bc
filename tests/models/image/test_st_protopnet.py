from __future__ import annotations

import torch

from graphkit.models.image.st_protopnet import STProtoPNet
from graphkit.prototypes import losses
from tests.models.image.frame import CLASS, DIMS, IMAGES, assert_before_and_after, assert_projected, task_loss, trained

SMALL = {"hidden_channels": 4, "channels": 4, "per_class": 2}


def test_logits_are_the_sum_of_both_branches() -> None:
    torch.manual_seed(0)
    model = STProtoPNet(**DIMS, **SMALL).eval()
    with torch.no_grad():
        seen = model.see(IMAGES)
        trivial, support = (one.similarity for one in seen.pooled)
        weight = model.head.weight
        torch.testing.assert_close(model(IMAGES), trivial @ weight[:, :6].t() + support @ weight[:, 6:].t())


def test_each_branch_has_its_own_loss() -> None:
    torch.manual_seed(0)
    options = {"cluster": 0.3, "separation": 0.2, "support_separation": 0.7, "orthogonality": 0.01, "l1": 0.02}
    model = STProtoPNet(**DIMS, **SMALL, **options, closeness=0.5, discrimination=0.25).eval()
    found = model.training_loss(IMAGES, CLASS, task_loss)
    seen, weight = model.see(IMAGES), model.head.weight
    expected = 0.02 * losses.off_class_l1(weight, model.identities)
    for k, apart in ((0, 0.2), (1, 0.7)):
        bank, similarity = model.prototypes[k], seen.pooled[k].similarity
        expected = expected + task_loss(similarity @ weight[:, 6 * k : 6 * k + 6].t(), CLASS)
        expected = expected + 0.3 * losses.cluster(similarity, CLASS, bank.identity)
        expected = expected + apart * losses.separation(similarity, CLASS, bank.identity)
        expected = expected + 0.01 * losses.orthogonality(bank.weight, bank.identity)
    expected = expected + 0.25 * losses.discrimination(model.prototypes[0].weight, model.prototypes[0].identity)
    expected = expected + 0.5 * losses.closeness(model.prototypes[1].weight, model.prototypes[1].identity)
    torch.testing.assert_close(found, expected)


def test_both_branches_become_patches() -> None:
    torch.manual_seed(0)
    assert_projected(trained(STProtoPNet(**DIMS, **SMALL)))
    assert_before_and_after(STProtoPNet(**DIMS, **SMALL))
