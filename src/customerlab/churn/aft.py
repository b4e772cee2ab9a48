r"""Accelerated failure time models on counts: how many times longer, or shorter, customers stay.

Where Cox's model multiplies the hazard, these multiply time itself: with the features :math:`x`

.. math:: \log T = \mu + x'\beta + \sigma \epsilon

and :math:`\exp(\beta)` is a time ratio: 2 is a stay twice as long. The law of :math:`\epsilon`
gives the distribution: Weibull, log-logistic or log-normal; the one with the lowest AIC is taken.
Time is the number of months at whose end the exit is known, as a continuous number.

The models are lifelines'. Its weights are counts, for coefficients and errors alike: the
likelihood and its Hessian are sums over rows times weights (``tests/test_aft.py`` holds both
against repeated rows and R's ``survreg``). Three things of it are not used: it stops before the
coefficients have four right digits in the log-logistic model (so it is told to go on); its
concordance and its median of the sample ignore the weights (both are computed here).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.concordance import Concordance, concordance
from customerlab.churn.cox import AtRisk, at_risk_data
from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import Status
from customerlab.messages import Message, say

#: The distributions tried, and what a reader calls them.
DISTRIBUTIONS: dict[str, Message] = {
    "weibull": say("Weibull"),
    "log_logistic": say("log-logistic"),
    "log_normal": say("log-normal"),
}

#: Their names in lifelines.
_FITTERS = {
    "weibull": "WeibullAFTFitter",
    "log_logistic": "LogLogisticAFTFitter",
    "log_normal": "LogNormalAFTFitter",
}

_COLUMNS = ["term", "level", "time_ratio", "low", "high", "coefficient", "std_error", "p"]
_FITS = ["distribution", "log_likelihood", "aic", "chosen"]
_MEDIANS = ["term", "level", "median_months", "low", "high"]
_Z = float(scipy.special.ndtri(0.975))

#: A coefficient or an error beyond these, for one standard deviation, is a likelihood without a
#: maximum, not an estimate.
_WILD, _WILD_ERROR = 12.0, 20.0


@dataclass(frozen=True)
class Aft:
    """A fitted accelerated failure time model.

    Attributes
    ----------
    table : DataFrame
        ``term``, ``level`` (empty for a number; otherwise compared with the most frequent),
        ``time_ratio`` with its 95 % interval ``low`` to ``high``, ``coefficient``, ``std_error``,
        ``p``. Empty when not fitted.
    covariance : ndarray
        Of the coefficients, in the order of the table.
    distribution : str or None
        The chosen one, a key of :data:`DISTRIBUTIONS`.
    fits : DataFrame
        ``distribution``, ``log_likelihood``, ``aic`` and whether it was ``chosen``; those that
        found no best answer have no numbers.
    medians : DataFrame
        ``term``, ``level``, ``median_months`` with its interval ``low`` to ``high``: until half
        have left, for customers who have this level and the most frequent of all other features
        (numbers: the mean); the first row, without a term, has them all. Missing beyond the
        longest stay that was seen.
    concordance : Concordance
    references : dict of str to str
    n, events : int
    status : str
    notes : tuple of Message
    """

    table: pd.DataFrame
    covariance: np.ndarray
    distribution: str | None
    fits: pd.DataFrame
    medians: pd.DataFrame
    concordance: Concordance
    references: dict[str, str]
    n: int
    events: int
    status: Status
    notes: tuple[Message, ...] = ()

    @property
    def text(self) -> Message:
        """Which distribution fits, in a sentence."""
        if self.distribution is None:
            return say(
                "With {events:customers} exits and these features there is no model of stays.",
                events=self.events,
            )
        best = self.fits.loc[self.fits["chosen"]].iloc[0]
        return say(
            "Of the distributions tried, {name} describes the lengths of the stays best "
            "(AIC {aic:number0}).",
            name=DISTRIBUTIONS[self.distribution],
            aic=best["aic"],
        )


def fit_aft(
    counts: pd.DataFrame,
    covariates: Sequence[str],
    *,
    distributions: Sequence[str] = tuple(DISTRIBUTIONS),
    time: str = "duration",
    event: str = "churned",
    entry: str | None = None,
    weight: str = "n",
) -> Aft:
    """Fit each distribution to counts of customers who are alike and take the best by AIC.

    Parameters
    ----------
    counts : DataFrame
    covariates : sequence of str
        Numbers and categories as in :func:`customerlab.churn.fit_cox`.
    distributions : sequence of str
        Keys of :data:`DISTRIBUTIONS`.
    time, event, entry, weight : str
        As in :func:`customerlab.churn.fit_cox`.

    Returns
    -------
    Aft
        With fewer than 30 exits, or nothing to compare, there is no model, and ``status`` and
        ``notes`` say so.
    """
    known = counts.loc[counts[time] > 0]
    without = int(counts.loc[counts[time] <= 0, weight].sum())
    names = {"time": time, "event": event, "entry": entry, "weight": weight}
    data = at_risk_data(known, covariates, **names)
    notes = list(data.notes)
    if without:
        notes.append(
            say(
                "{n:customers} customers without a whole month have no length of stay and are "
                "left out.",
                n=without,
            )
        )
    if data.events < FEW_EVENTS or not data.names:
        if data.events >= FEW_EVENTS:
            notes.append(say("No feature differs between customers: no length to compare."))
        return _none(data, notes, names)
    frame = _frame(data, **names)
    fits = {name: _fit(name, frame, late=entry is not None) for name in distributions}
    aic = {name: fit.AIC_ for name, fit in fits.items() if fit is not None}
    for name in distributions:
        if name not in aic:
            note = say("The {name} model found no best answer.", name=DISTRIBUTIONS[name])
            notes.append(note)
    if not aic:
        return _none(data, notes, names, distributions)
    best = min(aic, key=aic.get)
    b, covariance, shape = _parameters(fits[best], len(data.names))
    se, p = np.sqrt(np.diag(covariance))[1:-1], len(data.names)
    coefficients = b[1:]
    table = pd.DataFrame(data.names, columns=["term", "level"]).assign(
        time_ratio=np.exp(coefficients),
        low=np.exp(coefficients - _Z * se),
        high=np.exp(coefficients + _Z * se),
        coefficient=coefficients,
        std_error=se,
        p=2 * scipy.stats.norm.sf(np.abs(coefficients / se)),
    )
    rows = [(n, getattr(f, "log_likelihood_", np.nan), aic.get(n, np.nan)) for n, f in fits.items()]
    tried = pd.DataFrame(rows, columns=_FITS[:-1])
    return Aft(
        table=table[_COLUMNS],
        covariance=covariance[1 : p + 1, 1 : p + 1],
        distribution=best,
        fits=tried.assign(chosen=tried["distribution"] == best),
        medians=_medians(data, best, b, shape, covariance, float(frame["time"].max())),
        concordance=concordance(-data.risk_sets.x @ coefficients, data.cells, **names),
        references=data.references,
        n=data.n,
        events=data.events,
        status=status_of(data.events),
        notes=tuple(notes),
    )


def _none(data: AtRisk, notes: list[Message], names: dict, tried: Sequence[str] = ()) -> Aft:
    nothing = [(name, np.nan, np.nan, False) for name in tried]
    return Aft(
        table=pd.DataFrame(columns=_COLUMNS),
        covariance=np.empty((0, 0)),
        distribution=None,
        fits=pd.DataFrame(nothing, columns=_FITS),
        medians=pd.DataFrame(columns=_MEDIANS),
        concordance=concordance([], data.cells.iloc[:0], **names),
        references=data.references,
        n=data.n,
        events=data.events,
        status="not_enough_data",
        notes=tuple(notes),
    )


def _frame(data: AtRisk, *, time: str, event: str, entry: str | None, weight: str) -> pd.DataFrame:
    frame = pd.DataFrame(data.risk_sets.x, columns=_names(len(data.names)))
    frame["time"] = data.cells[time].to_numpy(float)
    frame["left"] = data.cells[event].to_numpy(bool)
    frame["n"] = data.cells[weight].to_numpy(float)
    if entry is not None:
        frame["entry"] = data.cells[entry].to_numpy(float).clip(min=0)
    # levels that were joined make more customers alike, and lifelines' time goes with the rows
    return frame.groupby([name for name in frame if name != "n"], as_index=False)["n"].sum()


def _names(p: int) -> list[str]:
    return [f"x{i}" for i in range(p)]


def _fit(distribution: str, frame: pd.DataFrame, *, late: bool):
    """Return lifelines' fitted model, or None where it has no best answer.

    What it warns of (a feature that tells the time or the exit, errors that cannot be had) is
    taken for that.
    """
    fitter = _maximised(distribution, frame, late, 1e-14)
    if fitter is None:  # asked for more than rounding allows, it says that it did not arrive
        fitter = _maximised(distribution, frame, late, 1e-9)
    if fitter is None:
        return None
    x = frame[[name for name in frame if name.startswith("x")]]
    primary, spread = fitter._primary_parameter_name, x.std()
    size = (fitter.params_[primary].reindex(spread.index) * spread).abs().max()
    error = (fitter.standard_errors_[primary].reindex(spread.index) * spread).max(skipna=False)
    return fitter if size < _WILD and error < _WILD_ERROR else None


def _maximised(distribution: str, frame: pd.DataFrame, late: bool, precision: float):
    """Return lifelines' fitted model, or None where it gave up or doubts the answer."""
    import lifelines  # slow to import
    from lifelines.exceptions import (
        ApproximationWarning,
        ConvergenceError,
        ConvergenceWarning,
        StatisticalWarning,
    )

    fitter = getattr(lifelines, _FITTERS[distribution])()
    # lifelines' advice where its default gives up; the log-normal one does, asked for precision
    fitter._scipy_fit_method = "SLSQP"
    with warnings.catch_warnings():
        for doubt in (ApproximationWarning, ConvergenceWarning, StatisticalWarning):
            warnings.simplefilter("error", doubt)
        try:
            return fitter.fit(
                frame,
                "time",
                "left",
                weights_col="n",
                entry_col="entry" if late else None,
                fit_options={"ftol": precision},
            )
        except (ApproximationWarning, ConvergenceWarning, StatisticalWarning):
            return None
        except (ConvergenceError, np.linalg.LinAlgError):
            return None


def _parameters(fitter, p: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return intercept and coefficients, the covariance of them and the shape, and the shape."""
    primary, other = fitter._primary_parameter_name, fitter._ancillary_parameter_name
    order = [(primary, "Intercept"), *((primary, name) for name in _names(p))]
    order.append((other, "Intercept"))
    values = fitter.params_.loc[order].to_numpy(float)
    return values[:-1], fitter.variance_matrix_.loc[order, order].to_numpy(float), values[-1]


def _medians(
    data: AtRisk,
    distribution: str,
    b: np.ndarray,
    shape: float,
    covariance: np.ndarray,
    longest: float,
) -> pd.DataFrame:
    """Return the time until half have left, by level, by the delta method on its logarithm."""
    is_level = np.array([level != "" for _, level in data.names])
    base = np.where(is_level, -data.center, 0.0)  # the design is centred
    # a Weibull median is scale * log(2) ** (1 / shape); the others' scale is the median
    extra = np.log(np.log(2)) * np.exp(-shape) if distribution == "weibull" else 0.0
    rows = []
    for at, (term, level) in [(None, ("", "")), *enumerate(data.names)]:
        if at is not None and not is_level[at]:
            continue
        x = base + (np.arange(len(base)) == at)
        slope = np.concatenate([[1.0], x, [-extra]])
        log_median = b[0] + x @ b[1:] + extra
        error = float(np.sqrt(slope @ covariance @ slope))
        found = np.exp([log_median, log_median - _Z * error, log_median + _Z * error])
        rows.append((term, level, *np.where(found <= longest, found, np.nan)))
    return pd.DataFrame(rows, columns=_MEDIANS)
