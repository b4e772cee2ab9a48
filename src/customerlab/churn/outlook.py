"""The model that looks ahead: the chance of leaving in each month after a landmark.

What goes with leaving in a month (:mod:`customerlab.churn.hazard`) is told by what was known when
that month began. Who leaves in the fifth month from now has to be told by what is known today,
and much of it changes on the way: balances fall and pay moves before a customer goes. So the
months are cut into windows, each month knows what was known when its window began (a landmark;
van Houwelingen 2007), and what such features say may be another thing in the first month, in the
second and third, and after that. Each exit is used once: the errors of independent trials hold.
Two features, one of them a sign that leaving has begun, may say together what neither says alone
(:mod:`customerlab.churn.together`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from customerlab.churn.hazard import Hazard, fit_hazard
from customerlab.churn.levels import as_levels
from customerlab.churn.stays import Stays
from customerlab.churn.together import features_of, fit_together, pair_name, pairs_of, with_pairs
from customerlab.features import FADING, band_of
from customerlab.findings import Status
from customerlab.messages import Message, say

#: Months from the landmark to the month, and the name of the band.
LEADS = {0: "1", 1: "2-3", 3: "4+"}

_AHEAD = "_ahead"


@dataclass(frozen=True)
class Outlook:
    """A fitted model of the months ahead.

    Attributes
    ----------
    hazards : dict of str to Hazard
        One for each exit; of a single kind of exit, ``left``.
    usual : dict of str to str
        Each fading feature and its most frequent level, which the others are compared with.
    furthest : int
        Months from the landmark to the last month that the model has seen; later ones are like it.
    """

    hazards: dict[str, Hazard]
    usual: dict[str, str] = field(default_factory=dict)
    furthest: int = max(LEADS)

    @property
    def exits(self) -> tuple[str, ...]:
        """The kinds of exit."""
        return tuple(self.hazards)

    @property
    def fitted(self) -> bool:
        """Whether at least one exit has a model."""
        return any(hazard.fitted for hazard in self.hazards.values())

    @property
    def events(self) -> int:
        """Exits of all kinds."""
        return sum(hazard.events for hazard in self.hazards.values())

    @property
    def status(self) -> Status:
        """Status of the exit with most cases."""
        return max(self.hazards.values(), key=lambda hazard: hazard.events).status

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that a customer's chances hang on."""
        terms = (term.term for hazard in self.hazards.values() for term in hazard.terms)
        own = (features_of(term.removesuffix(_AHEAD)) for term in terms if term != "lead")
        return tuple(dict.fromkeys(name for names in own for name in names))

    @property
    def pairs(self) -> tuple[tuple[str, ...], ...]:
        """The features that say together what neither says alone."""
        terms = (term.term for hazard in self.hazards.values() for term in hazard.terms)
        made_of = (tuple(features_of(term.removesuffix(_AHEAD))) for term in terms)
        return tuple(dict.fromkeys(names for names in made_of if len(names) > 1))

    @property
    def covariance(self) -> np.ndarray:
        """Of the coefficients of all exits; those of two exits are taken as independent."""
        blocks = [hazard.covariance for hazard in self.hazards.values()]
        size = sum(len(block) for block in blocks)
        whole, at = np.zeros((size, size)), 0
        for block in blocks:
            whole[at : at + len(block), at : at + len(block)] = block
            at += len(block)
        return whole

    @property
    def notes(self) -> tuple[Message, ...]:
        """What cannot be told apart."""
        return tuple(
            say("Too few of one kind of exit for a model: its chance is the same for everybody.")
            for hazard in self.hazards.values()
            if not hazard.fitted and self.fitted
        )[:1]

    def rows(self, cells: pd.DataFrame, ahead: int) -> pd.DataFrame:
        """Return customers' cells as the model sees them so many months after the landmark."""
        lead = band_of(np.array([min(ahead, self.furthest)]), LEADS)[0]
        return _as_known(cells, lead, self.usual, self.pairs)

    def hazards_of(self, rows: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield each exit, the chance of it in a month, and how it moves with the coefficients."""
        for exit_, hazard in self.hazards.items():
            can = rows[f"risk_{exit_}"].to_numpy(float) if f"risk_{exit_}" in rows else 1.0
            if not hazard.fitted:
                rate = hazard.events / hazard.n if hazard.n else 0.0
                yield exit_, np.full(len(rows), rate) * can, np.zeros((len(rows), 0))
                continue
            design = hazard.design(rows)
            rates = np.exp(design @ hazard.coefficients) * can
            yield exit_, -np.expm1(-rates), (np.exp(-rates) * rates)[:, None] * design


def _as_known(
    cells: pd.DataFrame,
    lead: str | pd.Series,
    usual: Mapping[str, str],
    pairs: Sequence[tuple[str, ...]],
) -> pd.DataFrame:
    """Add the months from the landmark, and what fades with them."""
    cells = with_pairs(cells, pairs, usual)
    levels = {**usual, **{pair_name(pair): "" for pair in pairs}}
    faded = {name + _AHEAD: _faded(cells[name], lead, level) for name, level in levels.items()}
    return cells.assign(lead=lead, **faded)


def _faded(values: pd.Series, lead: str | pd.Series, usual: str) -> pd.Series:
    return values.where(values == usual, values + " · " + lead)


def as_outlook(model: Hazard | Outlook) -> Outlook:
    """Return an outlook in which a model of the months holds for all months ahead."""
    return model if isinstance(model, Outlook) else Outlook({"left": model})


def fit_outlook(
    windows: pd.DataFrame, covariates: Sequence[str], exits: Sequence[str] = ("left",)
) -> Outlook:
    """Fit the model of the months ahead to counts of customer-months in windows.

    Parameters
    ----------
    windows : DataFrame
        ``lead`` (months from the landmark), ``tenure_band``, `covariates` as known at the
        landmark (what moves on by itself, as in the month), ``n`` customer-months and ``events``
        among them; with several exits ``risk_<exit>`` and ``left_<exit>`` instead, numbers of
        those who could leave that way and of those who did.
    covariates : sequence of str
    exits : sequence of str
        Kinds of exit; each is modelled for itself, the others being silent about it
        (cause-specific hazards).
    """
    names = ["tenure_band", *covariates]
    cells = windows.assign(**{name: as_levels(windows[name]) for name in names})
    sizes = {name: cells.groupby(name)["n"].sum() for name in covariates if name in FADING}
    usual = {name: str(size.idxmax()) for name, size in sizes.items() if len(size)}
    lead = pd.Series(band_of(cells["lead"].to_numpy(), LEADS), index=cells.index)
    pairs = pairs_of([name for name in covariates if name in usual])
    cells = _as_known(cells, lead, usual, pairs)
    terms = ["lead", *(name + _AHEAD if name in usual else name for name in covariates)]
    made_of = {pair_name(pair) + _AHEAD: (pair[0] + _AHEAD, pair[1] + _AHEAD) for pair in pairs}
    hazards = {exit_: fit_together(_only(cells, exit_, exits), terms, made_of) for exit_ in exits}
    outlook = Outlook(hazards, usual, int(windows["lead"].max()) if len(windows) else max(LEADS))
    fading = {name: level for name, level in usual.items() if name in outlook.inputs}
    return replace(outlook, usual=fading)


def look_ahead(stays: Stays, covariates: Sequence[str] | None = None) -> Outlook:
    """Fit the model of the months ahead to what is known of the customers' stays.

    A prepared table knows no calendar: its model of a month then holds for all months ahead.
    """
    chosen = stays.covariates if covariates is None else covariates
    if stays.windows is None:
        return Outlook(fit_causes(stays, chosen))
    return fit_outlook(stays.windows, chosen, stays.exits)


def fit_causes(stays: Stays, covariates: Sequence[str] | None = None) -> dict[str, Hazard]:
    """Fit what goes with each kind of exit in a month, by what was known when it began."""
    chosen = stays.causes if covariates is None else covariates
    return {
        exit_: fit_hazard(_only(stays.months, exit_, stays.exits), chosen) for exit_ in stays.exits
    }


def _only(cells: pd.DataFrame, exit_: str, exits: Sequence[str]) -> pd.DataFrame:
    """Return the counts of those who could leave in one way, and of those who did."""
    if len(exits) == 1:
        return cells
    return cells.assign(n=cells[f"risk_{exit_}"], events=cells[f"left_{exit_}"])
