"""What others read of a run: model card, OGB's line, BibTeX."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from graphkit.claim import export, main
from graphkit.claims.exports import ogb_line
from graphkit.conf.catalog import MODELS
from graphkit.errors import RequestError
from graphkit.training.artifacts import read_config, read_result
from tests.claims.conftest import RUNS


@pytest.mark.parametrize("task", RUNS)
def test_the_metadata_of_a_model_card(task: str, runs, place: Path):
    """The documented structure of `model-index`: its required fields, and no further ones."""
    card = export(runs[task], "model-card")
    assert str(place) not in card
    _, head, body = re.split(r"^---$", card, maxsplit=2, flags=re.MULTILINE)
    metadata = yaml.safe_load(head)
    assert all(isinstance(tag, str) for tag in (*metadata["tags"], *metadata["metrics"], metadata["library_name"]))
    (model,) = metadata["model-index"]
    assert model.keys() == {"name", "results"} and isinstance(model["name"], str)
    recorded = json.loads((runs[task] / "result.json").read_text())["metrics"]
    assert [one["dataset"]["split"] for one in model["results"]] == list(recorded)
    for one in model["results"]:
        assert one.keys() == {"task", "dataset", "metrics"}
        assert {"type"} <= one["task"].keys() <= {"type", "name"}
        assert {"type", "name"} <= one["dataset"].keys() <= {"type", "name", "config", "split", "revision", "args"}
        assert one["metrics"]
        for metric in one["metrics"]:
            assert {"type", "value"} <= metric.keys() <= {"type", "value", "name", "config", "args"}
            mean = recorded[one["dataset"]["split"]][metric["type"]]["mean"]
            assert isinstance(metric["value"], float) and metric["value"] == pytest.approx(mean, abs=0.00501)
    assert "## Results" in body and "| metric | valid | test |" in body and "Protocol: " in body


def test_a_line_for_ogb(runs):
    result, config = read_result(runs["link"]), read_config(runs["link"])
    figure = {"mean": 81.3149, "std": 1.234, "per_seed": [0.0] * 10}
    metrics = {split: {"hits@20": figure} for split in ("valid", "test")}
    assert result is not None
    on_ogb = replace(result, dataset="ogbl-ddi", metric="hits@20", metrics=metrics, seeds=tuple(range(10)))
    config["task"]["metric"] = "auto"
    (row,) = csv.DictReader(io.StringIO(ogb_line(on_ogb, config, {"device": "Xeon", "versions": {"ogb": "1.3.6"}})))
    assert row["Test hits@20"] == row["Validation hits@20"] == "0.8131 ± 0.0123"
    assert (row["Dataset"], row["Method"], row["OGB version"]) == ("ogbl-ddi", "gae", "1.3.6")
    assert (row["#Params"], row["Hardware"]) == (str(result.num_parameters), "Xeon")
    assert row["Paper"] == MODELS["link"]["gae"].paper.url and row["Contact"] == ""
    with pytest.raises(RequestError, match="OGB asks for 10 seeds, the run has 2"):
        ogb_line(replace(on_ogb, seeds=(0, 1)), config, {})
    with pytest.raises(RequestError, match="dataset=karate is none of OGB's"):
        export(runs["link"], "ogb")


def test_bibtex(runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    entry = export(runs["link"], "bibtex")
    paper = MODELS["link"]["gae"].paper
    assert entry.startswith("@misc{gae,\n") and entry.endswith("}\n") and entry.count("{") == entry.count("}")
    assert f"title = {{{{{paper.title}}}}}" in entry and f"url = {{{paper.url}}}" in entry
    assert re.search(r"year = \{(19|20)\d\d\}", entry)
    out = tmp_path / "method.bib"
    assert main([f"run={runs['link']}", "export=bibtex", f"out={out}"]) == 0
    assert out.read_text() == entry and capsys.readouterr().out == f"wrote {out}\n"
    assert main([f"run={runs['link']}", "export=bibtex"]) == 0
    assert capsys.readouterr().out == entry


def test_a_method_without_a_paper(runs):
    without = {
        task: folder for task, folder in runs.items() if MODELS[task][read_config(folder)["model"]["name"]].paper is None
    }
    for folder in without.values():
        with pytest.raises(RequestError, match="the catalog has no paper"):
            export(folder, "bibtex")
