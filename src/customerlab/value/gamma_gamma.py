r"""How much customers pay for a purchase: the gamma-gamma model, by maximum likelihood on counts.

What a customer pays varies around a mean of their own, whatever the number of purchases; the
means vary over customers. With the mean :math:`\bar z` of x repeat purchases

.. math:: \frac{\Gamma(px+q)}{\Gamma(px)\,\Gamma(q)}
   \frac{v^q x^{px} \bar z^{px-1}}{(v + x \bar z)^{px+q}}

Fader & Hardie (2013), The gamma-gamma model of monetary value, brucehardie.com/notes/025.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.findings import Check, Status
from customerlab.messages import Message, say
from customerlab.value.bgnbd import COLUMNS
from customerlab.value.climbing import climb, spread_of, summed

#: Names of the parameters, as in the note.
PARAMETERS = ("p", "q", "v")

#: A smaller correlation of how often and how much matters little; CDNOW's customers, on whom the
#: model was published, have 0.11.
UNRELATED = 0.2

_Z = 1.959963984540054


@dataclass(frozen=True)
class GammaGamma:
    """The fitted model.

    Attributes
    ----------
    parameters : ndarray, shape (3,)
        p, q, v (money); missing where nothing was fitted.
    covariance : ndarray, shape (3, 3)
        Of their logarithms; missing where there is no inner maximum.
    log_likelihood : float
    repeaters : int
        Customers with a repeat purchase that was paid.
    mean : float
        The mean of a purchase over customers, p v / (q - 1); missing if q is not above 1.
    correlation : float
        Of the number of repeat purchases and the mean paid, over these customers.
    status : {"supported", "weak", "not_enough_data"}
    table : DataFrame
        ``model``, ``parameter``, ``estimate``, ``low``, ``high``: the three, and ``mean_paid``.
    text : Message
    """

    parameters: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    repeaters: int
    mean: float
    correlation: float
    status: Status
    text: Message
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))

    @property
    def fitted(self) -> bool:
        """Whether there are parameters that give every customer a mean."""
        return bool(np.isfinite(self.parameters).all() and np.isfinite(self.mean))

    @property
    def check(self) -> Check:
        """Failed when how often and how much go together, which the model leaves out."""
        name = say("How often customers buy tells nothing of how much they pay")
        if np.isnan(self.correlation):
            why = say("It cannot be judged: too few customers bought again, or all alike.")
            return Check(name, None, why, ("customer_value.value",))
        if abs(self.correlation) < UNRELATED:
            text = say(
                "The correlation of the number of purchases and the mean paid is "
                "{r:number2}: small enough to foretell both apart.",
                r=self.correlation,
            )
            return Check(name, True, text, ("customer_value.value",))
        text = say(
            "The correlation of the number of purchases and the mean paid is {r:number2}: the "
            "model foretells both as if it were none, so that the value of frequent buyers is "
            "off.",
            r=self.correlation,
        )
        return Check(name, False, text, ("customer_value.value",))


def spending_likelihood(parameters: np.ndarray, spending: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of counted means paid and its gradient.

    Parameters
    ----------
    parameters : ndarray, shape (3,)
        p, q, v.
    spending : DataFrame
        ``frequency``, ``monetary``, ``log_monetary`` and ``n``, as
        :func:`customerlab.value.histories.count_spending` returns.
    """
    p, q, v = parameters
    x, z, log, n = (
        spending[name].to_numpy(float) for name in ("frequency", "monetary", "log_monetary", "n")
    )
    both = np.log(v + x * z)
    # what depends on the number of purchases alone, once for each number
    times = np.bincount(x.astype(int), n)
    k = np.flatnonzero(times)
    times, shape = times[k], p * k
    once = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v) + shape * np.log(k)
    each = (p * x - 1) * log - (p * x + q) * both
    digamma = psi(shape + q)
    slopes = [
        times @ (k * (digamma - psi(shape) + np.log(k))) + summed(n, x * (log - both)),
        times @ (digamma - psi(q) + np.log(v)) - summed(n, both),
        summed(n, q / v - (p * x + q) / (v + x * z)),
    ]
    return float(times @ once) + summed(n, each), np.array(slopes)


def fit_gamma_gamma(spending: pd.DataFrame) -> GammaGamma:
    """Fit the model to counted means paid.

    Parameters
    ----------
    spending : DataFrame
        From :func:`customerlab.value.histories.count_spending`. With fewer than 30 customers
        nothing is fitted, and the text says so.
    """
    n = spending["n"].to_numpy(float)
    repeaters = int(n.sum())
    correlation = _correlation(spending)
    if repeaters < FEW_EVENTS:
        few = say(
            "Fewer than {few:count} customers paid for a repeat purchase: too few to foretell "
            "amounts.",
            few=FEW_EVENTS,
        )
        none = np.full((3, 3), np.nan)
        return GammaGamma(
            *(none[0], none, np.nan, repeaters, np.nan, correlation, "not_enough_data", few)
        )
    mean = float(n @ spending["monetary"].to_numpy(float) / n.sum())
    # amounts of about 1, so that the search is the same in any currency
    scaled = spending.assign(
        monetary=spending["monetary"] / mean, log_monetary=spending["log_monetary"] - np.log(mean)
    )
    starts = [np.array([4.0, 4.0, 0.75]), np.array([1.0, 2.0, 1.0])]
    top = climb(lambda p: spending_likelihood(p, scaled), starts, n.sum())
    p, q, v = parameters = top.parameters * [1, 1, mean]
    value = top.log_likelihood - n.sum() * np.log(mean)
    usual = p * v / (q - 1) if q > 1 else np.nan
    status = status_of(repeaters)
    if not top.inner or np.isnan(usual):
        status = "weak"
    if np.isnan(usual):
        text = say(
            "Amounts differ so much between customers that the model has no mean: nothing is "
            "foretold of them."
        )
    elif top.inner:
        text = say(
            "A repeat purchase is worth {mean:money} in the mean over customers.",
            mean=usual,
        )
    else:
        text = say(
            "Customers pay too much alike for the model's three numbers to be told apart: "
            "{mean:money} for a repeat purchase, without an interval.",
            mean=usual,
        )
    return GammaGamma(
        *(parameters, top.covariance, value, repeaters, usual, correlation, status, text),
        _tabulate(parameters, top.covariance),
    )


def expected_paid(
    parameters: np.ndarray, frequency: np.ndarray, monetary: np.ndarray
) -> np.ndarray:
    """Return what customers pay for a purchase to come: between their own mean and everyone's.

    Parameters
    ----------
    parameters : ndarray, shape (3,)
    frequency, monetary : ndarray, shape (rows,)
        Repeat purchases, and the mean paid for them; whatever it is without one, it is not used.

    Returns
    -------
    ndarray, shape (rows,)
    """
    p, q, v = parameters
    paid = np.where(frequency > 0, frequency * np.nan_to_num(monetary), 0.0)
    return p * (v + paid) / (p * frequency + q - 1)


def _correlation(spending: pd.DataFrame) -> float:
    """Return Pearson's correlation of how often and how much, over customers."""
    x, z, n = (spending[name].to_numpy(float) for name in ("frequency", "monetary", "n"))
    if n.sum() < FEW_EVENTS or np.ptp(x) == 0 or np.ptp(z) == 0:
        return float("nan")
    both = np.cov(x, z, fweights=n.astype(int))
    return float(both[0, 1] / np.sqrt(both[0, 0] * both[1, 1]))


def _tabulate(parameters: np.ndarray, covariance: np.ndarray) -> pd.DataFrame:
    def told(p: np.ndarray) -> np.ndarray:
        mean = p[0] * p[2] / (p[1] - 1) if p[1] > 1 else np.nan
        return np.array([*np.log(p), np.log(mean)])

    middle, error = told(parameters), _Z * spread_of(told, parameters, covariance)
    names = (*PARAMETERS, "mean_paid")
    ends = np.exp(np.column_stack([middle, middle - error, middle + error]))
    table = pd.DataFrame(ends, columns=["estimate", "low", "high"])
    return table.assign(model="gamma_gamma", parameter=names)[list(COLUMNS)]
