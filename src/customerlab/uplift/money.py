r"""What an arm earns: profit, return on cost, cost per customer won, break-even cost.

All from an effect's interval. With the margin `m` of one unit of the outcome and the cost `c` of a
contact, both known, the profit per contact is :math:`m e - c`, the return on investment
:math:`(m e - c) / c`, the break-even cost :math:`m e`, the cost per customer won :math:`c / e`.
Each rises or falls with the effect `e` alone, so its interval is the effect's, transformed end by
end. It holds the truth exactly when that does: at the same level, whether that is of one look or
of many, of one comparison or of several. For :math:`c / e` that is Fieller's (1954) interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message
from customerlab.uplift.average import Effects
from customerlab.uplift.money_texts import say_all_money, say_money

_NAN = float("nan")
#: Money, each with ``_low`` and ``_high``, in the order of the table.
AMOUNTS = ["profit_per_contact", "profit", "roi", "cac", "break_even_cost"]
_ENDS = [f"{name}{end}" for name in AMOUNTS for end in ("", "_low", "_high")]
#: Columns of :attr:`Money.table`.
COLUMNS = ["arm", "outcome", "n", "control_n", "control_mean", "treated_mean", "binary"]
COLUMNS += ["effect", "low", "high", "adjusted", "margin", "cost", *_ENDS]
COLUMNS += ["status", "why_not", "text"]


@dataclass(frozen=True)
class Money:
    """What each arm earns by each outcome, as far as margin and cost tell.

    Profits by several outcomes of one arm must not be added: a visit, the purchase and its amount
    are the same money.

    Attributes
    ----------
    table : DataFrame
        One row per ``arm`` and ``outcome`` that has a margin, or is 0/1 and has a cost: customers
        ``n`` and ``control_n``, ``control_mean``, ``treated_mean``, ``binary``; the ``effect`` it
        rests on with its interval ``low`` to ``high`` and whether that is the ``adjusted`` one;
        ``margin`` (money per unit of the outcome) and ``cost`` (money per customer of the arm).
        In money: ``profit_per_contact``, ``profit`` of all n, ``cac`` (cost per customer won, of a
        0/1 outcome), ``break_even_cost`` (what a contact may cost); ``roi`` (profit as a part of
        the cost). Each with ``_low`` and ``_high``; what cannot be said is missing. A ``cac_low``
        without ``cac_high`` means that no upper end exists: perhaps nobody is won. ``status`` of
        the effect (``not_enough_data`` without interval), ``why_not`` (None or a message),
        ``text`` (a message: earns, loses or not sure, and what that means).
    control : str
    """

    table: pd.DataFrame
    control: str

    def row(self, arm: str, outcome: str) -> pd.Series:
        """Return the row of an arm and outcome; KeyError where there is none."""
        mine = self.table[(self.table["arm"] == arm) & (self.table["outcome"] == outcome)]
        if mine.empty:
            raise KeyError(f"no money of {arm!r} on {outcome!r}")
        return mine.iloc[0]

    @property
    def text(self) -> Message:
        """All rows in a sentence."""
        return say_all_money(self.table)


def price_effects(
    effects: Effects,
    *,
    margin: Mapping[str, float] | float | None,
    cost: Mapping[str, float] | float | None,
    adjusted: bool = True,
) -> Money:
    """Turn effects into money.

    Parameters
    ----------
    effects : Effects
        Ends of an interval that are infinite (a look too early) count as unknown.
    margin : mapping of str to float, float or None
        Money per unit of an outcome: of an amount the share that is kept, of a 0/1 outcome or a
        number of events the money per event, below 0 for what costs money (a complaint: no cost
        per customer won then). One number is meant for all outcomes that are not 0/1, or for the
        only outcome; None if unknown.
    cost : mapping of str to float, float or None
        Money per customer assigned to the arm, reached or not, beyond what the control costs, 0
        or more; by arm, or one number for all. None, or an arm left out: unknown.
    adjusted : bool
        Whether to use the adjusted effect where there is one. Where only the plain interval was
        made for many looks or comparisons, it must be False.

    Raises
    ------
    CustomerlabError
        If margin or cost names an outcome or arm that does not exist (with the nearest that does),
        a margin is 0 or a cost below it.
    """
    table = effects.table
    margins = _margins(margin, table)
    costs = _by_name(cost, dict.fromkeys(table["arm"]), "contact_cost", "arm")
    if any(not (np.isfinite(one) and one != 0) for one in margins.values()):
        raise CustomerlabError("margin: each is a number other than 0")
    if any(not 0 <= one < np.inf for one in costs.values()):
        raise CustomerlabError("contact_cost: each is an amount of money, not below 0")
    rows = []
    for one in table.to_dict("records"):
        known = (margins.get(one["outcome"], _NAN), costs.get(one["arm"], _NAN))
        if not np.isnan(known[0]) or (one["binary"] and not np.isnan(known[1])):
            row = _price(one, *known, adjusted=adjusted)
            rows.append({**row, "text": say_money(row, effects.control)})
    return Money(pd.DataFrame(rows, columns=COLUMNS), effects.control)


def _margins(margin: Mapping[str, float] | float | None, table: pd.DataFrame) -> dict[str, float]:
    outcomes = list(dict.fromkeys(table["outcome"]))
    if not isinstance(margin, Mapping) and len(outcomes) > 1:
        binary = table.groupby("outcome")["binary"].any()
        outcomes = [name for name in outcomes if not binary[name]]
    return _by_name(margin, outcomes, "margin", "outcome")


def _by_name(
    given: Mapping[str, float] | float | None, names: Iterable[str], what: str, kind: str
) -> dict[str, float]:
    """Return a number for each name that has one."""
    if given is None:
        return {}
    names = list(names)
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, float(given))
    for name in given:
        if name not in names:
            raise CustomerlabError(f"{what}: there is no {kind} {name!r}{nearest(name, names)}")
    return {name: float(value) for name, value in given.items() if value is not None}


def _price(one: Mapping, margin: float, cost: float, *, adjusted: bool) -> dict:
    """Return a row of the table, but for its text."""
    row = dict.fromkeys(COLUMNS, _NAN) | {name: one[name] for name in COLUMNS[:7]}
    use, ends = effect_used(one, adjusted=adjusted)
    effect = np.array(ends, dtype=float)
    row |= dict(zip(("effect", "low", "high"), ends, strict=True))
    row |= {"adjusted": use, "margin": margin, "cost": cost, "why_not": one["why_not"]}
    row["status"] = "not_enough_data" if np.isnan(ends[1]) else one["status"]
    worth = margin * (effect if not margin < 0 else effect[[0, 2, 1]])
    row |= _named("break_even_cost", worth)
    row |= _named("profit_per_contact", worth - cost)
    row |= _named("profit", one["n"] * (worth - cost))
    if cost > 0:
        row |= _named("roi", (worth - cost) / cost)
        if one["binary"] and not margin < 0:
            row |= _named("cac", _per_one_won(effect, cost))
    return row


def effect_used(row: Mapping, *, adjusted: bool = True) -> tuple[bool, list[float]]:
    """Return whether the adjusted effect is used, and the effect with both its ends.

    Parameters
    ----------
    row : mapping
        A row of :attr:`customerlab.uplift.average.Effects.table`.
    adjusted : bool
        Whether it is wanted where there is one. Ends that are infinite come out missing.
    """
    use = bool(adjusted and np.isfinite([row["adjusted_low"], row["adjusted_high"]]).all())
    ends = [float(row[f"adjusted_{x}" if use else x]) for x in ("effect", "low", "high")]
    return use, ends if np.isfinite(ends[1:]).all() else [ends[0], _NAN, _NAN]


def _named(name: str, values: np.ndarray) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), map(float, values), strict=True))


def _per_one_won(effect: np.ndarray, cost: float) -> np.ndarray:
    """Return the cost per customer won, and its ends; no upper one where perhaps none is won."""
    value, low, high = (cost / end if end > 0 else _NAN for end in effect)
    return np.array([value, high, low])
