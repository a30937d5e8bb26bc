"""The committed tables and their pages, and the rule that rows are judged by; nothing is run."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.reproduce.__main__ import Places, main
from benchmarks.reproduce.judge import AGREES, DISAGREES, NOT_COMPARABLE, UNPUBLISHED, judge
from benchmarks.reproduce.table import Published, Row, load_table, table_names
from graphkit.errors import RequestError

ROOT = Path(__file__).parents[2]
COMMITTED = Places(runs=Path("nowhere"))


# ------------------------------------------------------------------------------------------------------ committed tables


table = functools.cache(functools.partial(load_table, COMMITTED.tables))  # composing a row's settings takes its time
ROWS = {"explain": 18, "graph": 33, "link": 57, "node": 151, "recommend": 23, "vision": 12}  # of every committed table


def test_every_committed_table_is_counted():
    assert {name: len(table(name).rows) for name in table_names(COMMITTED.tables)} == ROWS


@pytest.mark.parametrize("name", ROWS)
def test_every_committed_row_resolves(name: str):
    resolved = 0
    for row in table(name).rows:
        config = row.config
        assert (config["task"]["name"], config["dataset"], config["model"]["name"]) == (row.task, row.dataset, row.model)
        assert config["seeds"] == row.seeds
        resolved += 1
    assert resolved == ROWS[name]


@pytest.mark.parametrize("name", ROWS)
def test_committed_page_is_what_the_committed_results_give(name: str, capsys: pytest.CaptureFixture[str]):
    status = main([name, "--check"], COMMITTED)
    assert (status, capsys.readouterr().err) == (0, "")


def test_published_figures_of_the_main_rows():
    rows = {row.label: row for row in table("link").rows}
    assert rows["ogbl-ddi/ncn"].published.test == (82.32, 6.1) and rows["ogbl-ddi/ncn"].published.valid == (71.72, 0.25)
    assert [rows[f"ogbl-ddi/{model}"].published.test for model in ("cn", "aa", "ra")] == [
        (17.73, None),
        (18.61, None),
        (6.23, None),
    ]
    assert "27.60" in rows["ogbl-ddi/ra"].note and rows["ogbl-ddi/ra"].exact
    assert rows["cora/ncn"].published.test == (89.05, 0.96) and rows["citeseer/gae"].published.test == (91.78, 0.94)
    assert (rows["cora/ncn"].seeds, rows["cora/ncn"].published.n) == (10, 10)
    assert not any(rows[f"{data}/{model}"].comparable for data in ("cora", "citeseer") for model in ("cn", "aa", "ra"))


def test_published_figures_of_recommendation():
    rows = {row.label: row for row in table("recommend").rows}
    figures = {label: tuple(one.published.test[0] for one in row.by_metric()) for label, row in rows.items() if row.published}
    assert figures == {
        "gowalla/mostpop": (4.16, 3.17),
        "gowalla/itemknn": (15.70, 12.14),
        "gowalla/gf-cf": (18.49, 15.18),
        "gowalla/bpr-mf": (16.27, 13.78),
        "gowalla/lightgcn": (18.24, 15.47),
        "gowalla/ultragcn": (18.62, 15.80),
    }
    for label, row in rows.items():
        assert [one.metric for one in row.by_metric()] == ["recall@20", "ndcg@20"]
        assert (row.config["task"]["protocol"] == "lightgcn") == label.startswith("gowalla/")
        assert row.curve == (row.epochs > 0)
    assert rows["gowalla/mostpop"].exact and rows["gowalla/gf-cf"].tolerance == 0.01
    assert [label for label, row in rows.items() if row.published and not row.comparable] == [
        "gowalla/itemknn",
        "gowalla/bpr-mf",
    ]
    assert rows["gowalla/lightgcn"].epochs == 1000 and rows["gowalla/lightgcn"].last_epoch
    assert "gowalla/ease" not in rows and "6.72 GB" in rows["lastfm/ease"].note


def test_the_node_table_has_every_model_on_every_data_set():
    node = table("node")
    sheaves = [f"sheaf-{maps}" for maps in ("identity", "diagonal", "orthogonal", "general")]
    models = [*sheaves, "polynsd", "dir-gnn", "adpa", "gcn", "sage", "mlp", "linkx"]
    names = ("texas", "wisconsin", "actor", "squirrel-filtered", "minesweeper", "tolokers", "cora-geom", "citeseer-geom")
    rows = {row.label: row for row in node.rows}
    assert {f"{name}/{model}" for name in names for model in models} <= rows.keys()
    assert node.baselines == ("gcn", "sage", "gat", "mlp", "linkx")
    for label, row in rows.items():
        assert row.seeds == 10 and row.metric == ("roc-auc" if row.dataset in ("minesweeper", "tolokers") else "accuracy")
        config = row.config["model"]
        if row.model not in ("sheaf", "polynsd"):
            continue
        maps = row.variant or "diagonal"
        assert config["maps"] == maps and config["edge_weights"] == (maps == "orthogonal"), label
        alike = rows[f"{row.dataset}/sheaf-diagonal"].config
        own = ("name", "maps", "edge_weights", "degree")  # and nothing else tells the sheaf rows of a data set apart
        assert {key: config[key] for key in config if key not in own} == {
            key: alike["model"][key] for key in alike["model"] if key not in own
        }
        assert row.config["train"] == alike["train"]


def test_published_figures_of_node_classification():
    rows = {row.label: row for row in table("node").rows}

    def printed(label: str) -> tuple[float, float | None]:
        assert (published := rows[label].published) is not None
        return published.test

    nsd = {
        "texas": ((85.67, 6.95), (85.95, 5.51), (82.97, 5.13)),
        "wisconsin": ((88.63, 2.75), (89.41, 4.74), (89.21, 3.84)),
        "actor": ((37.79, 1.01), (37.81, 1.15), (37.80, 1.22)),
        "cora-geom": ((87.14, 1.06), (86.90, 1.13), (87.30, 1.15)),
        "citeseer-geom": ((77.14, 1.85), (76.70, 1.57), (76.32, 1.65)),
    }
    for name, figures in nsd.items():
        assert tuple(printed(f"{name}/sheaf-{maps}") for maps in ("diagonal", "orthogonal", "general")) == figures
    assert printed("squirrel-filtered/sheaf-orthogonal") == (35.79, 3.34)
    assert printed("minesweeper/sheaf-orthogonal") == (92.15, 0.84) and printed("tolokers/sheaf-orthogonal") == (78.83, 0.76)
    assert printed("squirrel-filtered/gcn") == (45.01, 1.63) and rows["squirrel-filtered/gcn"].comparable
    assert printed("minesweeper/sage") == (97.77, 0.62) and rows["minesweeper/sage"].published.n == 3
    unfiltered = [label for label, row in rows.items() if "unfiltered" in row.note and not row.comparable]
    assert unfiltered == [
        "squirrel-filtered/sheaf-diagonal",
        "squirrel-filtered/sheaf-general",
        "squirrel-filtered/polynsd",
        "squirrel-filtered-directed/dir-gnn",
    ]
    assert not any(row.published and row.comparable for row in rows.values() if row.model in ("adpa", "mlp"))
    assert not any(rows[f"{name}/sheaf-identity"].published for name in nsd)


def test_a_recipe_s_figure_is_not_shown_beside_other_settings(tmp_path: Path):
    row = {"task": "node", "dataset": "texas", "model": "sheaf", "seeds": 10, "metric": "accuracy"}
    row |= {"published": {"from": "recipe", "n": 10}, "overrides": {"model.maps": "general"}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"title": "A tiny table", "rows": [row]}))
    with pytest.raises(RequestError, match="the row has other settings than the recipe's figure is of"):
        load_table(tmp_path, "tiny")


def test_asking_needs_no_torch():
    code = """if True:
        import sys
        from benchmarks.reproduce.__main__ import main
        requests = [["link", "--list"], ["link", "--check"], ["lnik"], ["link", "--only", "corra"]]
        print([main(request) for request in requests], file=sys.stderr)
        print([name for name in ("torch", "torch_geometric") if name in sys.modules], file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-2:] == ["[0, 0, 2, 2]", "[]"]
    assert "error: no table 'lnik': did you mean link?" in done.stderr
    assert "error: --only corra: did you mean cora?" in done.stderr
    assert "    python -m graphkit.run task=link dataset=cora model=ncn seeds=10\n" in done.stdout


# -------------------------------------------------------------------------------------------------------------- the rule


def published(mean: float, std: float | None, **values: object) -> Row:
    return Row("link", "karate", "cn", 1, "roc-auc", published=Published((mean, std), None, 10, "a paper"), **values)


@pytest.mark.parametrize(
    ("mean", "tolerance", "answer"),
    [
        (89.05 - 2 * 0.96, 2.0, AGREES),  # exactly two deviations
        (89.05 + 2 * 0.96, 2.0, AGREES),
        (87.12, 2.0, DISAGREES),
        (90.98, 2.0, DISAGREES),
        (88.10, 1.0, AGREES),
        (88.08, 1.0, DISAGREES),
        (89.05, 0.0, AGREES),
        (89.06, 0.0, DISAGREES),
    ],
)
def test_within_deviations(mean: float, tolerance: float, answer: str):
    assert judge(published(89.05, 0.96), mean, tolerance) == answer


@pytest.mark.parametrize(("mean", "answer"), [(17.7349, AGREES), (17.7251, AGREES), (17.7351, DISAGREES), (17.7249, DISAGREES)])
def test_deterministic_rows_by_printed_digits(mean: float, answer: str):
    assert judge(published(17.73, None, exact=True), mean, tolerance_std=100.0) == answer


@pytest.mark.parametrize(
    ("mean", "answer"), [(18.4999, AGREES), (18.5049, AGREES), (18.5051, DISAGREES), (18.4751, AGREES), (18.4749, DISAGREES)]
)
def test_a_named_distance_is_of_what_is_printed(mean: float, answer: str):
    assert judge(published(18.49, None, tolerance=0.01, note="why"), mean, tolerance_std=100.0) == answer


def test_rows_that_are_not_judged():
    short = published(89.05, 0.96, overrides={"train.epochs": 5}).shortened(2)
    assert judge(short, 89.05) == judge(short, 0.0) == "incomplete: 2 of 5 epochs"
    assert published(89.05, 0.96, overrides={"train.epochs": 5}).shortened(5).full_epochs is None
    assert judge(published(10.0, 1.0, comparable=False, note="another split"), 90.0) == NOT_COMPARABLE
    assert judge(Row("link", "karate", "cn", 1, "roc-auc"), 90.0) == UNPUBLISHED
