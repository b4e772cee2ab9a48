r"""Cox's proportional hazards model on counts of customers, ties by Efron's method.

Weights here are numbers of customers: the result is that of the same table with each row
repeated ``n`` times. (Case weights in lifelines are not: under ties they give another estimate.)
At a time with ``d`` exits, risk set ``R`` and exits ``D``, Efron's log-likelihood is

.. math:: \sum_D x'\beta - \sum_{l=0}^{d-1}
    \log\Bigl(\sum_R e^{x'\beta} - \tfrac{l}{d} \sum_D e^{x'\beta}\Bigr)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.levels import as_levels, find_levels
from customerlab.features import feature_name
from customerlab.findings import Status
from customerlab.messages import Message, say

_COLUMNS = ["term", "level", "hazard_ratio", "low", "high", "coefficient", "std_error", "p"]


@dataclass(frozen=True)
class Cox:
    """A fitted Cox model.

    Attributes
    ----------
    table : DataFrame
        ``term``, ``level`` (empty for a number; otherwise compared with the most frequent),
        ``hazard_ratio`` with its 95 % interval, ``coefficient``, ``std_error``, ``p``.
    covariance : ndarray
        In the order of the table.
    log_likelihood : float
        Efron's partial one.
    n, events : int
    references : dict of str to str
        The level of each category that the others are compared with.
    status : str
    notes : tuple of Message
    """

    table: pd.DataFrame
    covariance: np.ndarray
    log_likelihood: float
    n: int
    events: int
    references: dict[str, str]
    status: Status
    notes: tuple[Message, ...] = ()


def fit_cox(
    counts: pd.DataFrame,
    covariates: Sequence[str],
    *,
    time: str = "duration",
    event: str = "churned",
    entry: str | None = None,
    weight: str = "n",
) -> Cox:
    """Fit the model to counts of customers who are alike.

    Parameters
    ----------
    counts : DataFrame
    covariates : sequence of str
        A column of numbers enters as it is; any other as categories, of which thin ones are
        joined as in :func:`customerlab.churn.fit_hazard`.
    time, event, weight : str
        Columns with the duration, whether it ended in an exit, and the number of customers.
    entry : str, optional
        Column with the time from which the customer was seen: at risk after it.
    """
    data = at_risk_data(counts, covariates, time=time, event=event, entry=entry, weight=weight)
    n, events, references, notes = data.n, data.events, data.references, data.notes
    if events < FEW_EVENTS or not data.names:
        note = (
            say("Only {events:customers} exits: no Cox model.", events=events)
            if events < FEW_EVENTS
            else say("No cause differs between customers: no Cox model.")
        )
        return _none(n, events, references, (*notes, note))
    solved = _newton(data.risk_sets)
    if solved is None:
        note = say("The Cox model has no best answer (all or none leave in some group).")
        return _none(n, events, references, (*notes, note))
    beta, covariance, log_likelihood = solved
    se = np.sqrt(np.diag(covariance))
    z = float(scipy.stats.norm.ppf(0.975))
    table = pd.DataFrame(data.names, columns=["term", "level"]).assign(
        hazard_ratio=np.exp(beta),
        low=np.exp(beta - z * se),
        high=np.exp(beta + z * se),
        coefficient=beta,
        std_error=se,
        p=2 * scipy.stats.norm.sf(np.abs(beta / se)),
    )
    return Cox(
        table[_COLUMNS],
        covariance,
        log_likelihood,
        n,
        events,
        references,
        status_of(events),
        notes,
    )


@dataclass(frozen=True)
class AtRisk:
    """Counts of customers as the model sees them.

    Attributes
    ----------
    cells : DataFrame
        The counts that are used: somebody in them, and seen for some time.
    risk_sets : RiskSets
        Their design (less its mean, `center`), in the order of `names`, with the times of exit.
    center : ndarray
    names : list of (term, level)
    references : dict of str to str
    n, events : int
    notes : tuple of Message
    """

    cells: pd.DataFrame
    risk_sets: RiskSets
    center: np.ndarray
    names: list[tuple[str, str]]
    references: dict[str, str]
    n: int
    events: int
    notes: tuple[Message, ...]


def at_risk_data(
    counts: pd.DataFrame,
    covariates: Sequence[str],
    *,
    time: str = "duration",
    event: str = "churned",
    entry: str | None = None,
    weight: str = "n",
) -> AtRisk:
    """Return what :func:`fit_cox` fits to; see there for the parameters."""
    data = counts.loc[counts[weight] > 0].reset_index(drop=True)
    if entry is not None:
        data = data.loc[data[time] > data[entry]].reset_index(drop=True)
    w = data[weight].to_numpy(dtype=float)
    left = data[event].to_numpy(dtype=bool)
    known = covariates if len(data) else ()  # nobody has no levels
    design, names, references, notes = _design(data, known, w, w * left)
    stop = data[time].to_numpy(dtype=float)
    start = data[entry].to_numpy(dtype=float) if entry else np.full(len(data), -np.inf)
    center = w @ design / max(w.sum(), 1.0)  # moves nothing but the size of the exponentials
    sets = RiskSets(design - center, start, stop, left, w)
    n, events = int(w.sum()), int(w[left].sum())
    return AtRisk(data, sets, center, names, references, n, events, tuple(notes))


def _none(n: int, events: int, references: dict[str, str], notes: tuple[Message, ...]) -> Cox:
    table = pd.DataFrame(columns=_COLUMNS)
    nothing = float("nan")
    return Cox(table, np.empty((0, 0)), nothing, n, events, references, "not_enough_data", notes)


def _design(data: pd.DataFrame, covariates: Sequence[str], n: np.ndarray, events: np.ndarray):
    columns, names, references, notes = [], [], {}, []
    for term in covariates:
        values = data[term]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            made, made_names = values.to_numpy(dtype=float)[:, None], [(term, "")]
        else:
            text = as_levels(values)
            cells = pd.DataFrame({term: text, "n": n, "events": events})
            levels, said = find_levels(cells, term)
            notes += said
            if levels is None:
                continue
            references[term] = levels.reference
            made, made_names = levels.indicators(text), [(term, level) for level in levels.free]
        trial = np.column_stack([*columns, made])
        scaled = np.column_stack([np.ones(len(trial)), trial])
        if np.linalg.matrix_rank(scaled) < scaled.shape[1]:
            notes.append(
                say(
                    "{term}: left out, the features before it already tell it",
                    term=feature_name(term),
                )
            )
            continue
        columns, names = [trial], [*names, *made_names]
    design = columns[0] if columns else np.empty((len(data), 0))
    return design, names, references, notes


class RiskSets:
    """The data in order of time, and Efron's likelihood on it."""

    def __init__(self, x, start, stop, left, w):
        self.times = np.unique(stop[left])
        # a row is at risk at the event times in (start, stop]: after `begin`, up to `end`
        self.begin = np.searchsorted(self.times, start, side="right")
        self.end = np.searchsorted(self.times, stop, side="right")
        self.x, self.w, self.left = x, w, left
        self.event_rows = np.flatnonzero(left)
        self.event_time = np.searchsorted(self.times, stop[left])
        self.d = np.bincount(self.event_time, weights=w[left], minlength=len(self.times))
        self.used = self.end > self.begin
        k, used = len(self.times), np.flatnonzero(self.used)
        # who comes in at `begin` and goes out at `end`, and who exits, by time: sums are products
        comes, goes = (_indicators(at[used], used, k + 1, len(x)) for at in (self.begin, self.end))
        self.changes = comes - goes
        self.exits = _indicators(self.event_time, np.arange(len(self.event_rows)), k)

    def at_risk(self):
        """Return the number of customers at risk at each time of exit."""
        return self._over_time(self.w)

    def value(self, beta, per_time=None):
        """Return log-likelihood, gradient and information at `beta`.

        They are sums over the times of exit; `per_time` multiplies each time's part.
        """
        x, k = self.x, len(self.times)
        times = np.ones(k) if per_time is None else per_time
        eta = x @ beta
        risk = self.w * np.exp(eta)
        weighted, rows = risk[:, None] * x, self.event_rows
        r0, r1 = self._over_time(risk), self._over_time(weighted)
        d0, d1 = self.exits @ risk[rows], self.exits @ weighted[rows]
        tied = np.array([_tied(r0[t], d0[t], int(self.d[t])) for t in range(k)])
        logs, a0, a1, b0, b1, b2 = tied.T * times
        exits = self.w[rows] * times[self.event_time]
        value = float(exits @ eta[rows] - logs.sum())
        gradient = exits @ x[rows] - (a0 @ r1 - a1 @ d1)
        # sum over event times of a0 * second moments, by giving each row its share of times
        upto = np.concatenate([[0.0], np.cumsum(a0)])
        share = (upto[self.end] - upto[self.begin]) * self.used
        second = (x * (risk * share)[:, None]).T @ x
        second -= (x[rows] * (risk[rows] * a1[self.event_time])[:, None]).T @ x[rows]
        cross = (r1 * b1[:, None]).T @ d1
        outer = (r1 * b0[:, None]).T @ r1 - cross - cross.T + (d1 * b2[:, None]).T @ d1
        return value, gradient, second - outer

    def _over_time(self, values):
        """Return the sums over the risk set at each time of exit."""
        return (self.changes @ values).cumsum(axis=0)[: len(self.times)]


def _indicators(
    at: np.ndarray, rows: np.ndarray, k: int, n: int | None = None
) -> scipy.sparse.csr_array:
    """Return the matrix of `k` times by `n` rows that is one where a row belongs to a time."""
    shape = (k, len(rows) if n is None else n)
    return scipy.sparse.csr_array((np.ones(len(rows)), (at, rows)), shape=shape)


def _tied(r0: float, d0: float, d: int) -> tuple[float, ...]:
    """Return the sums over the `d` tied exits that likelihood, gradient and information need."""
    c = np.arange(d) / d
    denominator = r0 - c * d0
    one, two = 1 / denominator, 1 / denominator**2
    return (
        np.log(denominator).sum(),
        one.sum(),
        (c * one).sum(),
        two.sum(),
        (c * two).sum(),
        (c * c * two).sum(),
    )


def _newton(data: RiskSets, *, steps: int = 50):
    beta = np.zeros(data.x.shape[1])
    value, gradient, information = data.value(beta)
    for _ in range(steps):
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        for _ in range(30):  # halved until it climbs
            new = data.value(beta + step)
            if np.isfinite(new[0]) and new[0] >= value - 1e-12 * abs(value):
                break
            step = step / 2
        else:
            return None
        beta = beta + step
        value, gradient, information = new
        if np.abs(step).max() < 1e-10 * max(1.0, np.abs(beta).max()):
            covariance = np.linalg.inv(information)
            scale = np.sqrt(np.einsum("ij,ij->j", data.x**2, data.w[:, None] / data.w.sum()))
            wild = np.abs(beta * scale).max() > 12 or not (np.diag(covariance) > 0).all()
            return None if wild else (beta, covariance, value)
    return None
