"""The settings that prototype models of all tasks share."""

from __future__ import annotations

from dataclasses import dataclass

from graphkit.conf.setting import count, depth, setting, weight


@dataclass
class PrototypeSettings:
    """Prototypes, the classifier on similarities to them, its loss, and the phases of training."""

    per_class: int = count(5, "prototypes per class, at most as many as it has training samples", low=1, high=10_000)
    similarity: str = setting(
        "cosine",
        "how a part is compared with a prototype",
        choices=("cosine", "relu-cosine", "projection", "negative-l2", "log-l2", "rbf"),
    )
    pool: str = setting("max", "from the parts of a sample to one similarity", choices=("max", "top-k", "log-sum-exp"))
    top_k: int = count(3, "parts whose mean is taken by pool=top-k", low=1, high=10_000)
    sharpness: float = weight(10.0, "how close pool=log-sum-exp is to the maximum", low=1e-6)
    classifier: str = setting(
        "linear",
        "from similarities to classes: weights that start at +1 and -0.5; weights of own prototypes alone; by presence and "
        "absence (Classification-by-Components, with rbf or relu-cosine); distances (Li et al., with negative-l2)",
        choices=("linear", "own-class", "components", "distance"),
    )
    concepts: int = count(1, "concepts per class of classifier=components", low=1, high=1000)
    cluster: float | None = weight(
        None,
        "weight of the loss that draws a sample to a prototype of its class; default: 0.8 of angles, 0.05 of distances",
    )
    separation: float | None = weight(
        None,
        "weight of the loss that drives a sample from prototypes of other classes; default: 0.08 of angles, 0.005 of distances",
    )
    orthogonality: float = weight(0.0, "weight of the loss that drives prototypes of a class apart")
    l1: float = weight(1e-4, "weight of the L1 norm of weights of other classes' prototypes (classifier=linear)")
    margin: float = weight(0.3, "by how much the right class should win with classifier=components")
    warm_epochs: int = count(10, "epochs of prototypes alone, first", high=10**6)
    head_epochs: int = depth(20, "epochs of the classifier alone, after every projection")
    cycles: int = depth(1, "rounds of joint training (train.epochs each), projection and classifier")
    joint_classifier: bool = setting(False, "train the classifier with encoder and prototypes, too")
    unique: bool = setting(True, "no two prototypes become the same part")
    projects: bool = setting(True, "prototypes become training parts; false: they cannot be shown, to see what that costs")
