"""Variants of a row, and what a table says of its plain baselines; results are made up, nothing is trained."""

from pathlib import Path

import pytest
import yaml

from benchmarks.reproduce.__main__ import Places, main
from benchmarks.reproduce.baselines import verdicts
from benchmarks.reproduce.execute import assign
from benchmarks.reproduce.table import Row, Table, load_table
from graphkit import run as door
from graphkit.errors import RequestError
from graphkit.run import run
from graphkit.training.result import RunResult, summarize

PLAIN = ("mlp", "gcn")


def result(values: list[float], metric: str = "accuracy") -> RunResult:
    metrics = summarize([{split: {metric: value} for split in ("valid", "test")} for value in values])
    seeds, nothing = tuple(range(len(values))), Path()
    return RunResult("node", "d", "m", metric, metrics, seeds, seeds, 1, None, 1.0, None, None, 1.0, nothing)


def said(dataset: str = "karate", metric: str = "accuracy", **values: list[float] | None) -> list[str]:
    """The sentences for models with these values; None: not run."""
    rows = [Row("node", dataset, model.partition("_")[0], 2, metric, variant=model.partition("_")[2]) for model in values]
    table = Table("tiny", "A tiny table", tuple(rows), baselines=PLAIN)
    found = [given and result(given, metric) for given in values.values()]
    return verdicts(table, list(zip(rows, found, strict=True)))


def test_a_plain_baseline_that_wins():
    # Differences by seed: 3, 1, so 2.00 with a deviation of sqrt(2).
    assert said(mlp=[84.0, 86.0], gcn=[50.0, 50.0], sheaf_general=[81.0, 85.0], adpa=[70.0, 70.0]) == [
        "karate, accuracy: **a plain baseline wins**: mlp, 85.00 ± 1.41, 2.00 ± 1.41 ahead of the best of the others, "
        "sheaf-general, 83.00 ± 2.83."
    ]


def test_a_plain_baseline_that_loses_within_the_deviation():
    assert said(mlp=[80.0, 86.0], sheaf_general=[85.0, 83.0]) == [
        "karate, accuracy: sheaf-general, 84.00 ± 1.41, 1.00 ± 5.66, so within one deviation, ahead of the best plain "
        "baseline, mlp, 83.00 ± 4.24."
    ]


def test_a_tie_is_a_baseline_that_does_as_well():
    (sentence,) = said(gcn=[80.0, 82.0], adpa=[79.998, 81.998])
    assert sentence.startswith(
        "karate, accuracy: **a plain baseline does as well**: gcn, 81.00 ± 1.41, and the best of the others"
    )


def test_of_errors_the_lowest_is_ahead():
    # Differences by seed: 0.001 and 0.003, so 0.0020 with a deviation of sqrt(2) / 1000.
    (sentence,) = said(
        "counting", "mae:star", mlp=[0.012, 0.013], gcn=[0.5, 0.5], sheaf_general=[0.011, 0.010], adpa=[0.9, 0.9]
    )
    assert sentence == (
        "counting, mae:star: sheaf-general, 0.0105 ± 0.0007, 0.0020 ± 0.0014 ahead of the best plain baseline, "
        "mlp, 0.0125 ± 0.0007."
    )


def test_other_seeds_are_not_paired():
    (sentence,) = said(gcn=[80.0, 82.0, 84.0], adpa=[85.0, 85.0])
    assert "adpa, 85.00 ± 0.00, 3.00 ahead of" in sentence


def test_what_is_missing_is_said():
    assert said(mlp=[80.0, 81.0], adpa=None, sheaf=None) == [
        "karate, accuracy: nothing to compare yet. 2 of 3 rows have no result yet."
    ]
    assert said(mlp=None, adpa=[80.0, 81.0]) == ["karate, accuracy: nothing to compare yet. 1 of 2 rows have no result yet."]


# ------------------------------------------------------------------------------------------------------- a table with both

HEAD = {"task": "node", "dataset": "karate", "seeds": 2, "metric": "accuracy"}
WIDE = {**HEAD, "model": "mlp", "variant": "wide", "overrides": {"model.hidden_channels": 8, "train.epochs": 2}}
NARROW = {**HEAD, "model": "mlp", "variant": "narrow", "overrides": {"model.hidden_channels": 4, "train.epochs": 2}}
OTHER = {**HEAD, "model": "gcn", "overrides": {"train.epochs": 2}}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "results"):
        (tmp_path / name).mkdir()
    found = Places(tmp_path / "tables", tmp_path / "results", tmp_path / "runs/reproduce")
    write_table(found)
    return found


def write_table(places: Places, *rows: dict, **more: object) -> None:
    given = {"title": "A tiny table", "baselines": ["mlp"], "rows": list(rows or (WIDE, NARROW, OTHER)), **more}
    (places.tables / "tiny.yaml").write_text(yaml.safe_dump(given, sort_keys=False))


def test_variants_have_names_files_and_folders_of_their_own(places: Places, capsys: pytest.CaptureFixture[str]):
    assert main(["tiny", "--only", "karate/mlp-wide", "karate/gcn", "--write"], places) == 0
    assert (places.results / "tiny/node-karate-mlp-wide.json").exists()
    assert not (places.results / "tiny/node-karate-mlp-narrow.json").exists()
    assert [path.name for path in sorted((places.runs / "tiny").iterdir())] == ["node-karate-gcn", "node-karate-mlp-wide"]
    page = (places.results / "tiny/README.md").read_text()
    assert "| karate | mlp-wide | accuracy |" in page and "| karate | mlp-narrow | accuracy |" in page
    assert "## Plain baselines and the others" in page and "Plain baselines: mlp." in page
    assert "- karate, accuracy: " in page and "1 of 3 rows have no result yet." in page
    assert main(["tiny", "--check"], places) == 0


def test_a_run_from_elsewhere_finds_its_variant(places: Places, monkeypatch: pytest.MonkeyPatch):
    made = run("node", "karate", {"name": "mlp", "hidden_channels": 4}, train={"epochs": 2}, seeds=2)
    monkeypatch.setattr(door, "run", None)
    rows = load_table(places.tables, "tiny").rows
    assert assign([made.folder], rows, []) == {"node-karate-mlp-narrow": made.folder}
    assert main(["tiny", "--only", "karate/mlp-narrow", "--from", str(made.folder), "--write"], places) == 0
    assert (places.results / "tiny/node-karate-mlp-narrow.json").exists()


def test_a_shortened_or_outdated_result_does_not_compete(places: Places):
    assert main(["tiny", "--epochs", "1", "--write"], places) == 0
    assert "nothing to compare yet. 3 of 3 rows have no result yet." in (places.results / "tiny/README.md").read_text()
    assert main(["tiny", "--write"], places) == 0
    assert "no result yet" not in (page := (places.results / "tiny/README.md").read_text()) and "ahead of" in page
    write_table(places, {**WIDE, "overrides": {"model.hidden_channels": 9, "train.epochs": 2}}, NARROW, OTHER)
    assert main(["tiny", "--render"], places) == 0
    assert "1 of 3 rows have no result yet." in (places.results / "tiny/README.md").read_text()


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        ([{**WIDE, "variant": "Wi de"}], {}, "row 1: variant: expected lower-case letters, digits and -"),
        ([{**WIDE, "variant": 2}], {}, "row 1: variant: expected str"),
        ([WIDE, WIDE], {}, "karate/mlp-wide: stands in the table twice"),
        ([WIDE], {"baselines": ["gcn"]}, "baselines: expected a list of models of its rows: mlp"),
        ([WIDE], {"baselines": "mlp"}, "baselines: expected a list of models of its rows: mlp"),
    ],
)
def test_wrong_variants_and_baselines(places: Places, rows: list[dict], more: dict, says: str):
    write_table(places, *rows, **more)
    with pytest.raises(RequestError) as caught:
        load_table(places.tables, "tiny")
    assert says in str(caught.value)
