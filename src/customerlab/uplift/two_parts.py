"""An amount that most customers do not spend, in two parts: who buys, and how much a buyer spends.

The difference of the averages over all customers stays the answer. It is split here into what
comes from more buyers and what from larger purchases, from sums alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import status_of
from customerlab.errors import CustomerlabError
from customerlab.messages import Message, say
from customerlab.uplift.average import compare_arms
from customerlab.uplift.parts_shown import PARTS, few_bought
from customerlab.uplift.parts_texts import say_split
from customerlab.uplift.sums import ArmSums
from customerlab.uplift.welch import LEVEL, bounds

#: Columns of :attr:`TwoParts.buyers` and :attr:`TwoParts.table`.
BUYERS = ["arm", "control", "n", "buyers", "share", "mean", "buyer_mean", "buyer_low", "buyer_high"]
COLUMNS = ["arm", "n", "control_n", "buyers", "control_buyers", *PARTS, "status", "why_not"]


@dataclass(frozen=True)
class TwoParts:
    """Who buys and how much a buyer spends, by arm, and what either adds to the difference.

    Attributes
    ----------
    buyers : DataFrame
        One row an arm, the control first: ``arm``, ``control`` (whether it is), customers ``n``,
        ``buyers``, their ``share``, the amount a customer ``mean`` and a buyer ``buyer_mean`` with
        its 95 % interval ``buyer_low`` to ``buyer_high``.
    table : DataFrame
        One row an arm beside the control: ``arm``, ``n``, ``control_n``, ``buyers``,
        ``control_buyers``; then, each with its 95 % interval ``_low`` to ``_high`` and p-value of
        none ``_p``: ``difference`` (of the amount a customer), ``share`` (difference of the shares
        that buy), ``buyer`` (difference of the amounts a buyer: of different customers, and no
        effect by itself), ``more_buyers`` and ``larger_purchases``, which add up to
        ``difference``. Last ``status`` and ``why_not`` (None or a message).
    control, amount, indicator : str
    """

    buyers: pd.DataFrame
    table: pd.DataFrame
    control: str
    amount: str
    indicator: str

    def say(self, arm: str, min_cell: int = 1) -> Message:
        """Return both parts of an arm's difference in words; none of fewer than `min_cell`."""
        mine = self.table[self.table["arm"] == arm]
        if mine.empty:
            raise KeyError(f"no comparison of {arm!r}")
        few = bool(few_bought(mine, min_cell)[0])
        return say_split(mine.iloc[0].to_dict(), self.buyers, self.control, self.amount, few)


def split_amount(
    arms: Mapping[str, ArmSums], *, control: str, amount: str, indicator: str
) -> TwoParts:
    r"""Split each arm's difference of an amount into more buyers and larger purchases.

    With shares that buy s and amounts a buyer m, the amount a customer is s m, and exactly

    .. math:: s_1 m_1 - s_0 m_0 = (s_1 - s_0) \frac{m_1 + m_0}{2}
        + (m_1 - m_0) \frac{s_1 + s_0}{2}

    (Marshall and Edgeworth's weights; Kitagawa 1955). This is bookkeeping: those who buy because
    of the campaign may be small buyers, and then purchases look smaller though nobody spends less.

    A buyer's amount is the ratio of two means. Non-buyers add nothing to the sum of squares of
    amount - m indicator, so the buyers' own variance is known exactly from the sums, and their
    intervals are those of Student and Welch on buyers alone. Those of both parts are the delta
    method's, with the covariance of amount and indicator, and buyers - 1 degrees of freedom.

    Parameters
    ----------
    arms : mapping of str to ArmSums
        Control included. All have `amount` and `indicator` among their names.
    control : str
    amount : str
        Nothing for those who did not buy.
    indicator : str
        Whether a customer bought, 0 or 1.

    Raises
    ------
    CustomerlabError
        If the control, `amount` or `indicator` does not exist, `indicator` is not 0 or 1, or
        customers who did not buy have an amount.
    """
    plain = compare_arms(arms, control=control, outcomes=[amount, indicator]).table
    order = [control, *(arm for arm in arms if arm != control)]
    chosen = {arm: arms[arm].select([indicator, amount]) for arm in order}
    for arm, one in chosen.items():
        _refuse_other_amounts(arm, one)
    parts = {arm: _buyers(one) for arm, one in chosen.items()}
    buyers = [(arm, arm == control, *parts[arm].row()) for arm in order]
    rows = []
    for arm in order[1:]:
        row = dict.fromkeys(COLUMNS, float("nan")) | {"arm": arm, "why_not": None}
        one, base = parts[arm], parts[control]
        row |= {"n": one.n, "control_n": base.n}
        row |= {"buyers": one.buyers, "control_buyers": base.buyers}
        for name, outcome in (("difference", amount), ("share", indicator)):
            mine = plain[(plain["arm"] == arm) & (plain["outcome"] == outcome)].iloc[0]
            told = ("effect", "low", "high", "p_value")
            row |= dict(zip(_ends(name), mine[list(told)], strict=True))
        row["status"] = status_of(min(one.buyers, base.buyers))
        for name, few in ((arm, one), (control, base)):
            if few.buyers < 2:
                row["why_not"] = say(
                    "Fewer than two customers of {arm} bought: what a buyer spends cannot be told.",
                    arm=name,
                )
                break
        else:
            row |= _compare_buyers(one, base)
        rows.append(row)
    return TwoParts(
        pd.DataFrame(buyers, columns=BUYERS),
        pd.DataFrame(rows, columns=COLUMNS),
        control,
        amount,
        indicator,
    )


@dataclass(frozen=True)
class _Part:
    """One arm: shares and amounts, the buyers' own variance, and that of both means together."""

    n: float
    buyers: int
    share: float
    mean: float
    each: float
    spread: float
    covariance: np.ndarray

    def row(self) -> tuple:
        half = float("nan")
        if self.buyers > 1:
            t = scipy.stats.t.ppf((1 + LEVEL) / 2, self.buyers - 1)
            half = t * np.sqrt(self.spread / self.buyers)
        ends = (self.each - half, self.each + half)
        return (self.n, self.buyers, self.share, self.mean, self.each, *ends)


def _buyers(one: ArmSums) -> _Part:
    share, mean = map(float, one.mean)
    buyers = round(one.n * share) if one.n else 0
    each = mean / share if buyers else float("nan")
    along = np.array([-each, 1.0])
    squares = (one.n - 1) * float(along @ one.covariance @ along)
    # what floating point leaves of buyers who all spend the same is nothing
    squares = squares if squares > 1e-12 * one.n * mean**2 else 0.0
    spread = squares / (buyers - 1) if buyers > 1 else float("nan")
    return _Part(one.n, buyers, share, mean, each, spread, one.covariance / max(one.n, 1))


def _compare_buyers(one: _Part, base: _Part) -> dict:
    """Return the difference a buyer, and both parts of that a customer."""
    df = (one.buyers - 1, base.buyers - 1)
    gap, middle = one.share - base.share, (one.each + base.each) / 2
    rise = one.each - base.each
    # slopes of the part from more buyers by share and amount, in either arm
    slopes = [
        np.array([sign * middle - gap * arm.each / arm.share / 2, gap / arm.share / 2])
        for sign, arm in ((1, one), (-1, base))
    ]
    rest = [np.array([0.0, sign]) - slope for sign, slope in zip((1, -1), slopes, strict=True)]
    told = {}
    for name, value, variances in (
        ("buyer", rise, [arm.spread / arm.buyers for arm in (one, base)]),
        ("more_buyers", gap * middle, _spread(slopes, one, base)),
        ("larger_purchases", rise * (one.share + base.share) / 2, _spread(rest, one, base)),
    ):
        ends = bounds(value, list(zip(variances, df, strict=True)))
        told |= dict(zip(_ends(name), (value, *ends), strict=True))
    return told


def _spread(slopes: Sequence[np.ndarray], one: _Part, base: _Part) -> list[float]:
    pairs = zip(slopes, (one, base), strict=True)
    return [max(float(slope @ arm.covariance @ slope), 0.0) for slope, arm in pairs]


def _ends(name: str) -> list[str]:
    return [f"{name}{end}" for end in ("", "_low", "_high", "_p")]


def _refuse_other_amounts(arm: str, one: ArmSums) -> None:
    """Raise where the indicator does not tell whose amount is not nothing."""
    indicator, amount = one.names
    if one.n < 2:
        return
    if not one.is_binary(indicator):
        raise CustomerlabError(f"{indicator!r} must be 0 or 1, and is not in the arm {arm!r}")
    # the mean of the product is that of the amount if those who did not buy have none
    product = one.covariance[0, 1] * (one.n - 1) / one.n + one.mean[0] * one.mean[1]
    size = np.sqrt(one.covariance[1, 1] + one.mean[1] ** 2)
    if abs(product - one.mean[1]) > 1e-9 * size:
        raise CustomerlabError(
            f"in the arm {arm!r} customers with {indicator!r} 0 have an amount {amount!r}: it "
            "must be nothing for them"
        )
