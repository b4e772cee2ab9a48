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
from scipy import stats

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.levels import as_levels, find_levels
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.person_months import feature_name

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
    data = counts.loc[counts[weight] > 0].reset_index(drop=True)
    if entry is not None:
        data = data.loc[data[time] > data[entry]].reset_index(drop=True)
    w = data[weight].to_numpy(dtype=float)
    left = data[event].to_numpy(dtype=bool)
    n, events = int(w.sum()), int(w[left].sum())
    design, names, references, notes = _design(data, covariates, w, w * left)
    if events < FEW_EVENTS or not names:
        note = (
            say("Only {events:customers} exits: no Cox model.", events=events)
            if events < FEW_EVENTS
            else say("No cause differs between customers: no Cox model.")
        )
        return _none(n, events, references, (*notes, note))
    stop = data[time].to_numpy(dtype=float)
    start = data[entry].to_numpy(dtype=float) if entry else np.full(len(data), -np.inf)
    center = w @ design / w.sum()  # moves nothing but the size of the exponentials
    solved = _newton(_Sorted(design - center, start, stop, left, w))
    if solved is None:
        note = say("The Cox model has no best answer (all or none leave in some group).")
        return _none(n, events, references, (*notes, note))
    beta, covariance, log_likelihood = solved
    se = np.sqrt(np.diag(covariance))
    z = float(stats.norm.ppf(0.975))
    table = pd.DataFrame(names, columns=["term", "level"]).assign(
        hazard_ratio=np.exp(beta),
        low=np.exp(beta - z * se),
        high=np.exp(beta + z * se),
        coefficient=beta,
        std_error=se,
        p=2 * stats.norm.sf(np.abs(beta / se)),
    )
    return Cox(
        table[_COLUMNS],
        covariance,
        log_likelihood,
        n,
        events,
        references,
        status_of(events),
        tuple(notes),
    )


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


class _Sorted:
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

    def value(self, beta):
        """Return log-likelihood, gradient and information at `beta`."""
        x, k = self.x, len(self.times)
        eta = x @ beta
        risk = self.w * np.exp(eta)
        p = x.shape[1]
        # everything summed over the risk set: what comes in at `begin`, goes out at `end`
        flat = np.column_stack([np.ones(len(x)), x])
        sums = self._over_time(risk[:, None] * flat, k)
        r0, r1 = sums[:, 0], sums[:, 1:]
        rows = self.event_rows
        d0 = np.bincount(self.event_time, weights=risk[rows], minlength=k)
        d1 = np.zeros((k, p))
        np.add.at(d1, self.event_time, risk[rows, None] * x[rows])
        tied = np.array([_tied(r0[t], d0[t], int(self.d[t])) for t in range(k)])
        logs, a0, a1, b0, b1, b2 = tied.T
        value = float(self.w[rows] @ eta[rows] - logs.sum())
        gradient = self.w[rows] @ x[rows] - (a0 @ r1 - a1 @ d1)
        # sum over event times of a0 * second moments, by giving each row its share of times
        upto = np.concatenate([[0.0], np.cumsum(a0)])
        share = (upto[self.end] - upto[self.begin]) * self.used
        second = (x * (risk * share)[:, None]).T @ x
        second -= (x[rows] * (risk[rows] * a1[self.event_time])[:, None]).T @ x[rows]
        cross = (r1 * b1[:, None]).T @ d1
        outer = (r1 * b0[:, None]).T @ r1 - cross - cross.T + (d1 * b2[:, None]).T @ d1
        return value, gradient, second - outer

    def _over_time(self, values, k):
        change = np.zeros((k + 1, values.shape[1]))
        np.add.at(change, self.begin[self.used], values[self.used])
        np.add.at(change, self.end[self.used], -values[self.used])
        return change.cumsum(axis=0)[:k]


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


def _newton(data: _Sorted, *, steps: int = 50):
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
