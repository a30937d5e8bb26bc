"""The door to comparisons, on small finished runs: pairs, refusals, budgets, the page."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from scipy import stats

from graphkit.compare import compare, main
from graphkit.comparison.answer import differences_of
from graphkit.errors import CheckpointError, RequestError
from graphkit.run import run
from graphkit.training.digests import Digests, sha256


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of three models on one split, and of two heuristics on splits that seeds draw."""
    out = str(tmp_path_factory.mktemp("runs"))
    common = {"device": "cpu", "out": out, "recipe": "none"}
    nodes = {
        name: run("node", "karate", name, train={"epochs": 3}, seeds=4, **common) for name in ("gcn", "sage", "mlp")
    }  # fmt: skip
    pairs = {name: run("link", "karate", name, seeds=5, **common) for name in ("aa", "cn")}
    return {name: result.folder for name, result in (nodes | pairs).items()}


def again(folder: Path, out: Path, **changes: object) -> Path:
    """A copy of a run, some fields of its result changed."""
    copy = out / f"{folder.name}-{len(list(out.iterdir()))}"
    shutil.copytree(folder, copy)
    data = json.dumps(json.loads((copy / "result.json").read_text()) | changes).encode()
    digests = Digests.read(copy)
    assert digests is not None
    digests.record({"result.json": sha256(data)})
    (copy / "result.json").write_bytes(data)
    return copy


def scores(folder: Path, metric: str) -> list[float]:
    return json.loads((folder / "result.json").read_text())["metrics"]["test"][metric]["per_seed"]


def test_one_split_is_compared_by_the_paired_t_test(runs: dict[str, Path]):
    found = compare(runs["gcn"], runs["sage"])
    assert (found.metric, found.seeds, found.resampled, found.ratio) == ("accuracy", (0, 1, 2, 3), False, 0.0)
    one, other = scores(runs["gcn"], "accuracy"), scores(runs["sage"], "accuracy")
    (difference,) = found.differences
    assert list(difference.by_seed.values()) == [a - b for a, b in zip(one, other, strict=True)]
    expected = stats.ttest_rel(one, other)
    assert difference.p == pytest.approx(expected.pvalue) == difference.corrected == difference.naive
    assert (difference.low, difference.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert "initialization" in found.test


def test_drawn_splits_are_compared_by_the_corrected_test(runs: dict[str, Path]):
    found = compare(runs["aa"], runs["cn"], metric="mrr")
    positives = {"train": 55, "test": 15}  # of 78 edges, 0.7 / 0.1 / 0.2
    assert found.resampled and found.ratio == pytest.approx(positives["test"] / positives["train"], rel=0.05)
    assert "Nadeau" in found.test and len(found.seeds) == 5
    (difference,) = found.differences
    assert difference.p is not None and difference.naive is not None and difference.p > difference.naive


def test_three_runs_are_corrected_by_holm(runs: dict[str, Path]):
    found = compare(runs["gcn"], runs["sage"], runs["mlp"])
    assert [(one.one, one.other) for one in found.differences] == [("gcn", "sage"), ("gcn", "mlp"), ("sage", "mlp")]
    p_values = sorted(one.p for one in found.differences if one.p is not None)
    corrected = sorted(one.corrected for one in found.differences if one.corrected is not None)
    assert corrected[0] == pytest.approx(min(1.0, 3 * p_values[0])) and corrected[-1] >= p_values[-1]


def test_smaller_errors_are_better(runs: dict[str, Path]):
    from dataclasses import replace

    found = compare(runs["gcn"], runs["sage"])
    by_seed = {"a": {0: 1.0, 1: 1.1, 2: 0.9}, "b": {0: 5.0, 1: 5.2, 2: 4.9}}
    (difference,) = differences_of(by_seed, ratio=0.0)
    assert replace(found, metric="mae").verdict(difference).startswith("a is better than b")
    assert replace(found, metric="accuracy").verdict(difference).startswith("b is better than a")


def test_runs_of_other_things_are_refused(runs: dict[str, Path], tmp_path: Path):
    with pytest.raises(RequestError, match=r"have another task \(node and link\)"):
        compare(runs["gcn"], runs["aa"])
    for field, value, what in (
        ("dataset", "cora", "data set"), ("split", "time", "split"), ("protocol", "Another one.", "protocol"),
    ):  # fmt: skip
        with pytest.raises(RequestError, match=f"have another {what}.*cannot be compared"):
            compare(runs["gcn"], again(runs["sage"], tmp_path, **{field: value}))
    stored = json.loads((runs["sage"] / "result.json").read_text())
    metrics = {split: {"roc-auc": part["accuracy"]} for split, part in stored["metrics"].items()}
    with pytest.raises(RequestError, match=r"another metric that selects \(accuracy and roc-auc\)"):
        compare(runs["gcn"], again(runs["sage"], tmp_path, metric="roc-auc", metrics=metrics))


def test_other_data_under_the_same_name_is_refused(tmp_path: Path):
    folders, lines = [], [f"{u},{v}" for u in range(12) for v in range(u + 1, min(u + 5, 12))]
    for name, kept, shares in (("a", lines, None), ("b", lines[1:], None), ("c", lines, [0.5, 0.25, 0.25])):
        edges = tmp_path / name / "edges.csv"
        edges.parent.mkdir()
        edges.write_text("\n".join(["source,target", *kept]))
        data = {"edges": str(edges)} | ({} if shares is None else {"split": shares})
        folders.append(run("link", "custom", "aa", data=data, seeds=3, device="cpu", out=str(tmp_path / name)).folder)
    for other, what in ((1, "content of the data"), (2, "settings of the data")):
        with pytest.raises(RequestError, match=f"have another {what}.*run one of them again as the other"):
            compare(folders[0], folders[other])


def test_too_few_shared_seeds(runs: dict[str, Path], tmp_path: Path):
    later = run("node", "karate", "mlp", train={"epochs": 1}, seed=2, seeds=3, device="cpu", out=str(tmp_path), recipe="none")
    with pytest.raises(RequestError, match="share 2 seeds, a test needs 3: run them with the same seeds"):
        compare(runs["gcn"], later.folder)


def test_what_is_no_finished_run(runs: dict[str, Path], tmp_path: Path):
    with pytest.raises(RequestError, match="a run is not compared with itself"):
        compare(runs["gcn"], f"{runs['gcn']}/.")
    with pytest.raises(CheckpointError, match="is no run folder"):
        compare(runs["gcn"], tmp_path)
    unfinished = again(runs["sage"], tmp_path)
    (unfinished / "result.json").unlink()
    with pytest.raises(CheckpointError, match="has not finished"):
        compare(runs["gcn"], unfinished)
    with pytest.raises(RequestError, match="metric=ndcg: .* has accuracy"):
        compare(runs["gcn"], runs["sage"], metric="ndcg")


def test_unequal_budgets_are_told(runs: dict[str, Path], tmp_path: Path):
    assert not [line for line in compare(runs["aa"], runs["cn"]).warnings if "epochs" in line or "trials" in line]
    longer = run("node", "karate", {"name": "gcn", "hidden_channels": 16}, train={"epochs": 4}, seeds=3,
                 device="cpu", out=str(tmp_path), recipe="none")  # fmt: skip
    sweep = tmp_path / "sweep-x"
    tuned = sweep / "trials/0003" / longer.folder.name
    shutil.copytree(longer.folder, tuned)
    (sweep / "sweep.json").write_text(json.dumps({"reported": "", "trials": [{}] * 30, "ranges": {"train.lr": "search"}}))
    found = compare(runs["sage"], tuned)
    assert found.budgets["gcn"]["trials"] == 30 and found.budgets["sage"]["trials"] is None
    told = " ".join(found.warnings)
    for words in (
        "epochs (sage 3, gcn 4)",
        "trials are known of a sweep alone",
        "tuned settings",
        "parameters",
        "Seeds 3 of sage",
    ):
        assert words in told
    (sweep / "sweep.json").write_text(json.dumps({"reported": f"trials/0003/{tuned.name}", "trials": [{}], "ranges": {}}))
    (sweep / "sweep.yaml").touch()
    assert compare(runs["sage"], sweep).folders["gcn"] == str(tuned)  # a sweep stands for its winner


def test_text_json_and_page(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page = tmp_path / "page.html"
    assert main([str(runs["gcn"]), str(runs["sage"]), str(runs["mlp"]), f"out={page}"]) == 0
    printed = capsys.readouterr().out
    assert "gcn - sage" in printed and "p, Holm" in printed and f"page: {page}" in printed
    html = page.read_text(encoding="utf-8")

    class Balanced(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balanced()
    parser.feed(html)
    assert parser.open == [] and "prefers-color-scheme: dark" in html and "http:" not in html and "<script" not in html
    assert (
        all(html.count(f"seed {seed}, ") == 3 for seed in range(4))
        and html.count("no difference") > 0
        and html.count(" to +") + html.count(" to -") >= 3
    )
    before = set(runs["gcn"].parent.iterdir())
    assert main([f"runs={runs['gcn']},{runs['sage']}", "format=json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"]["gcn"]["scores"] == scores(runs["gcn"], "accuracy")
    assert len(told["differences"]) == 1 and set(runs["gcn"].parent.iterdir()) == before
    assert main([str(runs["gcn"]), str(runs["sage"])]) == 0
    assert len(set(runs["gcn"].parent.iterdir()) - before) == 1  # the page, beside the first run


def test_runs_of_one_model_go_by_their_folders(runs: dict[str, Path], tmp_path: Path):
    copy = again(runs["gcn"], tmp_path)
    found = compare(runs["gcn"], copy)
    assert list(found.scores) == [runs["gcn"].name, copy.name]
    (difference,) = found.differences
    assert difference.p is None and "nothing is tested" in found.verdict(difference)


def test_wrong_requests(capsys: pytest.CaptureFixture[str]):
    assert main(["runs/a"]) == 2
    assert capsys.readouterr().err == (
        "error: give the folders of two or more finished runs: python -m graphkit.compare runs/A runs/B\n"
    )
    assert main(["a", "b", "metrc=x", "out=page.txt", "confidence=2"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: unknown key 'metrc': did you mean metric?",
        "error: confidence=2: expected a number from 0.5 to 0.9999",
        "error: out=page.txt: the page is HTML, name a file *.html",
    ]
    assert main(["--help"]) == 0 and "confidence=" in capsys.readouterr().out
