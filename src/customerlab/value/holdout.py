"""Whether the model of purchases foretells: what it said at a landmark, beside what followed.

The model is fitted to what was known at the landmark. Beside it stands the plainest forecast:
everyone buys as often again as in the period before (first purchases not counted, as these do not
repeat themselves). A model that does not beat that is not needed, and the text says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.churn.curves import status_of
from customerlab.findings import Check, Status
from customerlab.messages import Message, say
from customerlab.value.bgnbd import BgNbd, fit_bgnbd
from customerlab.value.foretelling import WEEK, expected_purchases
from customerlab.value.histories import HISTORY

#: Customers with so many repeat purchases or more are one group.
TOGETHER = 7

#: A total that is off by at most this share is right enough to plan with.
RIGHT = 0.1

BY_FREQUENCY = ("frequency", "n", "buyers", "actual", "low", "high", "expected", "baseline")
TOTALS = ("forecast", "purchases", "off", "off_low", "off_high", "error")

_Z = 1.959963984540054


@dataclass(frozen=True)
class HoldOut:
    """What was foretold at the landmark, and what followed.

    Attributes
    ----------
    model : BgNbd
        Fitted to the histories at the landmark.
    weekly : DataFrame
        ``week``, and purchases from the landmark to its end: ``actual``, ``expected``,
        ``baseline``.
    by_frequency : DataFrame
        ``frequency`` (text: repeat purchases by the landmark, the last ``7+``), ``n`` customers,
        ``buyers`` of them in the hold-out; purchases per customer in it: ``actual`` with the 95 %
        interval ``low``, ``high`` of the mean, ``expected``, ``baseline``.
    totals : DataFrame
        ``forecast`` ("model", "baseline"), ``purchases`` foretold, ``off``: by what share of those
        made they miss, with the interval that chance leaves, and ``error``: the root of the mean
        squared error over customers.
    difference, low, high : float
        Mean squared error of the model less that of the baseline, customer by customer, with its
        95 % interval.
    actual : int
        Purchases in the hold-out.
    status : {"supported", "weak", "not_enough_data"}
    text : Message
    """

    model: BgNbd
    weekly: pd.DataFrame
    by_frequency: pd.DataFrame
    totals: pd.DataFrame
    difference: float
    low: float
    high: float
    actual: int
    status: Status
    text: Message

    @property
    def beaten(self) -> bool | None:
        """Whether the model beats the baseline; None where chance may have decided."""
        if not self.low * self.high > 0:  # missing, too
            return None
        return self.high < 0

    @property
    def checks(self) -> tuple[Check, Check]:
        """Whether the model is nearer than the plain baseline, and whether its total was right."""
        about = ("customer_value.purchases", "customer_value.value")
        judged = self.status != "not_enough_data"
        name = say("The model foretells purchases better than last period's")
        better = Check(name, self.beaten is True if judged else None, self.text, about)
        name = say("The model foretells the right number of purchases")
        if not judged:
            return better, Check(name, None, self.text, about)
        off, low, high = self.totals.iloc[0][["off", "off_low", "off_high"]].astype(float)
        told = {"off": abs(off), "low": low, "high": high}
        if abs(off) <= RIGHT or low <= 0 <= high:
            text = say(
                "What it foretold at the landmark differs by {off:percent} ({low:percent} to "
                "{high:percent}) from what was bought after it: near enough, or no more than "
                "chance.",
                **told | {"off": off},
            )
            return better, Check(name, True, text, about)
        if off > 0:
            text = say(
                "What it foretold at the landmark was {off:percent} too high (between "
                "{low:percent} and {high:percent}): expect less than what is said of the coming "
                "months.",
                **told,
            )
        else:
            text = say(
                "What it foretold at the landmark was {off:percent} too low (between "
                "{low:percent} and {high:percent}): more than what is said of the coming months "
                "is likely.",
                **told | {"low": -high, "high": -low},
            )
        return better, Check(name, False, text, about)


def judge_holdout(counts: pd.DataFrame, weeks: pd.DataFrame) -> HoldOut:
    """Fit the model at the landmark and compare with what followed.

    Parameters
    ----------
    counts : DataFrame
        From :func:`customerlab.value.histories.count_histories` with a hold-out.
    weeks : DataFrame
        From :func:`customerlab.value.histories.count_weeks` for the same days.
    """
    model = fit_bgnbd(counts)
    n, later, recent = (counts[name].to_numpy(float) for name in ("n", "later", "recent"))
    actual = int(n @ later)
    expected = np.full(len(counts), np.nan)
    foretold = np.full(len(weeks), np.nan)
    if model.fitted:
        expected = expected_purchases(
            model.parameters, counts, float(weeks["end_days"].max()) / WEEK
        )
        foretold = _by_week(model.parameters, counts, weeks)
    weekly = pd.DataFrame(
        {
            "week": weeks["week"],
            "actual": weeks["later"].cumsum(),
            "expected": foretold,
            "baseline": weeks["recent"].cumsum(),
        }
    )
    totals = pd.DataFrame(
        [
            (name, *_missed(said, later, n))
            for name, said in (("model", expected), ("baseline", recent))
        ],
        columns=list(TOTALS),
    )
    difference, half = _mean((expected - later) ** 2 - (recent - later) ** 2, n)
    ends = (difference, difference - half, difference + half)
    status = status_of(actual) if model.fitted else "not_enough_data"
    if status == "supported" and model.status != "supported":
        status = model.status
    text = _tell(status, totals, actual, ends)
    groups = _by_frequency(counts, expected)
    return HoldOut(model, weekly, groups, totals, *ends, actual, status, text)


def _by_week(parameters: np.ndarray, counts: pd.DataFrame, weeks: pd.DataFrame) -> np.ndarray:
    """Return the expected purchases of all up to the end of each week."""
    cells = counts.groupby(list(HISTORY), as_index=False)["n"].sum()
    n = cells["n"].to_numpy(float)
    return np.array(
        [n @ expected_purchases(parameters, cells, days / WEEK) for days in weeks["end_days"]]
    )


def _mean(values: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Return the mean over customers and half its 95 % interval."""
    total = n.sum()
    if total < 2:
        return float("nan"), float("nan")
    mean = n @ values / total
    variance = n @ (values - mean) ** 2 / (total - 1)
    return float(mean), float(_Z * np.sqrt(variance / total))


def _missed(said: np.ndarray, later: np.ndarray, n: np.ndarray) -> tuple[float, ...]:
    """Return the total, by what share it misses with interval, and the root mean squared error."""
    actual, total = n @ later, n.sum()
    mean, half = _mean(said - later, n)
    error = float(np.sqrt(n @ (said - later) ** 2 / total)) if total else float("nan")
    if not actual:
        return float(n @ said), float("nan"), float("nan"), float("nan"), error
    ends = np.array([mean, mean - half, mean + half]) * total / actual
    return float(n @ said), *ends.tolist(), error


def _by_frequency(counts: pd.DataFrame, expected: np.ndarray) -> pd.DataFrame:
    group = counts["frequency"].clip(upper=TOGETHER)
    rows = []
    for one in sorted(group.unique()):
        here = (group == one).to_numpy()
        part, n = counts.loc[here], counts.loc[here, "n"].to_numpy(float)
        later = part["later"].to_numpy(float)
        mean, half = _mean(later, n)
        name = f"{TOGETHER}+" if one == TOGETHER else str(one)
        rest = ((n @ expected[here]) / n.sum(), n @ part["recent"].to_numpy(float) / n.sum())
        buyers = int(n[later > 0].sum())
        rows.append((name, int(n.sum()), buyers, mean, mean - half, mean + half, *rest))
    return pd.DataFrame(rows, columns=list(BY_FREQUENCY))


def _tell(
    status: Status, totals: pd.DataFrame, actual: int, ends: tuple[float, float, float]
) -> Message:
    if status == "not_enough_data":
        return say("Too few repeat purchases before or after the landmark to judge the model.")
    model, baseline = totals["purchases"]
    told = {"actual": actual, "model": round(model), "baseline": round(baseline)}
    error, plain = totals["error"]
    told |= {"error": error, "plain": plain}
    if ends[2] < 0:
        return say(
            "Of {actual:count} purchases that followed, the model foretold {model:count} and last "
            "period's purchases {baseline:count}. Customer by customer the model is nearer: its "
            "error is {error:number2} purchases, that of last period's {plain:number2}.",
            **told,
        )
    if ends[1] > 0:
        return say(
            "Of {actual:count} purchases that followed, the model foretold {model:count} and last "
            "period's purchases {baseline:count}. Customer by customer last period's are nearer: "
            "their error is {plain:number2} purchases, that of the model {error:number2}. Do not "
            "use the model here.",
            **told,
        )
    return say(
        "Of {actual:count} purchases that followed, the model foretold {model:count} and last "
        "period's purchases {baseline:count}. Customer by customer the model's error of "
        "{error:number2} purchases and theirs of {plain:number2} differ by no more than chance: "
        "the model is not proven better.",
        **told,
    )
