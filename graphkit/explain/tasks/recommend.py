"""Why an item is recommended to a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphkit.data.dataset import InteractionData
from graphkit.errors import RequestError, RunError
from graphkit.explain.accounts import account_of
from graphkit.explain.explainer import Explainer, warnings_of
from graphkit.explain.explanation import Account, Check, Explanation
from graphkit.explain.ledger import ledger
from graphkit.explain.receipt import removal, strongest
from graphkit.explain.words import counted
from graphkit.models.recommend.base import Recommender, take_rows
from graphkit.serving.names import Names
from graphkit.serving.opened import Opened

_LIST = 20
_FEW = 3


@dataclass(frozen=True)
class Wish:
    """A user and an item, by their numbers."""

    user: int
    item: int


class RecommendExplainer(Explainer):
    """Explains the score of an item for a user by the user's own items.

    Args:
        opened: A run of recommendation.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        assert isinstance(opened.dataset, InteractionData)
        self.data: InteractionData = opened.dataset
        self.model: Recommender = opened.model
        self.users = Names("user", self.model.num_users, opened.dataset.user_names)
        self.items = Names("item", self.model.num_items, opened.dataset.item_names)
        with opened.evaluating():
            self.model.prepare()

    def identity(self) -> tuple[Tensor, ...]:
        """The interactions of all splits, see `Explainer.identity`."""
        return (torch.cat(list(self.data.splits.values()), dim=1).unique(dim=1),)

    def find(self, asked: Mapping[str, str]) -> list[Wish]:
        """The user of `user=` with each item of `item=`, see `Explainer.find`."""
        user = self.users.find(asked["user"])
        return [Wish(user, item) for item in self.items.find_all(self.items.split(asked["item"]))]

    def explain(self, sample: Wish, top: int, *, with_receipt: bool = True) -> Explanation:
        """Explain the score of an item, see `Explainer.explain`.

        Args:
            sample: A user and an item.
            top: Reasons that get a line of their own.
            with_receipt: Whether items of the user are removed and the item is scored again.

        Raises:
            RequestError: The model ties no score to the user's items.
        """
        user, item = sample.user, sample.item
        with self.opened.evaluating():
            scores = self.model.scores(torch.tensor([user], device=self.opened.device))[0]
            if not bool(torch.isfinite(scores).all()):
                raise RunError("the model's scores are no finite numbers: train with a lower train.lr")
            own = take_rows(self.model.interactions, torch.tensor([user], device=self.opened.device)).edge_index()[0]
            unseen = scores.index_fill(0, own[own != item], -torch.inf)
            rank = 1 + int((unseen > scores[item]).sum())
            rival = int(unseen.index_fill(0, torch.tensor([item], device=scores.device), -torch.inf).argmax())
            account, by_item, told = self._account(user, item, top)
            other = self._account(user, rival, top)[0]
            checks = self._receipt(own, item, by_item) if with_receipt else ()
        subject = f"item {self._name(item)} for user {self.users.array[user]}"
        explanation = Explanation(
            subject=subject,
            sentence=_sentence(subject, account, rank, scores.numel() - own.numel(), other, has_won=rank == 1),
            predicted=account,
            runner_up=other,
            verdict=f"{'among' if rank <= _LIST else 'not among'} the best {_LIST}",
            checks=checks,
            facts={"the sum": told, "rank": f"{rank} of the items that the user has not taken", **self.opened.facts()},
        )
        return replace(explanation, warnings=(*warnings_of(explanation), *_of_history(own, item)))

    def _account(self, user: int, item: int, top: int) -> tuple[Account, Tensor, str]:
        """The account of an item's score, what each item adds to it [num_items], and how the sum is made."""
        pair = (torch.tensor([user], device=self.opened.device), torch.tensor([item], device=self.opened.device))
        try:
            reasons = self.model.reasons(*pair)
        except NotImplementedError as error:
            raise RequestError(str(error)) from error
        by_item = torch.zeros(self.model.num_items, dtype=torch.float64, device=self.opened.device)
        by_item = by_item.index_add(0, reasons.ids, reasons.contributions)
        account = account_of(
            f"item {self._name(item)}",
            float(reasons.score),
            by_item,
            lambda number: f"item {self._name(number)}",
            top=top,
            bias=float(reasons.bias),
            rule="" if reasons.exact else reasons.rule,
        )
        return account, by_item, reasons.rule

    def _receipt(self, own: Tensor, item: int, by_item: Tensor) -> tuple[Check, ...]:
        """The strongest items are taken from the user, who is scored as a new user with those that are left."""
        named = strongest(by_item)[: max(1, own.numel() // 2)]
        if not named.numel():
            return ()

        def rescore(taken: Tensor) -> float:
            return float(self.model.fold_in([own[~torch.isin(own, taken)]])[0, item])

        listed = counted("Item", [self._name(number) for number in named.tolist()])
        done = f"{listed} taken from the user, who is scored as a new one"
        try:
            before = rescore(own[:0])
        except NotImplementedError:
            return ()  # a model without a rule for new users, whose reasons are exact all the same
        return (removal(done, before, named, own, rescore=rescore),)

    def _name(self, item: int) -> str:
        return str(self.items.array[item])


def _sentence(subject: str, account: Account, rank: int, among: int, other: Account, *, has_won: bool) -> str:
    """The answer: rank, score, the strongest reason, and who comes next or is ahead."""
    reason = next(iter(account.for_it()), None)
    because = f"the strongest reason: {reason.name}, which the user has taken" if reason else "no item speaks for it"
    then = f"{other.name} comes next" if has_won else f"{other.name} is the best"
    own, others = ledger(account).printed_score, ledger(other).printed_score
    ranked = f"{subject[:1].upper()}{subject[1:]} has rank {rank} of {among:,} (score {own})"
    return f"{ranked}; {because}; {then} ({others})."


def _of_history(own: Tensor, item: int) -> tuple[str, ...]:
    """What is odd about the user's items."""
    found = []
    if bool((own == item).any()):
        found.append("The user has this item already: it is part of the model's input and is not recommended again.")
    if own.numel() < _FEW:
        found.append(f"Unlike most users: the model knows only {own.numel()} of this user's items.")
    return tuple(found)
