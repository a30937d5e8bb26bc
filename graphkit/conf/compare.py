"""The settings of `python -m graphkit.compare`, the check of a request, and its help page. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphkit.conf.arguments import Assignment
from graphkit.conf.listing import aligned, render, section, settings_rows
from graphkit.conf.request import read_known
from graphkit.conf.setting import Setting, setting, settings_table
from graphkit.errors import RequestError, shown

FLAGS = {"--help": "this page", "--version": "the version"}


@dataclass(frozen=True)
class Comparison:
    """A request to compare finished runs."""

    runs: str | None = setting(None, "folders of two or more finished runs or sweeps, with commas; or name them without runs=")
    metric: str | None = setting(None, "metric to compare; default: the one that selected the epoch")
    split: str = setting("test", "split that it is of", choices=("test", "valid"))
    confidence: float = setting(
        0.95, "of the intervals; a difference is called significant below 1 - confidence", low=0.5, high=0.9999
    )
    root: str | None = setting(None, "data folder, where it is not the one that the runs were trained with", path=True)
    out: str | None = setting(None, "file *.html of the page; default: beside the first run", path=True)
    format: str = setting("text", "what stdout gets; json writes a page only if out= names it", choices=("text", "json"))

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of the runs, as they were typed."""
        return tuple(name.strip() for name in (self.runs or "").split(",") if name.strip())


def comparison_settings() -> dict[str, Setting]:
    """The settings by key; the data folder is named as in a run, `data.root`."""
    table = settings_table(Comparison)
    del table["root"]
    return table | {"data.root": settings_table(Comparison, "data.")["data.root"]}


def named(argv: Sequence[str]) -> list[str]:
    """The arguments with bare paths, which stand for runs, as one `runs=a,b`."""
    bare = [argument for argument in argv if argument and "=" not in argument and not argument.startswith("-")]
    rest = [argument for argument in argv if argument not in bare]
    return [*rest, *([f"runs={','.join(bare)}"] if bare else [])]


def check_comparison(assignments: Sequence[Assignment], mistakes: Iterable[str] = ()) -> Comparison:
    """Check a request as a whole.

    Args:
        assignments: What was given, in order.
        mistakes: Mistakes found before, reported with the others.

    Raises:
        RequestError: If anything is wrong; its message has one line per mistake.
    """
    known = comparison_settings()
    found = list(mistakes)
    values = read_known(assignments, known, found)
    request = Comparison(**{key.removeprefix("data."): value for key, value in values.items()})
    if len(request.folders) < 2 and not found:
        found.append("give the folders of two or more finished runs: python -m graphkit.compare runs/A runs/B")
    if request.out is not None and not request.out.endswith(".html"):
        found.append(f"out={shown(request.out)}: the page is HTML, name a file *.html")
    if found:
        raise RequestError("\n".join(dict.fromkeys(found)))
    return request


def help_page() -> str:
    """What `python -m graphkit.compare --help` prints."""
    examples = [
        ("runs/A runs/B", "is A better than B?"),
        ("runs/A runs/B runs/C metric=roc-auc format=json", "every pair of three, for scripts"),
    ]
    return render(
        "usage: python -m graphkit.compare RUN RUN [RUN ...] [KEY=VALUE ...]\n",
        "Compare finished runs on the same data, seed by seed: the difference with its interval, a paired test that knows how "
        "the splits overlap, and whether the runs had the same budget.\n",
        section("settings", settings_rows(comparison_settings())),
        section("flags", aligned(FLAGS.items())),
        section("examples", aligned(examples)),
        "Results go to stdout, notes to stderr; format=json for scripts.",
        "Exit status: 0 success, 1 it failed, 2 the request is wrong or the runs cannot be compared, 130 interrupted.",
    )
