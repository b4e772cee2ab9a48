"""Boosted trees beside the scorecard, and which of the two is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.churn.hazard import Z
from customerlab.churn.levels import as_levels
from customerlab.features import UNKNOWN
from customerlab.findings import Finding, Status
from customerlab.messages import Message, say
from customerlab.response.columns import as_numbers, is_number
from customerlab.response.judged import auc_parts, compare_auc
from customerlab.uplift.one_thread import one_thread

#: The models, in words.
MODELS: dict[str, Message] = {
    "scorecard": say("scorecard"),
    "boosted": say("boosted trees"),
}
#: scikit-learn takes no more values of a text; rarer ones count as missing.
MOST_LEVELS = 200


@dataclass(frozen=True)
class Boosted:
    """Boosted trees.

    Attributes
    ----------
    rate : float
        The share that responded: everybody's chance where too few responded for trees.
    levels : dict of str to list of str
        Known values of each text; a new one counts as missing.
    numbers : tuple of str
        Columns taken as numbers.
    """

    rate: float
    levels: dict[str, list[str]]
    numbers: tuple[str, ...]
    status: Status
    model: object | None = field(default=None, repr=False)

    def chance(self, features: pd.DataFrame) -> np.ndarray:
        """Return each contact's chance; a column or value never seen counts as missing."""
        if self.model is None:
            return np.full(len(features), self.rate)
        with one_thread():
            return self.model.predict_proba(_matrix(features, self.numbers, self.levels))[:, 1]


def fit_boosted(features: pd.DataFrame, responded: np.ndarray) -> Boosted:
    """Fit small boosted trees on one thread, which is as fast where notebooks run side by side.

    Parameters
    ----------
    features : DataFrame
        One row per contact; numbers, times or texts, missing ones allowed.
    responded : array of 0 and 1, shape (contacts,)
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import

    responded = np.asarray(responded).astype("int64")
    n, events = len(responded), int(responded.sum())
    status, rate = status_of(min(events, n - events)), (events + 1) / (n + 2)
    numbers = tuple(name for name in features if is_number(features[name]))
    levels = {}
    for name in features.columns.difference(numbers, sort=False):
        known = as_levels(features[name]).value_counts(sort=False).sort_index()
        known = known.drop(UNKNOWN, errors="ignore").sort_values(ascending=False, kind="stable")
        levels[name] = known.index[:MOST_LEVELS].tolist()
    if status == "not_enough_data" or features.shape[1] == 0:
        return Boosted(rate, levels, numbers, status)
    texts = [False] * len(numbers) + [True] * len(levels)
    # small trees in large leaves: chances that are too sure cost more than those too cautious
    model = HistGradientBoostingClassifier(
        learning_rate=0.15,
        max_iter=40,
        max_leaf_nodes=8,
        min_samples_leaf=50,
        early_stopping=False,
        categorical_features=texts,
    )
    with one_thread():
        model.fit(_matrix(features, numbers, levels), responded)
    return Boosted(rate, levels, numbers, status, model)


def _matrix(
    features: pd.DataFrame, numbers: Sequence[str], levels: dict[str, list[str]]
) -> np.ndarray:
    columns = []
    for name in numbers:
        if name not in features:
            columns.append(np.full(len(features), np.nan))
        elif is_number(features[name]):
            columns.append(as_numbers(features[name]))
        else:
            text = pd.to_numeric(features[name], errors="coerce")
            columns.append(text.to_numpy("float64", na_value=np.nan))
    for name, known in levels.items():
        if name not in features:
            columns.append(np.full(len(features), np.nan))
        else:
            code = pd.Index(known).get_indexer(as_levels(features[name])).astype(float)
            columns.append(np.where(code < 0, np.nan, code))
    return np.column_stack(columns)


@dataclass(frozen=True)
class Choice:
    """Which model is used.

    Attributes
    ----------
    table : DataFrame
        ``measure`` (``auc``, ``log_loss``), ``scorecard``, ``boosted``, ``difference`` (boosted
        less scorecard) with 95 % interval ``low`` to ``high``. No rows where too few responded.
    chosen : {"scorecard", "boosted"}
    n : int
        Contacts that both foretold without having seen them.
    status : {"supported", "weak", "not_enough_data"}
    """

    table: pd.DataFrame
    chosen: str
    n: int
    status: Status


def choose_model(
    responded: np.ndarray,
    scorecard: np.ndarray,
    boosted: np.ndarray,
    *,
    customer: Sequence[object] | None = None,
) -> Choice:
    """Take the scorecard unless the trees are better by more than noise.

    Better is: the 95 % interval of the difference in AUC lies above 0, on the same contacts that
    neither had seen (DeLong's error, by customer), and the trees' log loss is not the larger one,
    for chances that only rank well misplace a cut-off.

    Parameters
    ----------
    responded : array of 0 and 1, shape (contacts,)
    scorecard, boosted : array, shape (contacts,)
        Chances; contacts where one is missing are left out.
    customer : sequence, optional
        Whom each contact was with.
    """
    there = ~(np.isnan(scorecard) | np.isnan(boosted))
    y = np.asarray(responded)[there].astype(float)
    one, other = np.asarray(scorecard)[there], np.asarray(boosted)[there]
    whom = None if customer is None else np.asarray(customer, dtype=object)[there]
    columns = ["measure", "scorecard", "boosted", "difference", "low", "high"]
    status = status_of(min(y.sum(), len(y) - y.sum()))
    if status == "not_enough_data":
        return Choice(pd.DataFrame(columns=columns), "scorecard", len(y), status)
    gained, low, high = compare_auc(y, other, one, whom)
    none = auc_parts(y, one)[0]
    loss = [_loss(y, p) for p in (one, other)]
    who = np.arange(len(y)) if whom is None else pd.factorize(whom)[0]
    more = (loss[1] - loss[0]).mean()
    spread = np.bincount(who, loss[1] - loss[0] - more)
    half = Z * float(np.sqrt((spread**2).sum())) / len(y)
    table = pd.DataFrame(
        [
            ("auc", none, none + gained, gained, low, high),
            ("log_loss", loss[0].mean(), loss[1].mean(), more, more - half, more + half),
        ],
        columns=columns,
    )
    return Choice(table, "boosted" if low > 0 and more <= 0 else "scorecard", len(y), status)


def _loss(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-12, 1))


def tell_choice(choice: Choice) -> Finding:
    """Return ``response_model.chosen``: which model is used, and by how much it ranks better."""
    id_ = "response_model.chosen"
    if choice.status == "not_enough_data":
        text = say("Too few responses to compare models: the scorecard is used.")
        return Finding(id_, text, unit="percent", n=choice.n, status=choice.status)
    row = choice.table.set_index("measure").loc["auc"]
    ends = {"low": row["low"], "high": row["high"], "gained": row["difference"]}
    if choice.chosen == "boosted":
        text = say(
            "Boosted trees are used: on contacts that neither had seen they rank {gained:percent2} "
            "more of the pairs right than the scorecard (95 % interval {low:percent2} to "
            "{high:percent2}). The scorecard's points stay for branches that reckon by hand.",
            **ends,
        )
    elif row["low"] > 0:
        text = say(
            "The scorecard is used, which a branch can add up by hand: boosted trees rank "
            "{gained:percent2} more of the pairs right (95 % interval {low:percent2} to "
            "{high:percent2}), but their chances are further from what came true, and would "
            "misplace a cut-off.",
            **ends,
        )
    else:
        text = say(
            "The scorecard is used, which a branch can add up by hand: boosted trees are not "
            "surely better on contacts that neither had seen (difference in pairs ranked right "
            "{gained:percent2}, 95 % interval {low:percent2} to {high:percent2}).",
            **ends,
        )
    return Finding(
        id_, text, row["difference"], row["low"], row["high"], "percent", choice.n, choice.status
    )
