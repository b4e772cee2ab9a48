"""What the known covariates do to contact and outcome: a measure for causes that are not known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.uplift.adjusting import usable_covariates
from customerlab.uplift.sums import ArmSums

STRENGTH = ["covariate", "on_contact", "on_outcome", "moves"]


def factors(
    more: np.ndarray,
    fewer: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    names: Sequence[str],
) -> pd.DataFrame:
    r"""Return how common each covariate is by group, and how likely it makes a 0/1 outcome.

    A covariate is parted at its median. ``on_contact`` is how many times as common one of the parts
    is in the group with more of the outcome, ``on_outcome`` how many times as likely the outcome
    is in one part as in the other (in the group where that is more), and ``moves`` the bounding
    factor of Ding and VanderWeele (2016), :math:`R_c R_y / (R_c + R_y - 1)`: no cause of these
    strengths changes the ratio of the groups' shares more. The ratios are plain ones, nothing else
    held fixed. Covariates that do not vary have no row.

    Parameters
    ----------
    more, fewer : array of bool, shape (n,)
        The group with the larger share of the outcome, and the other.
    outcome : array, shape (n,)
        0 or 1.
    covariates : array, shape (n, k)
    names : sequence of str
    """
    rows = []
    for name, column in zip(names, covariates.T, strict=True):
        high = column > np.median(column)
        if not high.any():
            high = column >= np.median(column)
        if high.all():
            continue
        here, there = high[more].mean(), high[fewer].mean()
        shares = [(here, there), (1 - here, 1 - there)]
        common = max(a / b if b > 0 else np.inf for a, b in shares if a > 0)
        likely = max(_likelier(outcome[group], high[group]) for group in (more, fewer))
        finite = np.isfinite(common) and np.isfinite(likely)
        moves = common * likely / (common + likely - 1) if finite else min(common, likely)
        rows.append((name, float(common), float(likely), float(moves)))
    return pd.DataFrame(rows, columns=STRENGTH)


def _likelier(outcome: np.ndarray, part: np.ndarray) -> float:
    """Return how many times as likely the outcome is in one part; 1 where too few have it."""
    if outcome.sum() < FEW_EVENTS or not part.any() or part.all():
        return 1.0
    low, high = sorted([outcome[part].mean(), outcome[~part].mean()])
    return float(high / low) if low > 0 else np.inf


def explained(
    contacted: np.ndarray, outcome: np.ndarray, covariates: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    """Return which part of what the others leave open each covariate explains (partial R squared).

    Columns ``covariate``, ``on_contact``, and ``on_outcome`` (beside contact, too). Covariates
    that do not vary, or that those before tell exactly, have no row; none has one where the
    covariates tell contact or outcome exactly.

    Parameters
    ----------
    contacted : array of bool, shape (n,)
    outcome : array, shape (n,)
    covariates : array, shape (n, k)
    names : sequence of str
    """
    values = np.column_stack([covariates, contacted, outcome]).astype(float)
    labels = tuple(map(str, range(values.shape[1])))
    inner = np.cov(values, rowvar=False)
    every = ArmSums(labels, float(len(values)), values.mean(axis=0), inner)
    at = [int(label) for label in usable_covariates((every, every), labels)[0]]
    known, rows = at[:-2], []
    if known and at[-2:] == [covariates.shape[1], covariates.shape[1] + 1]:
        inner = inner[np.ix_(at, at)]
        on_contact, on_outcome = _partial(inner[:-1, :-1]), _partial(inner)[:-1]
        rows = list(zip([names[one] for one in known], on_contact, on_outcome, strict=True))
    return pd.DataFrame(rows, columns=STRENGTH[:3])


def as_strong(on_contact: float, on_outcome: float) -> tuple[float, float]:
    """Return what an unseen cause as strong as a covariate explains of contact and outcome.

    Cinelli and Hazlett (2020, equation 52 on): at most 1.
    """
    of_contact = min(on_contact / (1 - on_contact), 1.0)
    shared = min((on_contact / (1 - on_contact)) ** 2, 1 - 1e-12)
    of_outcome = (1 + np.sqrt(shared)) ** 2 / (1 - shared) * on_outcome / (1 - on_outcome)
    return of_contact, float(min(of_outcome, 1.0))


def _partial(covariance: np.ndarray) -> np.ndarray:
    """Return squared partial correlations of the last variable with each other one."""
    unit = 1 / np.sqrt(covariance.diagonal())
    inverse = np.linalg.inv(covariance * np.outer(unit, unit))
    return inverse[-1, :-1] ** 2 / (inverse.diagonal()[:-1] * inverse[-1, -1])
