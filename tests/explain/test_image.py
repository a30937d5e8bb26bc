"""Explanations of images: accounts that add up, boxes on the planted pattern, a page with pictures."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from graphkit.data import load
from graphkit.errors import RequestError
from graphkit.explain import explain, explain_all
from graphkit.explain.explanation import Picture
from graphkit.run import run

FAST = {"epochs": 6, "batch_size": 64, "lr": 0.01}
SMALL = {"warm_epochs": 1, "head_epochs": 1, "hidden_channels": 8, "channels": 8}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = str(tmp_path_factory.mktemp("runs"))
    models = {"protopnet": SMALL, "cnn": {"hidden_channels": 8}, "prototype-autoencoder": {"hidden_channels": 8}}
    made = {}
    for name, settings in models.items():
        done = run("image", "planted-patches", model={"name": name, **settings}, train=FAST, out=out, device="cpu", threads=1)
        made[name] = done.folder
    return made


def test_patches_are_shown_beside_training_patches(runs: dict[str, Path]) -> None:
    data = load("planted-patches", task="image", seed=0)
    image = int(data.splits["test"][3])
    found = explain(runs["protopnet"], image=image)
    assert found.predicted.total() == pytest.approx(found.predicted.score, rel=1e-5)
    train = {f"image {number}" for number in data.splits["train"].tolist()}
    for term in found.predicted.terms:
        assert term.contribution == pytest.approx(term.value * term.weight)
        assert term.source.name.split(" of ")[1] in train and term.source.about.startswith("training image of class")
        for part in (term.query, term.source):
            looks = part.shown
            assert isinstance(looks, Picture) and (looks.width, looks.height) == (16, 16)
            assert len(looks.heat) == len(looks.heat[0]) == 8 and max(map(max, looks.heat)) == 1.0
            left, top, right, bottom = looks.box
            assert 0 <= left < right <= 16 and 0 <= top < bottom <= 16
            assert base64.b64decode(looks.png).startswith(b"\x89PNG")
    assert [bar.name.split(" ")[0] for bar in found.bars] == ["contrast", "brightness", "shape", "texture"]
    assert found.checks[0].before == pytest.approx(found.predicted.score, rel=1e-5) and found.facts["split"] == "test"
    page = found.to_html()
    assert page.count("<image") >= 3 and 'class="heat"' in page and 'class="box"' in page and "contrast of the image" in page


def test_models_without_prototypes_are_occluded(runs: dict[str, Path]) -> None:
    found = explain(runs["cnn"], image=5, top=4)
    assert len(found.predicted.terms) == 4 and "Occlusion" in found.predicted.rule and found.bars == ()
    assert all(isinstance(term.query.shown, Picture) and term.query.shown.box for term in found.predicted.terms)


def test_decoded_prototypes_are_shown(runs: dict[str, Path]) -> None:
    found = explain(runs["prototype-autoencoder"], image=5)
    assert {term.source.about for term in found.predicted.terms} == {"decoded, no training image"}


def test_several_images_and_one_that_is_not_there(runs: dict[str, Path]) -> None:
    assert [one.subject for one in explain_all(runs["cnn"], image="3,4")] == ["image 3", "image 4"]
    with pytest.raises(RequestError, match="no image '600' among 600"):
        explain(runs["cnn"], image=600)
