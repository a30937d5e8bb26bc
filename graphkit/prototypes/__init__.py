"""Prototypes: decisions as sums over similarities of parts to prototypes that are training parts. Needs torch alone."""

from graphkit.prototypes.bank import PrototypeBank
from graphkit.prototypes.because import Because, because, because_of_all
from graphkit.prototypes.components import ComponentsHead
from graphkit.prototypes.evidence import Branch, ClassEvidence, Evidence, PrototypeEvidence, explain, explain_branches
from graphkit.prototypes.groups import GroupedHead
from graphkit.prototypes.heads import DistanceHead, Head, LinearHead, OwnClassHead, contributions
from graphkit.prototypes.labels import class_identity
from graphkit.prototypes.nearest import Allowed, Nearest, nearest_parts
from graphkit.prototypes.parts import PartBatch
from graphkit.prototypes.phases import Phase, Training, phases
from graphkit.prototypes.pooling import Pooled
from graphkit.prototypes.projection import Projection, project, source_drift

__all__ = [
    "Allowed",
    "Because",
    "Branch",
    "ClassEvidence",
    "ComponentsHead",
    "DistanceHead",
    "Evidence",
    "GroupedHead",
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
    "because",
    "because_of_all",
    "class_identity",
    "contributions",
    "explain",
    "explain_branches",
    "nearest_parts",
    "phases",
    "project",
    "source_drift",
]
