"""Prototypes: decisions as sums over similarities of parts to prototypes that are training parts. Needs torch alone."""

from graphkit.prototypes.bank import PrototypeBank
from graphkit.prototypes.components import ComponentsHead
from graphkit.prototypes.evidence import ClassEvidence, Evidence, PrototypeEvidence, explain
from graphkit.prototypes.heads import DistanceHead, Head, LinearHead, OwnClassHead, contributions
from graphkit.prototypes.labels import class_identity
from graphkit.prototypes.nearest import Allowed, Nearest, nearest_parts
from graphkit.prototypes.parts import PartBatch
from graphkit.prototypes.phases import Phase, Training, phases
from graphkit.prototypes.pooling import Pooled
from graphkit.prototypes.projection import Projection, project, source_drift

__all__ = [
    "Allowed",
    "ClassEvidence",
    "ComponentsHead",
    "DistanceHead",
    "Evidence",
    "Head",
    "LinearHead",
    "Nearest",
    "OwnClassHead",
    "PartBatch",
    "Phase",
    "Pooled",
    "Projection",
    "PrototypeBank",
    "PrototypeEvidence",
    "Training",
    "class_identity",
    "contributions",
    "explain",
    "nearest_parts",
    "phases",
    "project",
    "source_drift",
]
