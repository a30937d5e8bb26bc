"""The settings of `python -m graphkit.expressiveness`, the check of a request, and its help page. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from graphkit.conf.arguments import Assignment
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.request import read_known
from graphkit.conf.setting import Setting, count, depth, setting, settings_table, weight, width
from graphkit.errors import RequestError, shown
from graphkit.nearest import did_you_mean

FLAGS = {"--help": "this page", "--version": "the version"}

MODELS = (
    "deepsets",
    "gcn",
    "gin",
    "ds",
    "dss",
    "ngnn",
    "id-gnn",
    "gnn-ak",
    "gnn-ak+",
    "sun",
    "swl",
    "swl-sv",
    "pswl",
    "pswl-sv",
    "gswl",
    "sswl",
    "sswl+",
    "k-path",
    "spen",
    "ppgn",
    "ppgn++",
    "ppgn++6",
)
"""Those of `graphkit.separation.networks.NETWORKS`."""
TESTS = (
    "1-wl",
    "swl-vs",
    "swl-sv",
    "pswl-vs",
    "pswl-sv",
    "gswl",
    "sswl",
    "lfwl",
    "slfwl",
    "fwl",
    "node-deleted",
    "edge-deleted",
    "dss-edge-deleted",
    "ego1",
    "ego2",
    "ego3",
    "ego+1",
    "ego+2",
    "ego+3",
)
"""Those of `graphkit.separation.refinement.CLASSES`."""
POLICIES = ("node-marking", "distance", "ego", "ego+", "ego-distance", "node-deleted", "edge-deleted", "path")
"""Those of `graphkit.layers.POLICIES`."""
SOURCES = ("generated", "brec")
ALL = "all"

_UNTRAINED = {"draws", "copies", "factor"}
_TRAINED = {"out", "seeds", "relabelings", "epochs", "lr", "weight_decay", "batch_size", "stop_loss"}


@dataclass(frozen=True)
class Expressiveness:
    """A request for verdicts on pairs of graphs."""

    model: str | None = setting(
        None, f"names of networks, with commas, or {ALL}; default: sswl+, and none where test= is given; {', '.join(MODELS)}"
    )
    test: str | None = setting(None, f"classes of color refinement, with commas, or {ALL}: {', '.join(TESTS)}")
    pairs: str = setting(
        "generated",
        "generated: 67 pairs made on the spot; brec: the 400 pairs of BREC; or a file of graphs in graph6, one per line",
    )
    pairing: str = setting(
        "all", "of a file: all makes a pair of every two graphs, next of the first and second, the third and fourth, ...",
        choices=("all", "next"),
    )  # fmt: skip
    only: str | None = setting(None, "categories or names of pairs, with commas; the others are left out")
    policy: str | None = setting(None, "bags of the networks; default: each network's own", choices=POLICIES)
    hops: int | None = setting(None, "radius of bags that have one; default: 1 of spen, else 2", low=0, high=1000)
    length: int | None = setting(None, "nodes of the paths at the root of bags; default 2", low=1, high=10)
    protocol: str = setting(
        "untrained",
        "untrained: random weights in float64, with relabeled copies as control; brec: train on every pair and test the "
        "difference, as BREC prescribes",
        choices=("untrained", "brec"),
    )
    width: int = width(16, "channels of the networks")
    layers: int = depth(6, "layers of the networks")
    draws: int = count(3, "untrained: how often weights are drawn", low=1, high=1000)
    copies: int = count(2, "untrained: relabeled copies of every graph, the control", low=1, high=1000)
    factor: float = weight(
        1000.0, "untrained: a pair is separated if its difference exceeds this many times that of the control", low=1.0
    )
    seed: int = setting(0, "of weights and of relabelings", low=0, high=2**32)
    out: str | None = setting(
        None, "protocol=brec: a file of results, one JSON line per pair and seed; the same command goes on"
    )
    seeds: int = count(1, "protocol=brec: trainings per pair; separated by one is separated", low=1, high=1000)
    relabelings: int = count(32, "protocol=brec: relabeled copies of each graph", low=17, high=10_000)
    epochs: int = count(20, "protocol=brec: epochs at most", low=1, high=10_000)
    lr: float = setting(1e-4, "protocol=brec: learning rate of Adam", low=1e-9, high=10.0)
    weight_decay: float = weight(1e-4, "protocol=brec: of Adam")
    batch_size: int = count(16, "protocol=brec: graphs per step, half of each kind", low=2, high=10_000)
    stop_loss: float = weight(0.2, "protocol=brec: training ends below this loss")
    root: str | None = setting(None, "data folder; default: GRAPHKIT_DATA, else ~/.cache/graphkit")
    format: str = setting("text", "what stdout gets; csv: a row per pair and network", choices=("text", "json", "csv"))

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the networks."""
        return _names(self.model, MODELS) or (() if self.test else ("sswl+",))

    @property
    def tests(self) -> tuple[str, ...]:
        """Names of the classes."""
        return _names(self.test, TESTS)

    @property
    def selected(self) -> tuple[str, ...]:
        """Categories and pairs that are wanted; empty for all."""
        return _names(self.only, ())


def _names(given: str | None, known: Sequence[str]) -> tuple[str, ...]:
    if given == ALL and known:
        return tuple(known)
    return tuple(dict.fromkeys(name.strip() for name in (given or "").split(",") if name.strip()))


def expressiveness_settings() -> dict[str, Setting]:
    """The settings by key; the data folder is named as in a run, `data.root`."""
    table = settings_table(Expressiveness)
    del table["root"]
    return table | {"data.root": settings_table(Expressiveness, "data.")["data.root"]}


def check_expressiveness(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Expressiveness:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    known = expressiveness_settings()
    found = list(mistakes)
    values = read_known(assignments, known, found)
    request = Expressiveness(**{key.removeprefix("data."): value for key, value in values.items()})
    found += _unknown("model", request.models, MODELS) + _unknown("test", request.tests, TESTS)
    found += _contradictions(request, set(values))
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    return request


def _unknown(key: str, names: Sequence[str], known: Collection[str]) -> list[str]:
    """A line per name that there is not."""
    return [
        f"{key}={shown(name)}" + (did_you_mean(name, known) or f": unknown; choose of {', '.join(known)}")
        for name in names
        if name not in known
    ]


def _contradictions(request: Expressiveness, given: set[str]) -> list[str]:
    found = []
    if request.pairs not in SOURCES and "." not in request.pairs and "/" not in request.pairs:
        hint = did_you_mean(request.pairs, SOURCES) or ": give generated, brec or a file of graphs in graph6, such as FILE.g6"
        found.append(f"pairs={shown(request.pairs)}{hint}")
    if request.pairs in SOURCES and "pairing" in given:
        found.append(f"pairing=: pairs={request.pairs} are pairs already, leave it out")
    if request.pairs != "brec" and "data.root" in given:
        found.append(f"data.root=: pairs={shown(request.pairs)} needs no data folder, leave it out")
    idle = _TRAINED if request.protocol == "untrained" else _UNTRAINED
    other = "brec" if request.protocol == "untrained" else "untrained"
    found += [f"{key}=: goes with protocol={other}, leave it out" for key in expressiveness_settings() if key in idle & given]
    if request.protocol == "brec" and request.out is None:
        found.append("protocol=brec: give out=FILE, where each pair's result is kept as soon as it is there")
    if not request.models:
        idle = {"policy", "hops", "length", "width", "layers", "draws", "copies", "factor", "seed", "protocol"}
        found += [
            f"{key}=: is for networks, give model= or leave it out" for key in expressiveness_settings() if key in idle & given
        ]
    return found


def help_page() -> str:
    """What `python -m graphkit.expressiveness --help` prints."""
    settings = expressiveness_settings()
    what = ("model", "test", "pairs", "pairing", "only")
    trained = [key for key in settings if key in _TRAINED]
    examples = [
        ("model=sswl+", "which generated pairs it separates"),
        ("model=gin,ds,ppgn format=csv", "several networks, for scripts"),
        ("model=ds policy=edge-deleted only=strongly-regular", "on other bags, on some pairs"),
        ("test=all pairs=brec", "what color refinement can do at best"),
        ("model=sswl+ pairs=mine.g6", "your own graphs"),
        ("model=sswl+ pairs=brec protocol=brec width=64 layers=8 lr=1e-5 out=brec.jsonl", "trained, takes hours"),
    ]
    return render(
        "usage: python -m graphkit.expressiveness [KEY=VALUE ...]\n",
        "Which pairs of graphs does a network tell apart? Beside each network stands its ceiling: exact color refinement with "
        "the same bags and aggregations, which no width, depth or training can exceed.\n",
        section("what", settings_rows({key: settings[key] for key in what})),
        section("how", settings_rows({key: one for key, one in settings.items() if key not in what and key not in trained})),
        section("protocol=brec", settings_rows({key: settings[key] for key in trained})),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Results go to stdout, progress and notes to stderr; format=json or csv for scripts.",
        "Exit status: 0 success, 1 it failed, 2 the request is wrong, 130 interrupted (protocol=brec goes on from out=).",
    )
