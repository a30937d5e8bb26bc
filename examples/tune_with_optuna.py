"""Tune settings of the runner with Optuna, by the validation metric; the test metric is looked at once, at the end.

pip install -c .ci/constraints.txt -e '.[hpo]'
python examples/tune_with_optuna.py
"""

import optuna

from graphkit.run import run
from graphkit.training.result import RunResult


def train(settings: dict[str, float], epochs: int, out: str) -> RunResult:
    """One run on the embedded digits graph with the settings of a trial."""
    return run(
        task="node",
        dataset="digits",
        model={"name": "gcn", "dropout": settings["dropout"]},
        train={"lr": settings["lr"], "epochs": epochs},
        out=out,
        progress=False,
    )


def main(trials: int = 20, epochs: int = 50, out: str = "runs/tuning") -> tuple[dict[str, float], RunResult]:
    """Return the best settings and their run."""

    def objective(trial: optuna.Trial) -> float:
        settings = {"lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True), "dropout": trial.suggest_float("dropout", 0.0, 0.8)}
        result = train(settings, epochs, out)
        trial.set_user_attr("folder", str(result.folder))
        return float(result.metrics["valid"][result.metric]["mean"])

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=trials)
    return study.best_params, train(study.best_params, epochs, out)


if __name__ == "__main__":
    best, result = main()
    print(f"best settings: {best}")
    for split, metrics in result.metrics.items():
        print(f"{split} {result.metric}: {metrics[result.metric]['mean']:.2f}")
    print(f"report: {result.folder / 'report.html'}")
