"""A second opinion on the direction of drivers: logistic regression on rows or counted cells."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from customerlab.drivers.correlations import Correlations
from customerlab.drivers.factors import Factors
from customerlab.drivers.moments import BAG
from customerlab.drivers.observing import Asked
from customerlab.drivers.scoring import bartlett_scores
from customerlab.drivers.weights import Weights
from customerlab.findings import Check
from customerlab.messages import Message, say

#: Changes of a share that differ by less are the same for any decision.
CLOSE = 0.01

#: As many rows are fitted at most: more would not change the answer.
ROWS = 20_000

#: Where classes are not parted, a fit needs fewer than ten; where they are, coefficients grow on.
_STEPS = 25


def logistic_effects(
    rows: pd.DataFrame,
    drivers: Sequence[str],
    outcome: str,
    controls: Sequence[str] = (),
    *,
    count: str | None = None,
) -> pd.DataFrame | None:
    """Return the mean change of the fitted probability for one standard deviation of each driver.

    Parameters
    ----------
    rows : DataFrame
        One row per customer, or per cell of customers alike; rows with anything missing are left
        out.
    drivers, controls : sequence of str
    outcome : str
        0 or 1.
    count : str, optional
        How many customers each row stands for.

    Returns
    -------
    DataFrame or None
        ``driver``, ``effect``: from half a standard deviation below each customer's value to half
        above. None where drivers part the classes completely, or only one class is there.
    """
    import statsmodels.api as sm  # slow to import
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    used = [*controls, *drivers]
    rows = rows[[*used, outcome, *([count] if count else [])]].dropna()
    n = rows[count].to_numpy(float) if count else np.ones(len(rows))
    x, y = rows[used].to_numpy(float), rows[outcome].to_numpy(float)
    if n.sum() <= len(used) + 1 or len(np.unique(y[n > 0])) < 2:
        return None
    mean = n @ x / n.sum()
    spread = np.sqrt(n @ (x - mean) ** 2 / (n.sum() - 1))
    z = (x - mean) / np.where(spread > 0, spread, 1)
    model = sm.GLM(
        y, sm.add_constant(z, has_constant="add"), family=sm.families.Binomial(), freq_weights=n
    )
    # far out the link's exp() is infinite and the probability rightly 0
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            fit = model.fit(maxiter=_STEPS)
        except PerfectSeparationWarning:  # the answer is "cannot be said", which is returned
            return None
    if not fit.converged:
        return None
    linear = fit.model.exog @ fit.params
    effects = []
    for j, driver in enumerate(drivers, start=1 + len(controls)):
        up, down = (1 / (1 + np.exp(-(linear + half * fit.params[j]))) for half in (0.5, -0.5))
        effects.append((driver, float(n @ (up - down) / n.sum())))
    return pd.DataFrame(effects, columns=["driver", "effect"])


def check_logistic(
    asked: Asked,
    correlations: Correlations,
    fitted: Factors,
    weights: Weights,
    names: Mapping[str, Message | str] | None = None,
) -> tuple[Check, ...]:
    """Fit a logistic regression on factor scores, row by row, beside the linear one.

    Rows are those of the bags drawn first, 20,000 at most. The scores are Thurstone's (1935):
    regressed on these, an outcome has the coefficients of the factors (Skrondal & Laake 2001).
    Nothing where the outcome is not 0 or 1, or has no weights.
    """
    if weights.table.empty or not weights.skill.binary:
        return ()
    items, outcome = list(correlations.items), str(asked.outcome)
    few = int(np.ceil(correlations.counts.bags * min(1, ROWS / max(correlations.rows, 1))))
    rows = correlations.table.filter(correlations.table[BAG] < few)
    rows = rows.select(*items, *asked.controls, outcome).to_pandas().astype(float)
    z = ((rows[items] - rows[items].mean()) / rows[items].std()).fillna(0.0).to_numpy()
    blurred, error = bartlett_scores(fitted.pattern, fitted.uniqueness, correlations.attenuation)
    nearer = np.linalg.solve(fitted.correlation + error, fitted.correlation)
    scores = pd.DataFrame(z @ blurred @ nearer, columns=list(fitted.names))
    of_scores = logistic_effects(
        rows.drop(columns=items).join(scores), fitted.names, outcome, asked.controls
    )
    if of_scores is not None:
        # of a standard deviation of the factor, which is longer than that of its scores
        spread = scores.std().reindex(of_scores["driver"]).to_numpy()
        of_scores["effect"] /= spread
    return (check_effects(weights, of_scores, names),)


def check_effects(
    weights: Weights,
    logistic: pd.DataFrame | None,
    names: Mapping[str, Message | str] | None = None,
) -> Check:
    """Judge whether both regressions tell the same change for one standard deviation.

    Passed if every change of the logistic regression lies in the interval of the linear one, or
    within a percentage point of it.
    """
    name, ids = say("Linear and logistic regression agree"), ("repurchase_drivers.weight",)
    both = weights.table[["driver", "effect", "effect_low", "effect_high"]].dropna()
    if logistic is None or both.empty:
        text = say("No logistic regression could be fitted beside the linear one.")
        return Check(name, None, text, ids)
    both = both.merge(logistic.rename(columns={"effect": "logistic"}), on="driver")
    gap = (both["logistic"] - both["effect"]).abs()
    inside = both["logistic"].between(both["effect_low"], both["effect_high"])
    worst = both.loc[gap.idxmax()]
    text = say(
        "Change of the share for one standard deviation: {agree:count} of {n:count} drivers agree. "
        "Largest difference, {driver}: {linear:percent} by the linear regression, "
        "{logistic:percent} by the logistic one.",
        agree=int((inside | (gap <= CLOSE)).sum()),
        n=len(both),
        driver=(names or {}).get(worst["driver"], worst["driver"]),
        linear=worst["effect"],
        logistic=worst["logistic"],
    )
    return Check(name, bool((inside | (gap <= CLOSE)).all()), text, ids)
