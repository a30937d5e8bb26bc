import dataclasses
import json
import math

import pytest
import torch
from lightning_fabric import Fabric

from graphkit.errors import RequestError, RunError
from graphkit.training import loop, runner, runtime
from graphkit.training.protocol import LoopSettings
from graphkit.training.result import Pooled
from graphkit.training.runner import train_run
from tests.training.fakes import Heuristic, Regression, Scripted, config


def test_equals_a_plain_torch_loop(tmp_path):
    """Oracle: epochs, Adam, clipping, selection and restoring, written out without Fabric and without checkpoints."""
    settings = config(tmp_path, train={"epochs": 5, "weight_decay": 0.1, "clip_norm": 0.5})
    result = train_run(settings, Regression)

    runner.seed_everything(0)
    task = Regression(0)
    model = task.build_model()
    optimizer = torch.optim.Adam(task.stages(model)[0].groups, weight_decay=0.1, foreach=False)
    generator = torch.Generator().manual_seed(0)
    valid, test = [], []
    for _ in range(5):
        model.train()
        for batch in task.batches(generator):
            optimizer.zero_grad()
            task.step(model, batch, lambda loss: loss.backward())
            norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
            assert norm > 0.5  # or else clipping is not tested
            for p in model.parameters():
                p.grad *= 0.5 / (norm + 1e-6)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            metrics = task.evaluate(model).metrics
        valid.append(metrics["valid"]["fit"])
        test.append(metrics["test"]["fit"])
    best = max(range(5), key=lambda epoch: (valid[epoch], -epoch))
    assert result.best_epochs == (best + 1,)
    assert result.metrics["valid"]["fit"]["mean"] == pytest.approx(valid[best], rel=1e-4)
    assert result.metrics["test"]["fit"]["mean"] == pytest.approx(test[best], rel=1e-4)
    assert result.num_parameters == 6 * 8 + 8 + 8 + 8 + 8 + 1


def test_selects_by_validation_never_by_test(tmp_path):
    task = Scripted(valid=[1.0, 5.0, 3.0], test=[90.0, 10.0, 99.0])
    result = train_run(config(tmp_path, train={"epochs": 3}), lambda seed: task)
    assert result.best_epochs == (2,)
    assert result.metrics["test"]["score"]["mean"] == 10.0


class Errors(Scripted):
    """The same script as errors, of which the smallest is the best."""

    lower_is_better = True


def test_of_errors_the_lowest_is_selected_and_shown_as_it_is(tmp_path):
    task = Errors(valid=[5.0, 1.0, 3.0], test=[90.0, 10.0, 99.0])
    result = train_run(config(tmp_path, train={"epochs": 3}), lambda seed: task)
    assert result.best_epochs == (2,)
    assert (result.metrics["valid"]["score"]["mean"], result.metrics["test"]["score"]["mean"]) == (1.0, 10.0)
    ties = Errors([3.0, 1.0, 1.0, 1.0], valid_losses=[0.0, 2.0, 1.0, 5.0])
    assert train_run(config(tmp_path, train={"epochs": 4}), lambda seed: ties).best_epochs == (3,)
    patient = Errors([3.0, 1.0, 2.0, 2.0, 0.5])
    assert train_run(config(tmp_path, train={"epochs": 5, "patience": 2}), lambda seed: patient).best_epochs == (2,)
    with pytest.raises(RunError, match="the validation score is inf after epoch 2"):
        train_run(config(tmp_path, train={"epochs": 3}), lambda seed: Errors([1.0, math.inf, 0.0]))


class Final(Scripted):
    """A stage whose last epoch stands."""

    def stages(self, model):
        return [dataclasses.replace(stage, last=True) for stage in super().stages(model)]


def test_a_stage_may_keep_its_last_epoch(tmp_path):
    task = Final(valid=[5.0, 9.0, 3.0], test=[1.0, 2.0, 3.0], valid_losses=[0.0, 0.0, 9.0])
    result = train_run(config(tmp_path, train={"epochs": 3}), lambda seed: task)
    assert result.best_epochs == (3,) and result.metrics["test"]["score"]["mean"] == 3.0


def test_what_all_seeds_give_together_is_the_result(tmp_path):
    def together(metric, rows):
        assert metric == "score" and [row["valid/score"] for row in rows[1]] == [1.0, 5.0, 3.0]
        metrics = [{"valid": {"score": 7.0}, "test": {"score": 8.0 + seed}} for seed in rows]
        return Pooled(metrics, (3, 3), "one epoch for all", "These are pooled.")

    heard = []
    settings = config(tmp_path, train={"epochs": 3}, seeds=2)
    result = train_run(
        settings, lambda seed: Scripted([1.0, 5.0, 3.0]), over_seeds=together, tell=heard.append, notes=("A note.",)
    )
    assert result.metrics["test"]["score"] == {"mean": 8.5, "std": pytest.approx(0.5**0.5), "per_seed": [8.0, 9.0]}
    assert result.best_epochs == (3, 3) and result.notes == ("A note.", "These are pooled.") and heard == ["These are pooled."]
    assert json.loads((result.folder / "result.json").read_text())["selection"] == "one epoch for all"
    page = (result.folder / "report.html").read_text()
    assert "one epoch for all: 3, 3" in page and "epoch selected by" not in page


@pytest.mark.parametrize(
    ("valid_losses", "losses", "chosen"),
    [
        ([9.0, 3.0, 2.0, 2.0], {}, 3),  # the lower loss on validation, of equal ones the earlier epoch
        ([9.0, 2.0, 3.0, 1.0], {}, 4),
        ([0.0, 2.0, 3.0, 4.0], {}, 2),
        ([9.0, math.nan, math.inf, math.nan], {}, 2),  # what is not finite is the worst
        ([9.0, math.nan, 5.0, 4.0], {}, 4),
        (None, {2: -9.0}, 2),  # without such a loss the one in training, here minus the epochs before
        (None, {3: -9.0}, 3),
        (None, {3: 2.0, 4: 3.0}, 2),
    ],
)
def test_a_tie_goes_to_the_lower_loss_then_to_the_earlier_epoch(tmp_path, valid_losses, losses, chosen):
    task = Scripted([1.0, 7.0, 7.0, 7.0], [0.0, 20.0, 30.0, 40.0], losses, valid_losses)
    result = train_run(config(tmp_path, train={"epochs": 4}), lambda seed: task)
    assert result.best_epochs == (chosen,)
    assert result.metrics["test"]["score"]["mean"] == 10.0 * chosen


def test_a_better_metric_beats_any_loss(tmp_path):
    task = Scripted([5.0, 6.0, 5.0], valid_losses=[1.0, 9.0, 0.0])
    assert train_run(config(tmp_path, train={"epochs": 3}), lambda seed: task).best_epochs == (2,)
    assert task.evaluated == [1, 2, 3, 2] and task.asked == [1, 2]  # once per epoch; no loss where the metric fell


def test_a_metric_of_one_value_is_told(tmp_path):
    scripts = {0: [4.0, 4.0, 4.0], 1: [4.0, 5.0, 4.0], 2: [0.0, 0.0, 0.0]}
    settings, heard = config(tmp_path, seeds=3, train={"epochs": 3}), []
    result = train_run(settings, lambda seed: Scripted(scripts[seed]), tell=heard.append)
    expected = (
        "Validation score, which selects the epoch, took one value in seed 0 (4.00 in all 3 evaluations), seed 2 (0.00 in all "
        "3 evaluations): the loss alone decided."
    )
    assert result.notes == (expected,) and heard == [expected]
    assert json.loads((result.folder / "result.json").read_text())["notes"] == [expected]
    assert expected in (result.folder / "report.html").read_text()
    for once in (config(tmp_path, train={"epochs": 1}), config(tmp_path, train={"epochs": 3, "eval_every": 3})):
        assert train_run(once, lambda seed: Scripted(scripts[0])).notes == ()


def test_seeds_that_are_judged_by_other_metrics_are_not_mixed(tmp_path):
    def make(seed):
        task = Scripted([1.0, 2.0])
        task.metrics = ("score",) if seed == 0 else ("score", "other")
        return task

    with pytest.raises(RunError, match="seed 1 selects by score, seed 0 by score, or they report other metrics, as their data"):
        train_run(config(tmp_path, seeds=2, train={"epochs": 2}), make)


def test_patience_counts_evaluations(tmp_path):
    task = Scripted(valid=[1.0, 9.0, 2.0, 8.0, 3.0, 9.0, 99.0, 99.0])
    result = train_run(config(tmp_path, train={"epochs": 8, "eval_every": 2, "patience": 2}), lambda seed: task)
    assert task.evaluated == [2, 4, 6, 6]  # 9, 8 and 9 again, which is no gain although its lower loss selects it
    assert result.best_epochs == (6,)


def test_patience_is_counted_from_the_last_gain(tmp_path):
    task = Scripted(valid=[5.0, 4.0, 6.0, 5.0, 5.0, 9.0])
    train_run(config(tmp_path, train={"epochs": 6, "patience": 2}), lambda seed: task)
    assert task.evaluated == [1, 2, 3, 4, 5, 3]


def test_evaluates_every_few_epochs_and_after_the_last(tmp_path):
    task = Scripted(valid=[1.0, 2.0, 3.0, 4.0, 5.0])
    result = train_run(config(tmp_path, train={"epochs": 5, "eval_every": 3}), lambda seed: task)
    assert task.evaluated == [3, 5, 5]
    assert result.best_epochs == (5,)


def test_without_parameters_evaluates_once(tmp_path):
    task = Heuristic()
    result = train_run(config(tmp_path), lambda seed: task)
    assert result.best_epochs == (0,)
    assert result.num_parameters == 0
    assert result.metrics["test"]["score"]["mean"] == 41.5
    assert result.epoch_seconds is None
    assert (result.folder / "metrics.csv").read_text().splitlines()[1].startswith("0,0,,")
    assert (result.folder / "seed-0" / "best.safetensors").exists()


def test_no_epochs_evaluates_the_initial_weights(tmp_path):
    result = train_run(config(tmp_path, train={"epochs": 0}), Regression)
    runner.seed_everything(0)
    task = Regression(0)
    model = task.build_model().eval()
    with torch.no_grad():
        expected = task.evaluate(model).metrics
    assert result.best_epochs == (0,)
    assert result.metrics["valid"]["fit"]["mean"] == expected["valid"]["fit"]


def test_initial_weights_do_not_depend_on_what_the_data_consumed(tmp_path):
    def greedy(seed):
        torch.rand(17)
        return Regression(seed)

    plain = train_run(config(tmp_path, train={"epochs": 0}), Regression)
    assert train_run(config(tmp_path, train={"epochs": 0}), greedy).metrics == plain.metrics


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_epoch_step_and_remedy(tmp_path, value):
    task = Scripted(valid=[1.0] * 5, losses={3: value})
    with pytest.raises(RunError, match=r"the loss is (nan|inf) at epoch 3, step 1: lower train.lr"):
        train_run(config(tmp_path, train={"epochs": 5}), lambda seed: task)


def test_a_validation_metric_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(RunError, match=r"the validation score is nan after epoch 2"):
        train_run(config(tmp_path), lambda seed: Scripted(valid=[1.0, math.nan, 3.0]))


def test_an_epoch_without_batches_says_what_to_change(tmp_path):
    class Empty(Regression):
        def batches(self, generator):
            return iter(())

    with pytest.raises(RequestError, match=r"no training batch: lower train.batch_size"):
        train_run(config(tmp_path), Empty)


class Watching(Regression):
    """Notes dtype and autocast where they matter."""

    def __init__(self, seed):
        super().__init__(seed)
        self.seen = {}

    def step(self, model, batch, backward):
        def watched(loss):
            backward(loss)

        class Probe(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):
                self.seen["backward"] = torch.is_autocast_enabled("cpu")
                return gradient

        self.seen["step"] = (torch.is_autocast_enabled("cpu"), torch.get_default_dtype(), model[0].weight.dtype)
        self.seen["output"] = model(self._inputs(model)).dtype
        backward(Probe.apply(model[0].weight).sum() * 0.0)
        return super().step(model, batch, watched)

    def evaluate(self, model, splits=("valid", "test")):
        self.seen["evaluate"] = (torch.is_autocast_enabled("cpu"), torch.get_default_dtype())
        return super().evaluate(model, splits)


@pytest.mark.parametrize(
    ("precision", "dtype", "autocast", "output"),
    [
        ("32-true", torch.float32, False, torch.float32),
        ("64-true", torch.float64, False, torch.float64),
        ("bf16-mixed", torch.float32, True, torch.bfloat16),
    ],
)
def test_precision(tmp_path, monkeypatch, precision, dtype, autocast, output):
    monkeypatch.setattr(runtime, "native_bfloat16", lambda: True)
    tasks = []

    def make(seed):
        tasks.append(Watching(seed))
        return tasks[-1]

    result = train_run(config(tmp_path, precision=precision, train={"epochs": 3}), make)
    seen = tasks[0].seen
    assert seen["step"] == (autocast, dtype, dtype)
    assert seen["output"] == output
    assert seen["backward"] is False
    assert seen["evaluate"] == (False, dtype)  # mixed precisions evaluate in full precision
    assert torch.get_default_dtype() == torch.float32
    reference = train_run(config(tmp_path, train={"epochs": 3}), Watching)
    assert result.metrics["valid"]["fit"]["mean"] == pytest.approx(reference.metrics["valid"]["fit"]["mean"], rel=0.05)


def test_bf16_without_instructions_for_it_computes_in_single_precision_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "native_bfloat16", lambda: False)
    result = train_run(config(tmp_path, precision="bf16-mixed", train={"epochs": 2}), Regression)
    reference = train_run(config(tmp_path, train={"epochs": 2}), Regression)
    assert result.metrics == reference.metrics
    assert result.notes == ("this CPU has no bfloat16 instructions, so precision=bf16-mixed computes in 32-true",)
    assert json.loads((result.folder / "env.json").read_text())["precision"] == "32-true"
    assert runtime.resolve_precision("bf16-mixed", torch.device("cuda")) == ("bf16-mixed", None)


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"architecture": "x86_64", "amx_bf16": False, "avx512_bf16": False}, False),
        ({"architecture": "x86_64", "amx_bf16": True, "avx512_bf16": False}, True),
        ({"architecture": "x86_64", "amx_bf16": False, "avx512_bf16": True}, True),
        ({"architecture": "aarch64"}, True),
    ],
)
def test_native_bfloat16(monkeypatch, capabilities, native):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert runtime.native_bfloat16() is native


def test_progress_of_the_steps_is_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(runner.Reporter, "step", lambda self, position, epoch, done: told.append((position, epoch, done)))
    train_run(config(tmp_path, seeds=2, train={"epochs": 1}), Regression)
    assert told == [(seed, 1, step / 4) for seed in (0, 1) for step in (1, 2, 3, 4)]


def test_weights_of_a_state_are_copies():
    fabric = Fabric(accelerator="cpu", devices=1)
    trainer = loop.Trainer(Regression(0), LoopSettings.of(config(".")["train"]), fabric, 0, lambda epoch, done: None)
    trainer.advance()
    state = trainer.state()
    before = {name: tensor.clone() for name, tensor in state["model"].items()}
    trainer.advance()
    assert all(torch.equal(before[name], tensor) for name, tensor in state["model"].items())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_cuda(tmp_path, precision):
    settings = config(tmp_path, device="cuda", precision=precision, train={"clip_norm": 1.0})
    result = train_run(settings, lambda seed: Regression(seed, "cuda"))
    reference = train_run(config(tmp_path, train={"clip_norm": 1.0}), Regression)
    assert result.metrics["valid"]["fit"]["mean"] == pytest.approx(reference.metrics["valid"]["fit"]["mean"], rel=0.3)
