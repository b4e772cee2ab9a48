"""What it is worth to contact nobody, everybody, or those whom contact moves most.

Values are estimated by doubly robust scores on customers who had no part in choosing the rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.uplift.doubly_robust import Scores, mean_of, ordered
from customerlab.uplift.ranking import Ranking

#: Shares of customers among which the best is looked for.
SHARES = np.arange(1, 20) / 20
#: Rules, in words.
RULES: dict[str, Message] = {
    "nobody": say("contact nobody"),
    "everybody": say("contact everybody"),
    "best_share": say("contact the best share by predicted uplift"),
    "above_cost": say("contact all whose predicted gain exceeds the cost"),
    "budget": say("contact the best share that the budget pays for"),
}
COLUMNS = ["rule", "share", "value", "low", "high", "gain", "gain_low", "gain_high"]
COLUMNS += ["difference", "difference_low", "difference_high"]
COLUMNS += ["over_everybody", "over_everybody_low", "over_everybody_high"]


@dataclass(frozen=True)
class Policies:
    """Values of rules whom to contact, in money per customer of all, contacted or not.

    Attributes
    ----------
    table : DataFrame
        One row per ``rule`` of :data:`RULES` (``budget`` only where one was given): ``share`` of
        the judging half that is contacted, ``value`` (margin from all outcomes less cost of
        contact) with its 95 % interval ``low`` to ``high``; ``gain`` over contacting nobody,
        ``difference`` to the simple rule, and ``over_everybody``, each over the same customers,
        with ``_low`` and ``_high``. No rows
        where nothing can be said.
    share : float
        The best share to contact, chosen on the other half; missing where there is no order.
    threshold : float
        The least priority that it contacts.
    chosen : str
        Of the two rules that target, the one better on the choosing half; empty without any.
    affordable : float
        The share of the customers that the budget pays for, at most 1; missing without a budget.
    budget_share : float
        The share that the rule ``budget`` contacts; those alike at its edge are drawn by lot.
    simple : str
        ``nobody`` or ``everybody``: the better one on the choosing half.
    tells_apart : bool
        Whether those put first are surely moved more: see :class:`Ranking`.
    n : int
        Customers in the judging half.
    status : {"supported", "weak", "not_enough_data"}
    called : Message or str
        The outcome in words.
    why_not : Message or None
        Why nothing can be said, where that is so.
    """

    table: pd.DataFrame
    share: float
    threshold: float
    chosen: str
    simple: str
    tells_apart: bool
    n: int
    status: Status
    called: Message | str
    why_not: Message | None = None
    affordable: float = float("nan")
    budget_share: float = float("nan")

    def row(self, rule: str) -> pd.Series:
        """Return the row of a rule."""
        return self.table.set_index("rule").loc[rule]

    @property
    def targeting_pays(self) -> bool:
        """Whether targeting surely beats both contacting nobody and contacting everybody.

        And the order surely tells customers apart. Each is asked of a 95 % interval, so all
        together are claimed falsely in at most 2.5 % (intersection-union test, Berger 1982).
        """
        if self.status == "not_enough_data" or not self.chosen or not self.tells_apart:
            return False
        row = self.row(self.chosen)
        return bool(row["gain_low"] > 0 and row["over_everybody_low"] > 0)

    @property
    def best(self) -> str:
        """The rule to follow: targeting only if it surely pays, else the simple rule."""
        if self.status == "not_enough_data":
            return ""
        return self.chosen if self.targeting_pays else self.simple


def judge_policies(
    scores: Scores,
    priority: np.ndarray,
    *,
    ranking: Ranking,
    margin: float,
    cost: float,
    rng: np.random.Generator,
    half: np.ndarray | None = None,
    budget: float | None = None,
    customers: int | None = None,
) -> Policies:
    """Choose whom to contact on one half of the customers, and judge that on the other.

    A rule contacts customers from some priority upwards. Means of doubly robust scores, with
    Student's intervals (Athey and Wager, "Policy learning with observational data", Econometrica
    2021); differences between rules are of the same customers, so what they would have spent anyway
    drops out.

    Parameters
    ----------
    scores : Scores
    priority : array, shape (n,)
        Predicted uplift, in the unit of the outcome, by a model that has not seen these customers.
    ranking : Ranking
        Of the same scores and priority; where its order is not surely better than a random one,
        no targeting pays.
    margin : float
        Money per unit of the outcome, above 0: the profit of a purchase, or the share of an
        amount. Turn an outcome round that is better low: who stayed, not who left.
    cost : float
        Money per customer contacted.
    rng : Generator
        Draws the halves.
    half : array of bool, shape (n,), optional
        The half on which the rule is chosen; drawn when left out.
    budget : float, optional
        Money there is for contacts.
    customers : int, optional
        How many the budget is for; those who are scored when left out. They must be alike to those.

    Raises
    ------
    ValueError
        When a priority is missing, lengths differ, or margin, cost or budget is not an amount.
    """
    if not (0 < margin < np.inf and 0 <= cost < np.inf):
        raise ValueError("margin must be above 0 and cost not below: amounts of money")
    if budget is not None and not 0 <= budget < np.inf:
        raise ValueError("budget must not be below 0: an amount of money")
    ordered(scores, priority)  # raises where it is none
    priority = np.asarray(priority, dtype=float)
    if half is None:
        half = np.zeros(scores.n, dtype=bool)
        half[rng.permutation(scores.n)[: scores.n // 2]] = True
    learnt, judged = scores.take(half), scores.take(~half)
    carried = min(learnt.carried(), judged.carried())
    about = (ranking.tells_apart, judged.n)
    if carried < FEW_EVENTS:
        why = say(
            "Not enough data to say whom to contact ({called}): in one half of {n:customers} "
            "customers fewer than {least:count} are in one arm, or had the rarer outcome.",
            called=ranking.called,
            n=scores.n,
            least=FEW_EVENTS,
        )
        empty = pd.DataFrame({name: pd.Series(dtype=float) for name in COLUMNS})
        empty = empty.astype({"rule": object})
        nan = float("nan")
        return Policies(empty, nan, nan, "", "", *about, "not_enough_data", ranking.called, why)
    won = margin * learnt.effect - cost
    simple = "everybody" if won.mean() > 0 else "nobody"
    threshold = _best_threshold(won, priority[half])
    above = margin * priority > cost
    chosen, rules = "", {"nobody": np.zeros(scores.n, bool), "everybody": np.ones(scores.n, bool)}
    targeting = {"best_share": priority >= threshold, "above_cost": above}
    # whoever contacts all or none does not target
    targeting = {k: v for k, v in targeting.items() if v[half].any() and not v[half].all()}
    if targeting:
        chosen = max(targeting, key=lambda name: (won * targeting[name][half]).sum())
    if not np.isnan(threshold):
        rules["best_share"] = priority >= threshold
    rules["above_cost"] = above
    affordable = within = float("nan")
    if budget is not None:
        whole = cost * (scores.n if customers is None else customers)
        affordable = min(1.0, budget / whole) if whole > 0 else 1.0
        shares = np.append(SHARES[affordable > SHARES], affordable)
        gains = [(won * _first(priority[half], share)).sum() for share in shares]
        within = float(shares[np.argmax(gains)])
        rules["budget"] = np.zeros(scores.n)
        rules["budget"][~half] = _first(priority[~half], within)
    table = pd.DataFrame(
        [
            (rule, *_judge(judged, who[~half], rules[simple][~half], margin, cost))
            for rule, who in rules.items()
        ],
        columns=COLUMNS,
    )
    share = float(rules["best_share"][~half].mean()) if "best_share" in rules else float("nan")
    return Policies(
        *(table, share, threshold, chosen, simple, *about, status_of(carried), ranking.called),
        affordable=affordable,
        budget_share=within,
    )


def _best_threshold(won: np.ndarray, priority: np.ndarray) -> float:
    """Return the least priority to contact, of those that begin at :data:`SHARES`, that wins most.

    Missing where every one of them contacts everybody.
    """
    falling = np.sort(priority)[::-1]
    last = np.ceil(np.round(SHARES * len(falling), 6)).astype(int) - 1
    asked = np.unique(falling[last])
    asked = asked[asked > falling[-1]][::-1]
    if not len(asked):
        return float("nan")
    return float(asked[np.argmax([(won * (priority >= one)).sum() for one in asked])])


def _first(priority: np.ndarray, share: float) -> np.ndarray:
    """Return each one's chance to be among the first `share`, those alike drawn by lot."""
    _, place, count = np.unique(-priority, return_inverse=True, return_counts=True)
    before = count.cumsum() - count
    return np.clip((share * len(priority) - before) / count, 0, 1)[place]


def _judge(
    scores: Scores, who: np.ndarray, simple: np.ndarray, margin: float, cost: float
) -> list[float]:
    """Return share, value, gain, difference to the simple rule and to contacting everybody."""
    won = margin * scores.effect - cost
    each = [
        mean_of(margin * scores.untreated + who * won),
        mean_of(who * won),
        mean_of(who * won - simple * won),
        mean_of(who * won - won),
    ]
    return [float(who.mean()), *(x for one in each for x in (one.value, one.low, one.high))]
