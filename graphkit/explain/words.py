"""Sentences that pages and terminals show alike."""

from __future__ import annotations

from collections.abc import Sequence

from graphkit.explain.explanation import Account, Agreement, Check
from graphkit.explain.ledger import printed


def percent(share: float) -> str:
    """A share as a percentage that never claims certainty: 99.97 % is shown as over 99.9 %."""
    if 0.999 < share < 1:
        return "over 99.9 %"
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def counted(kind: str, names: Sequence[object]) -> str:
    """Things of one kind by their names, e.g. `nodes ada, bob`."""
    return f"{kind}{'' if len(names) == 1 else 's'} {', '.join(map(str, names))}"


def answer(subject: str, predicted: Account, probability: float | None, runner_up: Account | None, second: float | None) -> str:
    """The sentence at the top: the prediction, its strongest reason, the runner-up, and how sure the model is.

    Args:
        subject: What is explained, e.g. `node ada`.
        predicted: The account of the score that decided.
        probability: Of the prediction; None: scores are no probabilities.
        runner_up: The account of the score that came second; None: there is none.
        second: Its probability.
    """
    sure = "" if probability is None else f" ({percent(probability)})"
    reason = next(iter(predicted.for_it()), None)
    because = f"; the strongest reason: {reason.name}" if reason else "; nothing that is listed speaks for it"
    then = ""
    if runner_up is not None:
        also = "" if second is None else f" ({percent(second)})"
        then = f"; the runner-up is {runner_up.name}{also}"
    return f"{subject[:1].upper()}{subject[1:]} is predicted as {predicted.name}{sure}{because}{then}."


def check_line(check: Check) -> str:
    """A line of the receipt as a sentence."""
    before, result, control, spread = printed(check.before, check.result, check.control or 0.0, check.spread or 0.0)
    line = f"{check.done}: the score went from {before} to {result}."
    if check.control is None:
        return f"{line} There is nothing else to remove at random."
    spread = "" if check.spread is None else f" ± {spread}"
    verdict = "better than chance" if check.is_better_than_chance else "NOT better than chance"
    drawn = f"mean of {check.draws} draws" if check.draws > 1 else "one draw"
    return f"{line} At random: {control}{spread} ({drawn}); {verdict}."


def agreement_line(agreement: Agreement) -> str:
    """What another seed says, as a sentence."""
    same = "predicts the same" if agreement.is_same else f"predicts {agreement.predicted} instead"
    shared = "" if agreement.shared is None else f", and shares {percent(agreement.shared)} of the strongest reasons"
    return f"Seed {agreement.seed} {same}{shared}."
