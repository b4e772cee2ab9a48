r"""Whether hazard ratios stay the same over the time since joining: the test of R's ``cox.zph``.

To Cox's model with features :math:`x` each feature is added once more, multiplied by a function
of time: :math:`x\beta + g(t)\,x\theta`. The test is the exact score test of :math:`\theta = 0`,
as in R's survival 3.0 and later (Grambsch and Therneau 1994 gave the approximation by scaled
Schoenfeld residuals that older versions and lifelines use, which takes the variance of the
features among those at risk for constant). With :math:`u_t` and :math:`V_t` the parts of Efron's
score and information at the time of exit :math:`t`,

.. math:: u = \begin{pmatrix} 0 \\ \sum_t g(t) u_t \end{pmatrix}, \quad
    I = \sum_t \begin{pmatrix} V_t & g(t) V_t \\ g(t) V_t & g(t)^2 V_t \end{pmatrix}, \quad
    \chi^2 = u' I^{-1} u

where for one term the second block holds that term's columns only. All sums are over counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.cox import AtRisk, Cox, RiskSets, at_risk_data
from customerlab.errors import CustomerlabError
from customerlab.features import feature_name, level_name
from customerlab.findings import Check, Status
from customerlab.messages import Message, listed, say

_COLUMNS = ["term", "df", "chi_square", "p", "adjusted_p"]
_SHIFTS = ["term", "level", "hazard_ratio", "early_ratio", "late_ratio", "change"]

#: A ratio that changes by less than this factor between early and late exits decides nothing.
MUCH = 1.25

#: Adjusted p-values below this are taken for a ratio that changes.
ALPHA = 0.05

Clock = Literal["km", "identity"]


@dataclass(frozen=True)
class Proportional:
    """What the test of proportional hazards found.

    Attributes
    ----------
    table : DataFrame
        ``term``, ``df``, ``chi_square``, ``p``, and ``adjusted_p`` (Holm's, over the terms).
    overall : dict of str to float
        ``df``, ``chi_square`` and ``p`` of all terms together, R's ``GLOBAL``; empty if not tested.
    shifts : DataFrame
        ``term``, ``level``, ``hazard_ratio`` and what it is at the time by which a quarter
        (``early_ratio``) and three quarters (``late_ratio``) of the exits have happened: one
        Newton step from no change, an estimate of size and direction; ``change`` is late over
        early, for a number that of one standard deviation.
    clock : {"km", "identity"}
        What `g` was.
    events : int
    status : str
    notes : tuple of Message
    """

    table: pd.DataFrame
    overall: dict[str, float]
    shifts: pd.DataFrame
    clock: Clock
    events: int
    status: Status
    notes: tuple[Message, ...] = ()

    @property
    def changing(self) -> tuple[str, ...]:
        """The terms whose ratio changes with time: beyond chance, and by enough to matter."""
        much = self.shifts.loc[np.abs(np.log(self.shifts["change"].astype(float))) > np.log(MUCH)]
        clear = self.table.loc[self.table["adjusted_p"] < ALPHA, "term"]
        return tuple(term for term in clear if term in set(much["term"]))

    @property
    def text(self) -> Message:
        """The outcome in a sentence."""
        if not self.overall:
            return say(
                "With {events:customers} exits, or in so few different months, it cannot be tested "
                "whether the ratios change with time.",
                events=self.events,
            )
        return say(
            "Test of proportional hazards over all features: chi-squared {chi:number1} with "
            "{df:count} degrees of freedom, p = {p:chance}.",
            chi=self.overall["chi_square"],
            df=self.overall["df"],
            p=self.overall["p"],
        )


def fit_zph(
    cox: Cox,
    counts: pd.DataFrame,
    *,
    clock: Clock = "km",
    time: str = "duration",
    event: str = "churned",
    entry: str | None = None,
    weight: str = "n",
) -> Proportional:
    """Test whether each hazard ratio of a Cox model is the same at all times since joining.

    Parameters
    ----------
    cox : Cox
    counts : DataFrame
        What it was fitted to.
    clock : {"km", "identity"}
        What a ratio may change with: ``km``, one minus the Kaplan-Meier curve of all customers
        just before the exit (R's default; robust against few late exits), or ``identity``, the
        time itself. Where late entry lets the curve fall to zero too early, ``identity`` is taken
        and a note says so.
    time, event, entry, weight : str
        As given to :func:`customerlab.churn.fit_cox`.

    Raises
    ------
    CustomerlabError
        When the counts are not those of the model.
    """
    from statsmodels.stats.multitest import multipletests  # slow to import

    data = at_risk_data(
        counts,
        list(dict.fromkeys(cox.table["term"])),
        time=time,
        event=event,
        entry=entry,
        weight=weight,
    )
    if cox.status == "not_enough_data" or len(data.risk_sets.times) < 2:
        return _none(cox.events, clock)
    check_fitted(cox, data)
    sets, notes = data.risk_sets, []
    g = _clock(sets, clock)
    if g is None:
        clock, g = "identity", sets.times.copy()
        notes.append(
            say(
                "So few were seen early that the curve is done before the last exit: the test "
                "follows the ratios over months instead."
            )
        )
    g = g - sets.d @ g / sets.d.sum()
    beta = cox.table["coefficient"].to_numpy(float)
    now, moved, twice = (sets.value(beta, g**power) for power in (0, 1, 2))
    u = np.concatenate([np.zeros(len(beta)), moved[1]])
    information = np.block([[now[2], moved[2]], [moved[2], twice[2]]])
    spread = np.sqrt(np.average(sets.x**2, axis=0, weights=sets.w))
    early, late = _quarters(sets.d, g)
    rows, shifts = [], []
    for term in dict.fromkeys(cox.table["term"]):
        mine = np.flatnonzero(cox.table["term"] == term)
        step, chi = _step(u, information, np.concatenate([np.arange(len(beta)), len(beta) + mine]))
        if step is None:
            note = say("{term}: too few times of exit to test it", term=feature_name(term))
            notes.append(note)
            continue
        rows.append((term, len(mine), chi, float(scipy.stats.chi2.sf(chi, len(mine)))))
        for i, slope in zip(mine, step[len(beta) :], strict=True):
            level = cox.table["level"].iloc[i]
            unit = 1.0 if level else spread[i]
            ratios = np.exp(beta[i] + step[i] + slope * np.array([early, late]))
            change = float(np.exp(slope * unit * (late - early)))
            shifts.append((term, level, float(np.exp(beta[i])), *ratios, change))
    if not rows:
        return _none(cox.events, clock, tuple(notes))
    tested = np.flatnonzero(cox.table["term"].isin([row[0] for row in rows]))
    _, chi = _step(u, information, np.concatenate([np.arange(len(beta)), len(beta) + tested]))
    table = pd.DataFrame(rows, columns=_COLUMNS[:-1])
    table["adjusted_p"] = multipletests(table["p"], method="holm")[1]
    overall = {
        "df": len(tested),
        "chi_square": chi,
        "p": float(scipy.stats.chi2.sf(chi, len(tested))),
    }
    return Proportional(
        table,
        overall,
        pd.DataFrame(shifts, columns=_SHIFTS),
        clock,
        cox.events,
        cox.status,
        tuple(notes),
    )


def _none(events: int, clock: Clock, notes: tuple[Message, ...] = ()) -> Proportional:
    table, shifts = pd.DataFrame(columns=_COLUMNS), pd.DataFrame(columns=_SHIFTS)
    return Proportional(table, {}, shifts, clock, events, "not_enough_data", notes)


def _clock(sets: RiskSets, clock: Clock) -> np.ndarray | None:
    """Return `g` at each time of exit; None where the curve is done before the last of them."""
    if clock == "identity":
        return sets.times.copy()
    after = np.cumprod(1 - sets.d / sets.at_risk())
    before = np.concatenate([[1.0], after[:-1]])
    return 1 - before if before[-1] > 1e-12 else None


def _quarters(exits: np.ndarray, g: np.ndarray) -> tuple[float, float]:
    """Return `g` at the times by which a quarter and three quarters of the exits have happened."""
    share = np.cumsum(exits) / exits.sum()
    first, third = np.searchsorted(share, [0.25, 0.75])
    return float(g[first]), float(g[third])


def _step(u: np.ndarray, information: np.ndarray, keep: np.ndarray):
    """Return the Newton step of the columns in `keep` and the score statistic."""
    u, information = u[keep], information[np.ix_(keep, keep)]
    size = np.sqrt(np.diag(information).clip(min=0))
    if not (size > 0).all():
        return None, float("nan")
    scaled = information / np.outer(size, size)
    if np.linalg.matrix_rank(scaled, hermitian=True, tol=1e-9) < len(keep):
        return None, float("nan")
    step = np.linalg.solve(scaled, u / size) / size
    return step, float(u @ step)


def check_fitted(cox: Cox, data: AtRisk) -> None:
    """Raise when the model was not fitted to these counts."""
    names = list(zip(cox.table["term"], cox.table["level"], strict=True))
    if names != data.names or (cox.n, cox.events) != (data.n, data.events):
        raise CustomerlabError(
            f"the Cox model was fitted to other counts: {cox.n} customers with {cox.events} exits "
            f"there, {data.n} with {data.events} here (or other levels of the features)"
        )


def check_proportional(
    zph: Proportional, *, weakens: tuple[str, ...] = ("churn_timing.main_sign",)
) -> Check:
    """Say whether one hazard ratio tells of all the time since joining.

    Fails when the ratio of some feature changes beyond chance (Holm's p below 0.05) and by a
    factor of at least 1.25 between early and late exits: with very many customers a change that
    decides nothing would fail the check.
    """
    name = say("The ratios stay the same over the time since joining")
    if not zph.overall:
        return Check(name, None, zph.text, weakens)
    values = dict(zph.text.values)
    if not zph.changing:
        text = say(
            "No feature's ratio changes by a quarter or more beyond chance between early and late "
            "exits (test of proportional hazards over all features: chi-squared {chi:number1} with "
            "{df:count} degrees of freedom, p = {p:chance}).",
            **values,
        )
        return Check(name, True, text, weakens)
    mine = zph.shifts.loc[zph.shifts["term"].isin(zph.changing)]
    most = mine.loc[np.log(mine["change"].astype(float)).abs().idxmax()]
    early, late = (abs(np.log(most[f"{when}_ratio"])) for when in ("early", "late"))
    trend = (
        say("it tells more about those who leave late than about those who leave early")
        if late > early
        else say("it tells less about those who leave late than about those who leave early")
    )
    text = say(
        "The ratios change with the time since joining for: {terms}. Most of all “{feature}: "
        "{level}”: the ratio among late exits is {change:number2} times that among early ones, so "
        "that {trend} (test of proportional hazards over all features: chi-squared {chi:number1} "
        "with {df:count} degrees of freedom, p = {p:chance}). One ratio for such a feature is an "
        "average over time, so it is fitted with an interaction with time as well.",
        terms=listed([feature_name(term) for term in zph.changing]),
        feature=feature_name(most["term"]),
        level=_level(most["term"], most["level"]),
        change=most["change"],
        trend=trend,
        **values,
    )
    return Check(name, False, text, weakens)


def _level(term: str, level: str) -> Message | str:
    return level_name(term, level) if level else say("one standard deviation more")
