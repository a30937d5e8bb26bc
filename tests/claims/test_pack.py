"""Of which runs claims are made, and of which not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphkit.claim import claim
from graphkit.claim import main as claim_main
from graphkit.claims.content import without_paths
from graphkit.errors import CheckpointError, RequestError
from graphkit.metrics.registry import KINDS, parse
from graphkit.run import run
from graphkit.training.artifacts import config_digest, read_config
from graphkit.verify import verify
from tests.claims.forging import edit, forged
from tests.training.test_digests import make_old, reseal


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_no_claim_of_a_changed_run(runs, tmp_path: Path):
    folder = Path(shutil.copytree(runs["node"], tmp_path / "run"))
    path = folder / "result.json"
    record = json.loads(path.read_text())
    record["metrics"]["test"]["accuracy"]["per_seed"][1] = 99.0
    path.write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="result.json is truncated or was changed"):
        claim(folder, tmp_path / "claim.zip")
    reseal(folder, "result.json")
    with pytest.raises(CheckpointError, match=r"gives another figure than result.json \(test accuracy: .*, not 99\)"):
        claim(folder, tmp_path / "claim.zip")
    path.unlink()
    with pytest.raises(CheckpointError, match="has no result: let the run finish"):
        claim(folder, tmp_path / "claim.zip")
    assert not (tmp_path / "claim.zip").exists()


def test_no_claim_of_settings_that_were_not_run(runs, tmp_path: Path):
    """Settings typed into config.yaml and result.json, with digests to match: the weights tell."""
    folder = Path(shutil.copytree(runs["node"], tmp_path / "run"))
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("lr: 0.01", "lr: 0.05"))
    reseal(folder, "config.yaml")
    with pytest.raises(CheckpointError, match="belongs to other settings than config.yaml"):
        claim(folder, tmp_path / "claim.zip")
    record = result_of(folder)
    record["settings"]["train"]["lr"] = 0.05
    record["config_digest"] = config_digest(read_config(folder))
    (folder / "result.json").write_text(json.dumps(record))
    reseal(folder, "result.json")
    with pytest.raises(CheckpointError, match="best.safetensors belongs to other settings than config.yaml"):
        claim(folder, tmp_path / "claim.zip")


def test_no_place_is_taken_from_a_claim(claims, tmp_path: Path):
    def send(raw):
        raw["settings"]["data"]["root"] = str(tmp_path / "there")
        raw["settings"]["out"] = str(tmp_path / "out")

    assert verify(
        forged(claims["node"], lambda files: edit(files, "result.json", send), tmp_path / "forged.zip"), retrain=1
    ).holds
    assert [path.name for path in tmp_path.iterdir()] == ["forged.zip"]


def test_no_claim_without_what_it_needs(runs, tmp_path: Path):
    folder = Path(shutil.copytree(runs["node"], tmp_path / "run"))
    (folder / "seed-1" / "predictions.npz").unlink()
    with pytest.raises(CheckpointError, match="seed-1 lacks weights or predictions: make them again with resume="):
        claim(folder, tmp_path / "claim.zip")
    old = Path(shutil.copytree(runs["node"], tmp_path / "old"))
    make_old(old)
    with pytest.raises(CheckpointError, match="no claim can be made of it: run it again"):
        claim(old, tmp_path / "claim.zip")


def test_no_claim_of_pooled_epochs(tmp_path: Path):
    settings = {"task": {"name": "graph", "protocol": "last10"}, "dataset": "planted-graphs", "train": {"epochs": 1}}
    folder = run(**settings, seeds=1, device="cpu", out=str(tmp_path)).folder
    with pytest.raises(RequestError, match="its figures are of epochs of which no predictions are kept"):
        claim(folder, tmp_path / "claim.zip")


def test_the_door_tells_what_it_wrote(runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "c.zip"
    assert claim_main([f"run={runs['node']}", f"out={out}"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"wrote {out}: 2 seeds, {out.stat().st_size:,} bytes"
    assert second == f"claim {verify(out).claim.archive.digest}"
    for asked, told in [
        ([f"run={runs['node']}"], "give out=FILE"),
        (["out=x.zip"], "give run=FOLDER"),
        ([f"run={runs['node']}", "out=x", "exprt=ogb"], "unknown key 'exprt': did you mean export?"),
        ([f"run={runs['node']}", f"out={runs['node'] / 'config.yaml'}"], "that is a file of the run itself"),
        ([f"run={runs['node']}", f"out={tmp_path / 'no' / 'c.zip'}"], "there is no folder"),
        ([f"run={runs['node']}", "export=bibtex", "data.root=x"], "export=bibtex reads no data"),
    ]:
        assert claim_main(asked) == 2
        assert told in capsys.readouterr().err


def test_asking_and_mistakes_need_no_torch():
    code = """if True:
        import sys
        from graphkit.claim import main as claim
        from graphkit.verify import main as verify
        asked = [["--help"], ["--version"], ["run=no", "out=x.zip"], ["run=no", "export=bibtex"]]
        statuses = [claim(one) for one in asked] + [verify(one) for one in (["--help"], ["--version"], ["claims=x"], ["x.zip"])]
        print(statuses, file=sys.stderr)
        print([name for name in sys.modules if name in ("torch", "torch_geometric", "lightning_fabric")], file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-2:] == ["[0, 0, 2, 2, 0, 0, 2, 2]", "[]"], done.stderr
    assert "Traceback" not in done.stderr and "error: x.zip: expected key=value" in done.stderr
    assert "error: unknown key 'claims': did you mean claim?" in done.stderr


def test_every_metric_is_defined():
    for kind in KINDS:
        assert kind.meaning and kind.ties, kind.name
    assert parse("mae:triangle", "graph").definition() == {
        "direction": "lower is better",
        "unit": "as it is computed",
        "k": None,
        "target": "triangle",
        "meaning": "mean absolute error of the known numbers, in their unit",
        "ties": "none: no order is asked for",
    }
    assert parse("hits@20", "link").definition()["k"] == 20


def test_paths_become_names():
    assert without_paths({"a": ["read /data/x/e.csv, /data/x"]}, ["/data/x", "/data/x/e.csv"]) == {"a": ["read e.csv, x"]}
