"""Tune settings of the runner with Optuna, by the validation metric; the test metric is looked at once, at the end.

pip install -c .ci/constraints.txt -e '.[hpo]'
python examples/tune_with_optuna.py
"""

from graphkit.sweep import sweep
from graphkit.sweeps.trial import SweepResult


def main(trials: int = 20, epochs: int = 50, out: str = "runs/tuning") -> SweepResult:
    """Tune a GCN on the embedded digits graph; every trial is a run below the sweep's folder."""
    found = sweep(
        task="node",
        dataset="digits",
        model={"name": "gcn", "dropout": "interval(0,0.8)"},
        train={"lr": "tag(log,interval(1e-3,1e-1))", "epochs": epochs},
        trials=trials,
        out=out,
    )
    assert found is not None  # no other process works on it
    return found


if __name__ == "__main__":
    found = main()
    print(f"best settings: {dict(found.winner.values)}")
    for split, metrics in found.result.metrics.items():
        print(f"{split} {found.metric}: {metrics[found.metric]['mean']:.2f}")
    print(f"run it again: {found.command}")
    print(f"report: {found.folder / 'report.html'}")
