"""What is known of an arm's averages: how many customers, means and covariances, no rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from customerlab.drivers.combined import select
from customerlab.drivers.moments import Moments
from customerlab.errors import CustomerlabError, nearest


@dataclass(frozen=True)
class ArmSums:
    """Means and covariances of one arm's customers.

    Attributes
    ----------
    names : tuple of str
        Outcomes and covariates, k of them.
    n : float
        Customers, each of whom has them all.
    mean : ndarray of shape (k,)
        Missing where there is no customer.
    covariance : ndarray of shape (k, k)
        With n - 1; missing with fewer than two customers.
    """

    names: tuple[str, ...]
    n: float
    mean: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        k = len(self.names)
        if self.mean.shape != (k,) or self.covariance.shape != (k, k):
            raise ValueError(
                f"means {self.mean.shape} and covariances {self.covariance.shape} of {k} names"
            )

    def select(self, names: Sequence[str]) -> ArmSums:
        """Return the same for some of the names, in this order.

        Raises
        ------
        CustomerlabError
            If there is no such name, with the nearest that there is.
        """
        for name in names:
            if name not in self.names:
                hint = nearest(name, self.names)
                raise CustomerlabError(f"there is no outcome or covariate {name!r}{hint}")
        at = [self.names.index(name) for name in names]
        return ArmSums(tuple(names), self.n, self.mean[at], self.covariance[np.ix_(at, at)])

    def is_binary(self, name: str) -> bool:
        """Return whether it is 0 or 1 for all customers, as its mean and variance tell."""
        one = self.select([name])
        share, variance = one.mean[0], one.covariance[0, 0] * (self.n - 1) / self.n
        # what rounding leaves of a mean of 0 may lie below it
        return bool(
            -1e-9 <= share <= 1 + 1e-9
            and np.isclose(variance, share * (1 - share), rtol=1e-9, atol=1e-12)
        )


def sums_of(moments: Moments, names: Sequence[str]) -> ArmSums:
    """Return the sums of an arm from the moments of its rows.

    Parameters
    ----------
    moments : Moments
        Of one arm's rows, in bags or not.
    names : sequence of str
        Outcomes and covariates.

    Raises
    ------
    CustomerlabError
        If a name is not among the items, or is missing in some of the rows: means over different
        customers could not be compared.
    """
    chosen = select(moments, names)
    pairs = chosen.n.sum(axis=0)
    n = float(moments.n.sum(axis=0).max(initial=0))
    lacking = [name for name, known in zip(names, chosen.known, strict=True) if known < n]
    if lacking or pairs.min(initial=n) < n:
        which = ", ".join(map(repr, lacking or names))
        raise CustomerlabError(
            f"{which}: missing in some of the rows of an arm. Fill it in, or leave those "
            "customers or that column out"
        )
    blank = np.full(pairs.shape, np.nan)
    return ArmSums(tuple(names), n, chosen.mean, chosen.covariance if n > 1 else blank)


def pool(arms: Iterable[ArmSums]) -> ArmSums:
    """Return the sums of all customers of these arms together; the names must be the same.

    Parameters
    ----------
    arms : iterable of ArmSums
        One at least. Those without customers add nothing.
    """
    arms = list(arms)
    names = arms[0].names
    if any(arm.names != names for arm in arms):
        raise ValueError("the arms have different names")
    filled = [arm for arm in arms if arm.n > 0]
    n = float(sum(arm.n for arm in filled))
    blank = np.full((len(names), len(names)), np.nan)
    if not filled:
        return ArmSums(names, 0.0, blank.diagonal().copy(), blank)
    mean = sum(arm.n * arm.mean for arm in filled) / n
    inner = sum((arm.n - 1) * arm.covariance for arm in filled if arm.n > 1)
    between = sum(arm.n * np.outer(arm.mean - mean, arm.mean - mean) for arm in filled)
    return ArmSums(names, n, mean, (inner + between) / (n - 1) if n > 1 else blank)
