r"""How often customers will buy again: the BG/NBD model, by maximum likelihood on counts.

A customer buys at random times at a rate of their own (gamma with shape r and rate alpha over
customers), and after each purchase stops for good with a chance of their own (beta with a and b).
Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24:275-284.
With x repeat purchases, the last at time :math:`t_x` of T, the likelihood is

.. math:: \frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)} \frac{B(a, b+x)}{B(a, b)}
   \left[(\alpha+T)^{-(r+x)} + \delta_{x>0} \frac{a}{b+x-1} (\alpha+t_x)^{-(r+x)}\right]

Customers with the same history have the same likelihood, so that counts give what rows give.
Times are weeks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import Status
from customerlab.messages import Message, say
from customerlab.value.climbing import Maximum, climb, spread_of, summed
from customerlab.value.foretelling import ALIKE, WEEK, arrays_of, beyond_one, chance_alive

#: Names of the parameters, as in the paper.
PARAMETERS = ("r", "alpha", "a", "b")

#: What is written of every model: :attr:`BgNbd.table` and that of the gamma-gamma model.
COLUMNS = ("model", "parameter", "estimate", "low", "high")

#: a and b of customers who never stop: as good as none, and b then does not matter.
_NEVER = (1e-12, 2.0)

#: b of such a fit: beyond the limit by more than any step of a derivative.
_ALL = 10 * ALIKE

#: A gain in log-likelihood as small as this is none.
_SAME = 0.05

_Z = 1.959963984540054


@dataclass(frozen=True)
class BgNbd:
    """The fitted model.

    Attributes
    ----------
    parameters : ndarray, shape (4,)
        r, alpha (weeks), a, b; missing where nothing was fitted.
    covariance : ndarray, shape (4, 4)
        Of their logarithms, from the observed information; missing where there is no inner
        maximum. Where nobody is seen to stop, a is next to 0 and only r and alpha are estimated.
    log_likelihood : float
    customers, repeaters : int
    status : {"supported", "weak", "not_enough_data"}
        By the number of customers with a repeat purchase; weak without an inner maximum.
    table : DataFrame
        ``model``, ``parameter``, ``estimate``, ``low``, ``high`` (95 %): the four, and what they
        mean: ``purchases_per_week`` of a customer who has not stopped (r / alpha), and
        ``stop_chance`` after a purchase (a / (a + b)). Missing where nobody is seen to stop.
    text : Message
    """

    parameters: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    customers: int
    repeaters: int
    status: Status
    text: Message
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))

    @property
    def fitted(self) -> bool:
        """Whether there are parameters."""
        return bool(np.isfinite(self.parameters).all())


def log_likelihood(parameters: np.ndarray, counts: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of counted histories and its gradient.

    Parameters
    ----------
    parameters : ndarray, shape (4,)
        r, alpha (weeks), a, b.
    counts : DataFrame
        ``frequency``, ``recency_days``, ``age_days`` and ``n`` customers; without ``n`` a row is a
        customer.

    Returns
    -------
    float, ndarray of shape (4,)
    """
    return _likelihood(parameters, *arrays_of(counts))


def _likelihood(
    parameters: np.ndarray, x: np.ndarray, last: np.ndarray, age: np.ndarray, n: np.ndarray
) -> tuple[float, np.ndarray]:
    r, alpha, a, b = parameters
    some = x > 0
    beyond = beyond_one(b, x)
    here = chance_alive(parameters, x, last, age)
    log_age, log_last = np.log(alpha + age), np.log(alpha + last)
    with np.errstate(divide="ignore"):  # nobody without a repeat has stopped
        gone = np.where(some, np.log(a / beyond) - (r + x) * log_last, -np.inf)
    away = 1 - here
    # what depends on the number of purchases alone, once for each number
    times = np.bincount(x.astype(int), n)
    k = np.arange(len(times), dtype=float)
    once = gammaln(r + k) - gammaln(r) + r * np.log(alpha)
    if b < ALIKE:
        once += gammaln(a + b) - gammaln(b) + gammaln(b + k) - gammaln(a + b + k)
        total = times @ (psi(a + b) - psi(a + b + k))
        of_b = total + times @ (psi(b + k) - psi(b)) - summed(n, away / beyond)
    else:  # each purchase is the last with chance a / (a + b)
        once -= k * np.log1p(a / b)
        total, of_b = -(times @ k) / (a + b), 0.0
    slopes = [
        times @ (psi(r + k) - psi(r) + np.log(alpha)) - summed(n, here * log_age + away * log_last),
        summed(n, r / alpha - (r + x) * (here / (alpha + age) + away / (alpha + last))),
        total + summed(n, away) / a,
        of_b,
    ]
    value = float(times @ once) + summed(n, np.logaddexp(-(r + x) * log_age, gone))
    return value, np.array(slopes)


def fit_bgnbd(counts: pd.DataFrame) -> BgNbd:
    """Fit the model to counted histories.

    Parameters
    ----------
    counts : DataFrame
        From :func:`customerlab.value.histories.count_histories`. With fewer than 30 customers who
        bought again nothing is fitted, and the text says so.
    """
    x, last, age, n = arrays_of(counts)
    customers, repeaters = int(n.sum()), int(n[(x > 0) & (last > 0)].sum())
    status = status_of(repeaters)
    none = np.full(4, np.nan)
    if repeaters < FEW_EVENTS:
        few = say(
            "Fewer than {few:count} customers bought again: too few to foretell purchases.",
            few=FEW_EVENTS,
        )
        empty = np.full((4, 4), np.nan)
        return BgNbd(none, empty, np.nan, customers, repeaters, "not_enough_data", few)
    cells = pd.DataFrame({"x": x, "last": last, "age": age, "n": n})
    cells = cells.groupby(["x", "last", "age"], as_index=False)["n"].sum()
    x, last, age, n = (cells[name].to_numpy(float) for name in ("x", "last", "age", "n"))
    usual = max(float(n @ age / n.sum()), 1 / WEEK)
    often = max(float(n @ x / n.sum()), 1e-3)
    starts = [np.array([1, usual / often, 1, 2.5]), np.array([0.3, usual / often / 3, 0.3, 3])]
    top = climb(lambda p: _likelihood(p, x, last, age, n), starts, n.sum())
    steady = top if top.inner else _without_stopping(starts, x, last, age, n)
    alike = top if top.inner else _stopping_alike(starts, x, last, age, n)
    # the simpler one where it is as likely
    if steady.inner and not top.inner and steady.log_likelihood >= top.log_likelihood - _SAME:
        text = say(
            "Customers are not seen to stop buying: what is foretold is that they all go on, each "
            "at the rate so far, about {rate:number2} times in four weeks.",
            rate=4 * steady.parameters[0] / steady.parameters[1],
        )
        top = steady
    elif not top.inner and alike.inner and alike.log_likelihood >= top.log_likelihood - _SAME:
        text = say(
            "A customer who has not stopped buys about {rate:number2} times in four weeks, and "
            "stops for good after a purchase with a chance of {stop:percent}, which is the same "
            "for all as far as can be seen.",
            rate=4 * alike.parameters[0] / alike.parameters[1],
            stop=alike.parameters[2] / (alike.parameters[2] + alike.parameters[3]),
        )
        top = alike
    elif top.inner:
        text = say(
            "A customer who has not stopped buys about {rate:number2} times in four weeks, and "
            "stops for good after a purchase with a chance of {stop:percent}.",
            rate=4 * top.parameters[0] / top.parameters[1],
            stop=top.parameters[2] / (top.parameters[2] + top.parameters[3]),
        )
    else:
        status = "weak"
        text = say(
            "Customers are too much alike, or hardly any stop buying, for the model's four numbers "
            "to be told apart: what it foretells has no interval."
        )
    table = _tabulate(top.parameters, top.covariance)
    return BgNbd(
        *(top.parameters, top.covariance, top.log_likelihood),
        *(customers, repeaters, status, text, table),
    )


def _without_stopping(
    starts: list[np.ndarray], x: np.ndarray, last: np.ndarray, age: np.ndarray, n: np.ndarray
) -> Maximum:
    """Fit only how often customers buy: Ehrenberg's (1959) negative binomial model."""

    def likelihood(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = _likelihood(np.array([*p, *_NEVER]), x, last, age, n)
        return value, slopes[:2]

    top = climb(likelihood, [start[:2] for start in starts], n.sum())
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = top.covariance
    return replace(top, parameters=np.array([*top.parameters, *_NEVER]), covariance=covariance)


def _stopping_alike(
    starts: list[np.ndarray], x: np.ndarray, last: np.ndarray, age: np.ndarray, n: np.ndarray
) -> Maximum:
    """Fit one chance to stop for all: where a and b are large only a / b counts."""

    def likelihood(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = _likelihood(np.array([*p[:2], p[2] * _ALL, _ALL]), x, last, age, n)
        return value, np.array([*slopes[:2], slopes[2] * _ALL])

    top = climb(likelihood, [np.array([*one[:2], one[2] / one[3]]) for one in starts], n.sum())
    covariance = np.zeros((4, 4))
    covariance[:3, :3] = top.covariance
    r, alpha, odds = top.parameters
    parameters = np.array([r, alpha, odds * _ALL, _ALL])
    return replace(top, parameters=parameters, covariance=covariance)


def _tabulate(parameters: np.ndarray, covariance: np.ndarray) -> pd.DataFrame:
    def told(p: np.ndarray) -> np.ndarray:
        return np.array([*np.log(p), np.log(p[0] / p[1]), np.log(p[2] / p[3])])

    middle, error = told(parameters), spread_of(told, parameters, covariance)
    rows = []
    for name, at, half in zip(
        (*PARAMETERS, "purchases_per_week", "stop_chance"), middle, _Z * error, strict=True
    ):
        ends = np.exp([at, at - half, at + half])
        if name == "stop_chance":
            ends = ends / (1 + ends)
        rows.append(("bg_nbd", name, *ends.tolist()))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if parameters[2] == _NEVER[0]:
        still = table["parameter"].isin(["a", "b", "stop_chance"])
        table.loc[still, ["estimate", "low", "high"]] = np.nan
    if parameters[3] >= ALIKE:
        table.loc[table["parameter"].isin(["a", "b"]), ["estimate", "low", "high"]] = np.nan
    return table
