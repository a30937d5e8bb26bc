"""Why an image has its class: patches that look like patches of training images, and what of their looks matters."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from graphkit.data.image_set import ImageSet
from graphkit.explain.accounts import account_of
from graphkit.explain.decision import Decision
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Account, Bar, Check, Explanation, Part, Picture, Term
from graphkit.explain.familiarity import MOST, Familiarity, familiarity
from graphkit.explain.prototypes import prototype_warnings
from graphkit.explain.receipt import NAMED, removal
from graphkit.models.image.base import ImageModel
from graphkit.models.image.prototype_autoencoder import PrototypeAutoencoder
from graphkit.models.image.prototype_network import PrototypeNetwork
from graphkit.prototypes import Evidence, Head, PartBatch, PrototypeEvidence, because, explain_branches
from graphkit.serving.names import Names
from graphkit.serving.opened import Opened
from graphkit.tasks.image_pictures import png
from graphkit.vision import Box, characteristics

_CELLS = 8
_BLOCK = 256
"""Cells of a side by which images of models without prototypes are occluded."""
_RULE = (
    "Occlusion: a cell of the image adds what the score loses when it is painted in the mean color of the training images. "
    "What cells do together is in the line of the rest."
)


class ImageExplainer(Explainer):
    """Explains the class of an image: by the model's own prototypes, else by occlusion of its cells.

    Args:
        opened: A run of image classification.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        assert isinstance(opened.dataset, ImageSet)
        self.data: ImageSet = opened.dataset
        self.model: ImageModel = opened.model
        self.names = Names("image", len(self.data.pixels), self.data.image_names)
        named, kind = (self.data.class_names, "class") if self.data.kind == "classes" else (self.data.target_names, "label")
        self.classes = named or tuple(f"{kind} {number}" for number in range(self.data.num_targets))

    def identity(self) -> tuple[Tensor, ...]:
        """Pixels and targets, see `Explainer.identity`; labels that are not known are equal."""
        return self.data.pixels, self.data.y.nan_to_num(-1.0)

    def find(self, asked: Mapping[str, str]) -> list[int]:
        """The images of `image=`, see `Explainer.find`."""
        return self.names.find_all(self.names.split(asked["image"]))

    def explain(self, sample: int, top: int, *, with_receipt: bool = True) -> Explanation:
        """Explain the prediction for an image, see `Explainer.explain`.

        Args:
            sample: Its number.
            top: Reasons that get a line of their own.
            with_receipt: Whether reasons are removed and the model is run again.
        """
        subject = f"image {self._name(sample)}"
        with self.opened.evaluating():
            pixels = self._pixels(sample)
            scores = self.model(pixels)[0]
            probabilities = self.model.probabilities(scores[None])[0] if self.data.kind == "classes" else scores.sigmoid()
            decision = Decision.of(scores, self.classes, probabilities)
            bars: tuple[Bar, ...] = ()
            warnings: tuple[str, ...] = ()
            if isinstance(self.model, PrototypeNetwork | PrototypeAutoencoder):
                branches = self.model.branches(pixels, self._ids(sample))
                evidence = explain_branches(branches, 0, head=cast("Head", self.model.head), top=top)
                accounts = self._by_prototype(evidence, sample)
                if isinstance(self.model, PrototypeNetwork):
                    warnings = prototype_warnings(evidence, self.model.prototypes[0].similarity)
                    bars = self._because(self.model, sample, evidence)
            else:
                accounts = self._by_cell(decision, pixels, top)
            checks = self._receipt(decision, pixels, self._named(accounts[0])) if with_receipt else ()
            explanation = Explanation(
                subject=subject,
                sentence=decision.sentence(subject, accounts),
                predicted=accounts[0],
                runner_up=accounts[1] if len(accounts) > 1 else None,
                probability=decision.probability,
                looks=self._picture(pixels[0]),
                bars=bars,
                checks=checks,
                facts={**self._facts(sample), **self.opened.facts()},
            )
            near = self._familiarity(sample, pixels)
        warnings += (*warnings_of(explanation), *(near.warning("image") if near else ()))
        return replace(explanation, warnings=warnings)

    # ------------------------------------------------------------------------------------------------- prototypes

    def _by_prototype(self, evidence: Evidence, sample: int) -> list[Account]:
        """The accounts of the model itself, of the predicted class and of the runner-up."""
        accounts = []
        for one in (evidence.predicted, evidence.runner_up):
            if one is not None:
                terms = tuple(self._term(line, sample) for line in one.lines if line.contribution)
                accounts.append(Account(self.classes[one.label], one.logit, one.bias, terms, unlisted=one.remainder))
        return accounts

    def _term(self, line: PrototypeEvidence, sample: int) -> Term:
        query, source = self._patch(line.prototype, *line.part), None
        if isinstance(self.model, PrototypeAutoencoder):
            decoded = self._picture(self.model.decoded_prototypes()[line.prototype])
            source = Part(f"prototype {line.prototype}", "decoded, no training image", decoded)
            name = f"distance to {source.name}"
        elif line.source is not None:
            source = self._patch(line.prototype, *line.source)
            name = f"likeness to {source.name}, prototype {line.prototype}"
        else:
            stands_for = " and ".join(self.classes[label] for label in line.classes)
            name = f"likeness to prototype {line.prototype} of {stands_for}"
        return Term(name, line.similarity, line.weight, line.contribution, query, source)

    def _patch(self, prototype: int, image: int, item: int) -> Part:
        """A patch of an image with its box, and how similar every place of the image is to the prototype."""
        name = f"image {self._name(image)}"
        split = self._split(image)
        about = f"{split} image"
        if split == "training" and self.data.kind == "classes":
            about = f"training image of {self.classes[int(self.data.y[image])]}"
        pixels = self._pixels(image)
        if not isinstance(self.model, PrototypeNetwork):
            return Part(name, about, self._picture(pixels[0]))
        branch = self.model.branch_of(prototype)
        number = prototype - sum(bank.num_prototypes for bank in self.model.prototypes[:branch])
        parts = self._parts(image)[branch]
        similarity = self.model.prototypes[branch].compare(parts.z)[0, :, number]
        low, high = similarity.min(), similarity.max()
        heat = ((similarity - low) / (high - low).clamp(min=1e-12)).view(self.model.map_size(branch))
        box = self.model.box(prototype, item)
        return Part(f"patch {item} of {name}", about, self._picture(pixels[0], box, heat))

    def _because(self, model: PrototypeNetwork, sample: int, evidence: Evidence) -> tuple[Bar, ...]:
        """How much of the strongest likeness is lost when the image is changed, and what the score loses by that."""
        likenesses = [line for line in evidence.predicted.lines if line.contribution > 0]
        if not likenesses:
            return ()
        best = max(likenesses, key=lambda line: line.contribution)
        branch = model.branch_of(best.prototype)
        number = best.prototype - sum(bank.num_prototypes for bank in model.prototypes[:branch])
        pixels = self._pixels(sample)
        changes = characteristics(pixels.size(1))
        changed = [model.see(change(pixels), self._ids(sample)).parts[branch] for change in changes.values()]
        lost = because(model.prototypes[branch], self._parts(sample)[branch], changed).score[:, 0, number].tolist()
        return tuple(
            Bar(f"{name} of the image changed", value, "of the strongest likeness lost", effect=value * best.weight)
            for name, value in zip(changes, lost, strict=True)
        )

    # -------------------------------------------------------------------------------------------------- occlusion

    def _by_cell(self, decision: Decision, pixels: Tensor, top: int) -> list[Account]:
        """The accounts of the chosen scores by what each cell of the image adds."""
        boxes = _cells(self.data.size)
        lost = self._without(pixels, [[box] for box in boxes], decision.chosen)

        def part(number: int) -> Part:
            return Part(_placed(boxes[number]), "of the image", self._picture(pixels[0], boxes[number]))

        return [
            account_of(name, score, score - lost[:, k], lambda n: _placed(boxes[n]), top=top, rule=_RULE, part=part)
            for k, (name, score) in enumerate(zip(decision.names, decision.scores, strict=True))
        ]

    def _without(self, pixels: Tensor, removed: list[list[Box]], chosen: Tensor) -> Tensor:
        """Chosen scores [R, K] of the image with boxes painted in the mean color of the training images."""
        images = pixels.repeat(len(removed), 1, 1, 1)
        color = self.model.center.view(-1, 1, 1)
        for image, boxes in zip(images, removed, strict=True):
            for left, top, right, bottom in boxes:
                image[:, top:bottom, left:right] = color
        scores: Tensor = self.model(images)
        return scores[:, chosen].double()

    def _receipt(self, decision: Decision, pixels: Tensor, named: list[Box]) -> tuple[Check, ...]:
        """The places that the explanation names are painted over, beside as many others."""
        boxes = _cells(self.data.size)
        hit = [number for number, box in enumerate(boxes) if any(other.holds(box.center) for other in named)]
        if not hit or len(hit) == len(boxes):
            return ()

        def rescore(cells: Tensor) -> float:
            return float(self._without(pixels, [[boxes[cell] for cell in cells.tolist()]], decision.chosen[:1])[0, 0])

        done = (
            f"{len(hit)} of {len(boxes)} cells of the image, which the strongest reasons are about, painted in the mean color"
        )
        pool = torch.arange(len(boxes))
        return (removal(done, decision.scores[0], torch.tensor(hit), pool, rescore=rescore),)

    def _named(self, account: Account) -> list[Box]:
        """The boxes of the strongest reasons."""
        looks = [term.query.shown for term in account.for_it()[:NAMED] if term.query is not None]
        return [Box(*one.box) for one in looks if isinstance(one, Picture) and one.box is not None]

    # ------------------------------------------------------------------------------------------------------ looks

    def _picture(self, pixels: Tensor, box: Box | None = None, heat: Tensor | None = None) -> Picture:
        height, width = pixels.shape[1:]
        data = base64.b64encode(png(pixels.float().cpu().numpy())).decode()
        rows = () if heat is None else tuple(tuple(row) for row in heat.tolist())
        return Picture(data, width, height, box, rows)

    def _parts(self, image: int) -> list[PartBatch]:
        assert isinstance(self.model, PrototypeNetwork)
        return self.model.see(self._pixels(image), self._ids(image)).parts

    def _pixels(self, image: int) -> Tensor:
        return self.data.pixels[image : image + 1].to(self.opened.device, self.model.center.dtype)

    def _ids(self, image: int) -> Tensor:
        return torch.tensor([image], device=self.opened.device)

    def _name(self, image: int) -> str:
        return str(self.names.array[image])

    def _split(self, image: int) -> str:
        words = {"train": "training", "valid": "validation", "test": "test"}
        found = (words[name] for name, images in self.data.splits.items() if bool((images == image).any()))
        return next(found, "unused")

    def _facts(self, image: int) -> dict[str, str]:
        if self.data.kind == "classes":
            told = self.classes[int(self.data.y[image])]
        else:
            told = ", ".join(self.classes[label] for label in (self.data.y[image] == 1).nonzero().flatten().tolist()) or "none"
        split = self._split(image)
        return {"label": told if split == "training" else f"{told} (not seen by the model)", "split": split}

    def _familiarity(self, image: int, pixels: Tensor) -> Familiarity | None:
        train, held_out = ((images != image, z) for images, z in (self._embeddings["train"], self._embeddings["valid"]))
        return familiarity(self.model.embed(pixels)[0], train[1][train[0]], held_out[1][held_out[0]])

    @cached_property
    def _embeddings(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of training and of validation images, at most 2,000 evenly spaced each, their numbers and embeddings."""
        found = {}
        for split in ("train", "valid"):
            images = self.data.splits[split]
            count = min(MOST, images.numel())
            images = images[torch.arange(count) * images.numel() // count]
            pixels = self.data.pixels[images].to(self.opened.device, self.model.center.dtype)
            found[split] = images, torch.cat([self.model.embed(block) for block in pixels.split(_BLOCK)])
        return found


def _cells(size: tuple[int, int]) -> list[Box]:
    """The image cut into at most 8x8 boxes."""
    edges = [[side * number // count for number in range(count + 1)] for side in size for count in [min(_CELLS, side)]]
    rows, columns = (list(zip(line, line[1:], strict=False)) for line in edges)
    return [Box(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _placed(box: Box) -> str:
    return f"pixels {box.left} to {box.right - 1} of rows {box.top} to {box.bottom - 1}"
