"""The speed benchmark's machinery: what it checks, measures and prints. No test here looks at how long anything takes."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from benchmarks.speed import graphs, harness
from benchmarks.speed import machine as machines
from benchmarks.speed.__main__ import BENCHMARKS, Benchmark, main
from benchmarks.speed.harness import Case, Contest, Options, Side, Work, largest_difference, measure
from benchmarks.speed.machine import Machine, can_measure_memory, with_memory
from benchmarks.speed.search_peer import Rows
from graphkit.errors import DataError
from graphkit.sparse import CSR

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"name", "case", "ours_ms", "peer", "peer_ms", "ratio", "equal", "peak_mb"}


def side(name, value, calls=None):
    def call():
        if calls is not None:
            calls.append(name)
        return {"forward": torch.tensor(value)}

    return Side(name, call)


def machine(copies=1e9, fp32=1e11, bf16=4e11):
    """A machine whose rates are known."""
    known = Machine(quick=True)
    known.__dict__.update(copy_rate=copies, gemm_rate=fp32, bf16_gemm_rate=bf16)
    return known


def case(ours, peer, tolerance=1e-5):
    return Case("a case", ours, peer, Work("nothing", bytes=1.0), tolerance)


@pytest.fixture
def fake(monkeypatch):
    """Register a benchmark named `fake` with these contests."""

    def register(*given):
        module = types.ModuleType("fake_speed_cases")
        module.contests = lambda options: iter(given)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(BENCHMARKS, "fake", Benchmark(module.__name__, "made up"))

    return register


@pytest.fixture
def clock(monkeypatch):
    """Time that stands still but where a side says how long it took."""
    now = [0.0]
    monkeypatch.setattr(harness.time, "perf_counter", lambda: now[0])

    def takes(name, durations, value=1.0):
        left = list(durations)

        def call():
            now[0] += left.pop(0) if len(left) > 1 else left[0]
            return {"forward": torch.tensor([value])}

        return Side(name, call)

    return takes


# -------------------------------------------------------------------------------------------------------- the command


def test_quick_run_of_everything(capsys, monkeypatch):
    monkeypatch.setattr(harness, "_MOST_ROUNDS", 1)
    before = torch.get_num_threads()
    assert main(["--quick", "--json", "--threads", "1"]) == 0
    assert torch.get_num_threads() == before
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert all(row.keys() >= KEYS for row in rows)
    assert all(row["equal"] is True for row in rows)
    for row in rows:
        if row["name"] == "recommend-scale":  # its peer says what is right and is not timed
            assert row["peer_ms"] is row["ratio"] is None
        else:
            assert row["ratio"] == pytest.approx(row["peer_ms"] / row["ours_ms"])
        assert row["repeats"] >= 1 and row["ours_ms"] > 0 and row["roofline_ms"] > 0
        assert (row["peak_mb"] is not None and row["peak_mb"] > 10) == can_measure_memory()
    assert list(dict.fromkeys(row["name"] for row in rows)) == list(BENCHMARKS)
    peers = {name: {row["peer"] for row in rows if row["name"] == name} for name in BENCHMARKS}
    assert {"PyG LGConv, edge_index", "PyG LGConv, torch CSR", "PyG EdgeIndex.matmul", "torch.sparse.mm"} <= peers[
        "propagation"
    ]
    assert {"sorted-key search"} < peers["intersection"]
    assert {"PyG LightGCN, edge_index", "torch.sparse COO, autograd"} <= peers["lightgcn-step"]
    exact = [row for row in rows if "bf16" not in row["case"]]
    assert len(exact) == len(rows) - 2 and max(row["difference"] for row in exact) < 1e-4
    assert "threads: 1, torch" in err
    assert "words of packed rows" in err


def test_quick_table_of_one(capsys):
    assert main(["intersection", "--quick", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "sorted-key search" in out and "roofline: " in out and "threads: 1, torch" in out
    assert "propagation" not in out


def test_unknown_names_are_reported_at_once(capsys):
    assert main(["propagaton", "intersection", "zzz"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "error: unknown benchmark 'propagaton': did you mean propagation?"
    assert err[1].startswith("error: unknown benchmark 'zzz': choose one of propagation, ")
    assert len(err) == 2


@pytest.mark.parametrize("arguments", [["ncnstep"], ["--list"]])
def test_asking_needs_no_torch(arguments):
    code = f"import sys; from benchmarks.speed.__main__ import main; main({arguments!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "False"
    if arguments == ["--list"]:
        assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == list(BENCHMARKS)


@pytest.mark.parametrize("threads", ["0", "-1", "many"])
def test_wrong_thread_counts_are_refused(threads, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([f"--threads={threads}"])
    assert stopped.value.code == 2
    assert "give 1 or more" in capsys.readouterr().err


def test_a_data_folder_must_exist(tmp_path, capsys):
    assert main(["propagation", f"--data={tmp_path / 'nowhere'}"]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_unequal_results_exit_1_and_are_not_timed(fake, capsys):
    same = side("peer", [1.0, 2.0])
    fake(Contest([case(side("good", [1.0, 2.0]), same), case(side("bad", [1.0, 2.1]), same)], seconds=0.01))
    assert main(["fake", "--quick", "--json", "--threads", "1"]) == 1
    good, bad = json.loads(capsys.readouterr().out)
    assert good["equal"] is True and good["ratio"] is not None
    assert bad["equal"] is False and bad["ours_ms"] is bad["peer_ms"] is bad["ratio"] is None
    assert bad["difference"] == pytest.approx(0.05)
    assert main(["fake", "--quick", "--threads", "1"]) == 1
    assert "NO, 5e-02" in capsys.readouterr().out


def test_nan_is_unequal_and_still_json(fake, capsys):
    fake(Contest([case(side("ours", [float("nan")]), side("peer", [float("nan")]))]))
    assert main(["fake", "--quick", "--json", "--threads", "1"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["equal"] is False and row["difference"] is None


def test_a_missing_optional_peer_is_left_out_and_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch_scatter", None)  # makes its import fail
    assert main(["propagation", "--quick", "--json", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert "torch-scatter" not in {row["peer"] for row in json.loads(out)}
    assert "torch-scatter is not installed" in err


def test_an_optional_peer_that_is_there_is_measured(monkeypatch, capsys):
    stand_in = types.ModuleType("torch_scatter")
    stand_in.scatter = lambda src, index, dim, dim_size: src.new_zeros(dim_size, src.size(1)).index_add(dim, index, src)
    monkeypatch.setitem(sys.modules, "torch_scatter", stand_in)
    assert main(["propagation", "--quick", "--json", "--threads", "1"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["peer"] == "torch-scatter" and row["equal"] for row in rows) == 2


# -------------------------------------------------------------------------------------------------------- the harness


def test_medians_ranges_and_ratio(clock):
    first, warm = [0.0] * 2, 0.0  # check, memory and warm-up are no repeats
    ours = clock("ours", [*first, warm, 2.0, warm, 1.0, warm, 9.0, warm])
    peer = clock("peer", [*first, warm, 6.0, warm, 6.0, warm, 6.0, warm])
    (row,), _ = measure("x", Contest([case(ours, peer)], seconds=1.0), machine())
    assert row.repeats == 3  # rounds of more than 4 s get three
    assert (row.ours_ms, row.peer_ms, row.ratio) == (2000.0, 6000.0, 3.0)
    assert row.ours_range_ms == (1000.0, 9000.0)


def test_a_short_round_is_repeated_until_the_time_is_up(clock):
    ours, peer = clock("ours", [0.1]), clock("peer", [0.3])
    contest = Contest([case(ours, peer)], seconds=8.0)
    (row,), _ = measure("x", contest, machine())
    assert row.repeats == 10  # of 0.4 s and as much before it that is not timed
    (row,), _ = measure("x", Contest([case(ours, peer)], seconds=0.0), machine())
    assert row.repeats == 5


def test_sides_take_turns_and_a_shared_one_runs_once_a_round():
    calls = []
    shared = side("peer", [1.0], calls)
    cases = [case(side("a", [1.0], calls), shared), case(side("b", [1.0], calls), shared)]
    rows, _ = measure("x", Contest(cases, seconds=0.0), machine())
    assert [row.peer for row in rows] == ["peer", "peer"]
    assert calls[-30:] == ["a", "a", "peer", "peer", "b", "b"] * 5  # each once without being timed


def test_results_are_checked_apart_from_what_is_timed_where_a_side_says_so():
    def timed():
        return None

    ours = Side("ours", timed, results=lambda: {"gradient": torch.ones(2)})
    peer = Side("peer", timed, results=lambda: {"gradient": torch.tensor([1.0, 1.5])})
    (row,), _ = measure("x", Contest([case(ours, peer)], seconds=0.0), machine())
    assert not row.equal and row.repeats == 0
    (row,), _ = measure("x", Contest([case(ours, peer, tolerance=0.5)], seconds=0.0), machine())
    assert row.equal and row.repeats >= 5


def test_a_side_that_only_checks_is_not_timed():
    oracle = Side("oracle", None, results=lambda: {"forward": torch.tensor([1.0])})
    (row,), _ = measure("x", Contest([case(side("ours", [1.0]), oracle)], seconds=0.0), machine())
    assert row.equal and row.ours_ms is not None and row.repeats >= 5
    assert row.peer_ms is row.ratio is row.peer_peak_mb is None
    (row,), _ = measure("x", Contest([case(side("ours", [2.0]), oracle)], seconds=0.0), machine())
    assert not row.equal and row.ours_ms is None


def test_an_extrapolated_side_says_its_own_seconds(clock):
    peer = Side("peer", lambda: {"forward": torch.tensor([1.0])}, seconds=lambda: 12.0)
    (row,), _ = measure("x", Contest([case(clock("ours", [3.0]), peer)], seconds=0.0), machine())
    assert (row.ours_ms, row.peer_ms, row.ratio) == (3000.0, 12000.0, 4.0)


def test_what_was_compared_is_printed(fake, capsys):
    one = Case("a case", side("ours", [1.0]), side("peer", [1.0]), Work("nothing", bytes=1.0), checked="all that matters")
    fake(Contest([one], seconds=0.01))
    assert main(["fake", "--quick", "--threads", "1"]) == 0
    assert "equal: all that matters" in capsys.readouterr().out


def test_remark_sees_the_medians(clock):
    ours, peer = clock("ours", [0.5]), clock("peer", [2.0])
    contest = Contest([case(ours, peer)], seconds=0.0, remark=lambda ms: f"{ms[ours]:g} and {ms[peer]:g}")
    assert measure("x", contest, machine())[1] == "500 and 2000"


def test_difference_is_relative_and_sees_every_tensor():
    one = {"forward": torch.tensor([100.0, 1.0]), "gradient": torch.tensor([4.0])}
    assert largest_difference(one, one) == 0.0
    assert largest_difference({**one, "forward": torch.tensor([100.0, 2.0])}, one) == pytest.approx(0.01)
    assert largest_difference({**one, "gradient": torch.tensor([5.0])}, one) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="return other things"):
        largest_difference({"forward": one["forward"]}, one)
    with pytest.raises(ValueError, match="return other things"):
        largest_difference({**one, "gradient": torch.ones(2)}, one)


def test_roofline_takes_the_longer_of_bytes_and_flops():
    assert Work("", bytes=2e9).ms(machine()) == 2000.0
    assert Work("", bytes=2e9, flops=4e11).ms(machine()) == 4000.0
    assert Work("", bytes=2e9, flops=4e11, bf16=True).ms(machine()) == 2000.0


def test_rates_are_of_this_machine():
    own = Machine(quick=True)
    assert "copies" not in own.describe()
    assert own.copy_rate > 0 and own.gemm_rate > 0 and own.bf16_gemm_rate > 0
    assert "bf16 GEMM" in own.describe()


@pytest.mark.skipif(not can_measure_memory(), reason="this system cannot reset a process's peak memory")
def test_memory_is_that_of_the_call():
    _, large = with_memory(lambda: torch.ones(50 * 2**18).sum())  # 50 MiB of float32
    _, small = with_memory(lambda: torch.ones(2**10).sum())
    assert 45 < large.added < 80
    assert small.added < 20 and small.peak < large.peak


def test_without_a_high_water_mark_no_memory_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setattr(machines, "_CLEAR", tmp_path / "no" / "clear_refs")
    assert with_memory(lambda: 3) == (3, None)


# --------------------------------------------------------------------------------------------------- graphs and peers


def test_synthetic_graphs_are_distinct_skewed_and_repeat():
    draw = [graphs.skewed_pairs(500, 4_000, torch.Generator().manual_seed(0)) for _ in range(2)]
    assert torch.equal(*draw)
    pairs = draw[0]
    assert pairs.shape == (2, 4_000) and bool((pairs[0] < pairs[1]).all())
    assert torch.unique(pairs, dim=1).size(1) == 4_000
    degree = pairs.flatten().bincount(minlength=500)
    assert degree.max() > 4 * degree.double().mean()


def test_interactions_are_read_and_items_follow_users(tmp_path):
    file = tmp_path / graphs.GOWALLA
    file.parent.mkdir(parents=True)
    file.write_text("0 2 0\n1\n2 1\n")
    assert graphs.read_interactions(file, 3, 3).tolist() == [[0, 0, 2], [5, 3, 4]]
    name, edge_index, num_nodes = graphs.gowalla(Options(tmp_path, quick=False, note=pytest.fail))
    assert (name, num_nodes, edge_index.size(1)) == ("gowalla", 70_839, 6)
    file.write_text("0 2\n1 x\n")
    with pytest.raises(DataError, match="line 2: a user id"):
        graphs.read_interactions(file, 3, 3)
    file.write_text("0 3\n")
    with pytest.raises(DataError, match="line 1: an id is out of range"):
        graphs.read_interactions(file, 3, 3)


def test_search_peer_equals_plain_sets():
    edges = torch.randint(30, (2, 150), generator=torch.Generator().manual_seed(0))
    adj = CSR.from_edge_index(edges, 30)
    rows = Rows(adj.rowptr, adj.col)
    pairs = torch.randint(30, (2, 40), generator=torch.Generator().manual_seed(1))
    neighbors = [set() for _ in range(30)]
    for source, target in edges.t().tolist():
        neighbors[target].add(source)
    for keys, wanted in ((rows.common(pairs), set.__and__), (rows.left(pairs), set.__sub__)):
        found = [set() for _ in range(40)]
        for key in keys.tolist():
            found[key >> 32].add(key & 0xFFFFFFFF)
        assert found == [wanted(neighbors[i], neighbors[j]) for i, j in pairs.t().tolist()]
    x = torch.randn(30, 4)
    pooled = rows.pool(rows.common(pairs), 40, x)
    expected = [x[sorted(neighbors[i] & neighbors[j])].sum(0) for i, j in pairs.t().tolist()]
    torch.testing.assert_close(pooled, torch.stack(expected))


@pytest.mark.data("ogbl_ddi", "LightGCN")
def test_real_graphs_are_taken_where_they_lie(data_root):
    options = Options(data_root, quick=False, note=pytest.fail)
    name, edge_index, num_nodes = graphs.gowalla(options)
    assert (name, num_nodes, edge_index.size(1)) == ("gowalla", 70_839, 2 * 810_128)
    assert graphs.ddi(options).name == "ogbl-ddi"
