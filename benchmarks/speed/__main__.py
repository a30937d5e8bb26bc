"""`python -m benchmarks.speed [NAME ...]`: ours against its peers, in one process, after checking that both are equal."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from graphkit.errors import GraphkitError, RequestError
from graphkit.nearest import nearest


@dataclass(frozen=True)
class Benchmark:
    """A family of cases: the module whose `contests(options)` yields them, imported when it runs, and what it measures.

    `function` is the name of `contests` where a module has several families.
    """

    module: str
    summary: str
    function: str = "contests"


BENCHMARKS = {
    "propagation": Benchmark("benchmarks.speed.propagation", "sparse propagation at Gowalla's size, forward and backward"),
    "intersection": Benchmark(
        "benchmarks.speed.intersection", "common neighbors of pairs: counts, pooled features, differences"
    ),
    "ncn-step": Benchmark("benchmarks.speed.ncn_step", "a training step and an evaluation of NCN on ogbl-ddi"),
    "ncnc-step": Benchmark("benchmarks.speed.ncnc_step", "a training step of NCNC on ogbl-ddi, inner pairs scored once"),
    "gae-epoch": Benchmark("benchmarks.speed.gae_epoch", "an epoch of tuned GAE on ogbl-ddi"),
    "lightgcn-step": Benchmark("benchmarks.speed.lightgcn_step", "a training step and an epoch of LightGCN on Gowalla"),
    "sampling": Benchmark("benchmarks.speed.sampling", "an epoch of (user, item, other item) triples of Gowalla"),
    "ranking-evaluation": Benchmark("benchmarks.speed.ranking_evaluation", "full ranking of all items for Gowalla's users"),
    "directed-patterns": Benchmark(
        "benchmarks.speed.directed_patterns", "propagation along six directed patterns at Squirrel's size"
    ),
    **{
        f"sheaf-{maps}": Benchmark(
            "benchmarks.speed.sheaf", f"five layers of sheaf diffusion with {maps} maps at Squirrel's size, beside a GCN", maps
        )
        for maps in ("diagonal", "orthogonal", "general")
    },
    "ego-nets": Benchmark("benchmarks.speed.subgraphs", "k-hop balls of all nodes of ZINC-sized graphs", "ego_nets"),
    "ego-nets-large": Benchmark("benchmarks.speed.subgraphs", "2-hop balls of all of 20,000 nodes", "ego_nets_large"),
    "pair-layer": Benchmark("benchmarks.speed.subgraphs", "an SSWL+ layer on ZINC-sized graphs", "pair_layer"),
    "equivariant-maps": Benchmark(
        "benchmarks.speed.subgraphs", "the 15 equivariant maps, and SPEN's layer", "equivariant_maps"
    ),
    "projection": Benchmark("benchmarks.speed.prototype_projection", "projection of prototypes onto a million training parts"),
    "contexts": Benchmark("benchmarks.speed.contexts", "contexts of 100,000 nodes with 1,000,000 edges"),
    "clique-lifting": Benchmark("benchmarks.speed.cliques", "pairs of nodes in triangles and larger cliques, of 20,000 nodes"),
    "fastrp": Benchmark("benchmarks.speed.fastrp", "FastRP embeddings of 1,000,000 nodes with 10,000,000 edges"),
    "patch-similarity": Benchmark(
        "benchmarks.speed.patch_similarity",
        "similarities of 64 maps to 1,000 prototypes and their maximum, forward and backward",
    ),
    "graph-epoch": Benchmark("benchmarks.speed.graph_epoch", "shuffled batches and a training epoch of GIN on NCI1"),
    "recommend-scale": Benchmark("benchmarks.speed.recommend_scale", "epochs of LightGCN on 1e5, 1e6, ... interactions"),
}

_NOTES = """\
Ratio: peer / ours, medians of repeats taken in turn, each after an untimed call of its own side unless that takes over 10 s.
Share of the roofline: the least time that this machine's copy bandwidth and matrix products allow, over ours. Peak MB:
resident memory of the whole process while ours runs; added: what the call itself took, of ours and of the peer. Equal: the
largest difference allowed or found, relative to the peer's largest magnitude. EXTRAPOLATED in a case: a part was measured and
the whole computed from it, as the case says. A peer without a time only says what is right. All sides run with
GOMP_SPINCOUNT=0 and with glibc keeping freed memory, as `graphkit.run` does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0 success, 1 results differ, 2 the request is wrong.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # read when torch is imported, which has not happened yet
    given = _parser().parse_args(argv)
    if given.list:
        width = max(map(len, BENCHMARKS))
        print("\n".join(f"{name:{width}}  {one.summary}" for name, one in BENCHMARKS.items()))
        return 0
    try:
        return _run(_names(given.names), given)
    except GraphkitError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__, epilog=_NOTES)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure; default: all ({', '.join(BENCHMARKS)})")
    parser.add_argument("--list", action="store_true", help="list the names and exit")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of tables")
    parser.add_argument("--quick", action="store_true", help="tiny synthetic graphs: does everything work? times mean nothing")
    parser.add_argument("--threads", type=_count, default=0, metavar="N", help="CPU threads; default: all cores")
    parser.add_argument(
        "--largest", type=_interactions, default=10**7, metavar="N", help="most interactions of recommend-scale; default: 1e7"
    )
    parser.add_argument("--data", type=Path, metavar="ROOT", help="data folder; default: $GRAPHKIT_DATA, else synthetic graphs")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads: give 1 or more")
    return int(text)


def _interactions(text: str) -> int:
    try:
        count = int(float(text))
    except (ValueError, OverflowError):
        count = 0
    if count < 1_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of interactions: give 1000 or more, such as 1e8")
    return count


def _names(given: Sequence[str]) -> list[str]:
    wrong = [name for name in given if name not in BENCHMARKS]
    if wrong:
        raise RequestError("\n".join(f"unknown benchmark {name!r}: {_hint(name)}" for name in wrong))
    return list(dict.fromkeys(given)) or list(BENCHMARKS)


def _hint(name: str) -> str:
    near = nearest(name, BENCHMARKS)
    return f"did you mean {near}?" if near else f"choose one of {', '.join(BENCHMARKS)}"


def _run(names: Sequence[str], given: argparse.Namespace) -> int:
    data = _data_root(given.data)
    import torch

    from benchmarks.speed.harness import Options, measure
    from benchmarks.speed.machine import Machine, can_measure_memory
    from benchmarks.speed.report import as_json, as_table
    from graphkit.training.runtime import process_state

    if not can_measure_memory():
        _note("this system cannot reset a process's peak memory: no memory is measured")
    rows, machine = [], Machine(given.quick)
    options = Options(data, given.quick, _note, given.largest)
    page = sys.stderr if given.json else sys.stdout
    with contextlib.ExitStack() as stack:
        stack.enter_context(process_state(given.threads or _cores(), False, torch.device("cpu")))
        stack.enter_context(torch.sparse.check_sparse_tensor_invariants(False))  # else torch warns that it does not check
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))  # whatever a library prints, stdout carries results alone
        for name in names:
            gc.collect()  # what an earlier benchmark left counts for nobody's memory
            own, remarks = [], []
            for contest in getattr(import_module(BENCHMARKS[name].module), BENCHMARKS[name].function)(options):
                _note(f"{name}: {contest.cases[0].label}")
                found, remark = measure(name, contest, machine)
                own += found
                remarks += [remark] if remark else []
            rows += own
            print("\n".join([as_table(name, own), *remarks]), file=page, flush=True)
        print(f"{machine.describe()}\n{_NOTES}", file=page, flush=True)
    if given.json:
        print(as_json(rows), end="")
    return 0 if all(row.equal for row in rows) else 1


def _data_root(given: Path | None) -> Path | None:
    root = given or (Path(os.environ["GRAPHKIT_DATA"]) if os.environ.get("GRAPHKIT_DATA") else None)
    if given is not None and not given.is_dir():
        raise RequestError(f"--data={given}: there is no such folder; name the one that holds the data sets")
    return root


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
