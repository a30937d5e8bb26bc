"""What a terminal shows of explanations."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from graphkit.conf.listing import render
from graphkit.errors import shown
from graphkit.explain.explanation import Explanation
from graphkit.explain.ledger import Ledger, ledger
from graphkit.explain.words import agreement_line, check_line

_LONGEST = 1_000


def text_page(explanations: Sequence[Explanation]) -> str:
    """Sentence, sum, contexts, receipt and warnings of each.

    Args:
        explanations: The explanations, in order.
    """
    parts: list[RenderableType] = []
    for one in explanations:
        rule = one.predicted.rule
        parts.append(Text(shown(one.sentence, _LONGEST), style="bold"))
        parts += [Text(f"An attribution, not the model's own reasons. {rule}")] if rule else []
        parts.append(_sum(ledger(one.predicted)))
        parts += [Text(shown(one.context, _LONGEST))] if one.context else []
        parts += [
            Text(f"{shown(bar.name)}: {'unknown' if bar.value is None else f'{bar.value:.4g} {bar.unit}'.rstrip()}")
            for bar in one.bars
        ]
        lines = [*map(check_line, one.checks), *map(agreement_line, one.agreements)]
        lines += [f"warning: {warning}" for warning in one.warnings]
        parts += [Text(shown(line, _LONGEST)) for line in lines]
        parts.append("")
    return render(*parts)


def _sum(entries: Ledger) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    table.add_column("reason", f"score of {shown(entries.account.name)}", overflow="fold")
    if entries.has_factors:
        table.add_column(entries.account.value_name, justify="right")
        table.add_column("x weight", justify="right")
    table.add_column("= adds", entries.printed_score, justify="right")
    for line in entries.lines:
        factors = (line.value, line.weight) if entries.has_factors else ()
        table.add_row(Text(shown(line.name, _LONGEST)), *factors, line.adds)
    return table
