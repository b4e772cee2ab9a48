"""Which columns tell of a response, and what their bins add beside the other columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.response.binning import Bins, find_bins
from customerlab.response.columns import as_bands
from customerlab.response.joining import join_alike

#: Columns that tell less (information value) than this, or than chance would in one of a thousand,
#: are left out: many are looked at, and again beside those taken. The value is little, for what a
#: column tells may be hidden by another that it goes with.
LITTLE, BY_CHANCE = 0.002, 0.001
#: So often is looked for columns that tell beside those taken.
ROUNDS = 4
#: How far a bin's log-odds beside the other columns may lie from what its column's evidence says
#: (standard deviation): less, and columns that go together mislead; more, and chance does.
ASIDE = 0.3


def find_columns(
    features: pd.DataFrame, responded: np.ndarray, max_bins: int
) -> tuple[dict[str, Bins], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return bins, each contact's place in them, and what they add, of the columns that tell.

    What a column tells may be hidden by another that it goes with (salary by age), so those left
    out are looked at again beside those taken. At last bins that are alike beside the other columns
    are joined (:mod:`customerlab.response.joining`).
    """
    n, events = len(responded), int(responded.sum())
    bands = {name: pd.factorize(as_bands(features[name]))[0] for name in features}
    bins, place, added = {}, {}, {}
    expected = np.full(n, events / n)
    for _ in range(ROUNDS):
        new = []
        for name in (name for name in features if name not in bins):
            # what tells nothing in twenty bands tells nothing in six bins, and need not be cut
            if not _tells(bands[name], responded, expected):
                continue
            bins[name] = find_bins(features[name], responded, max_bins=max_bins)
            place[name] = bins[name].place(features[name])
            new += [name] if len(bins[name].n) > 1 else []
        if not new:
            break
        cut = {name: one for name, one in bins.items() if name in added or name in new}
        added = _regress(cut, place, responded)
        logit = sum((added[name][place[name]] for name in added), np.zeros(n))
        expected = 1 / (1 + np.exp(-logit - find_level(logit, events, n)))
    alike, place = join_alike({name: bins[name] for name in added}, place, responded)
    bins = {name: one for name, one in alike.items() if len(one.n) > 1}
    return bins, place, _regress(bins, place, responded)


def _tells(band: np.ndarray, responded: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether the bands of a column tell of a response beyond what is expected.

    Where they tell nothing, the sum of squares is about chi-squared with the bands less one degrees
    of freedom (the score test); over the responders, and the others, it is an information value.
    """
    import scipy.stats  # slow to import

    off = np.bincount(band, responded - expected)
    spread = np.bincount(band, expected * (1 - expected))
    squares, events = float((off**2 / spread).sum()), responded.sum()
    value = squares * (1 / events + 1 / (len(responded) - events))
    return bool(value >= LITTLE and scipy.stats.chi2.sf(squares, len(off) - 1) < BY_CHANCE)


def _regress(
    bins: dict[str, Bins], place: dict[str, np.ndarray], responded: np.ndarray
) -> dict[str, np.ndarray]:
    r"""Return what each bin adds to the log-odds beside the other columns.

    Of bin :math:`b` of column :math:`f` it is :math:`w_f e_{fb} + d_{fb}` with the weight of
    evidence :math:`e`, :math:`w_f \ge 0`, and a penalty on :math:`d` as if it were normal around 0
    with standard deviation :data:`ASIDE`. A column whose :math:`w` would be below 0 is left out.
    """
    names = list(bins)
    while names:
        weight, added = _fit([bins[one] for one in names], [place[one] for one in names], responded)
        if (weight > 0).all():
            return dict(zip(names, added, strict=True))
        names = [name for name, one in zip(names, weight, strict=True) if one > 0]
    return {}


def _fit(
    bins: list[Bins], place: list[np.ndarray], responded: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return each column's weight, and what its bins add."""
    import scipy.optimize  # slow to import

    cell = np.zeros(len(responded), dtype="int64")
    for one, mine in zip(bins, place, strict=True):
        cell = pd.factorize(cell * len(one.n) + mine)[0]
    _, first = np.unique(cell, return_index=True)
    n, yes = np.bincount(cell), np.bincount(cell, responded)
    evidence = [one.evidence[:-1] for one in bins]
    starts = np.append(0, np.cumsum([len(one) for one in evidence]))
    design = np.zeros((len(n), starts[-1]))
    for start, mine in zip(starts, place, strict=False):
        design[np.arange(len(n)), start + mine[first]] = 1
    whose = np.repeat(np.arange(len(bins)), np.diff(starts))
    known, columns = np.concatenate(evidence), len(bins)
    # the weights are near 1 by construction: a hint of shrinkage only keeps them finite
    penalty = np.concatenate([[0], np.full(columns, 0.1), np.full(len(known), ASIDE**-2)])

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        logit = at[0] + design @ (at[1 : columns + 1][whose] * known + at[columns + 1 :])
        value = n @ np.logaddexp(0, logit) - yes @ logit + penalty @ at**2 / 2
        off = n / (1 + np.exp(-logit)) - yes
        pull = design.T @ off
        slope = np.concatenate([[off.sum()], np.bincount(whose, pull * known), pull])
        return float(value), slope + penalty * at

    start = np.concatenate(
        [[np.log(yes.sum() / (n - yes).sum())], np.full(columns, 0.5), np.zeros(len(known))]
    )
    bounds = [(None, None)] + [(0, None)] * columns + [(None, None)] * len(known)
    settings = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-6}
    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=settings
    ).x
    added = found[1 : columns + 1][whose] * known + found[columns + 1 :]
    return found[1 : columns + 1], np.split(added, starts[1:-1])


def find_level(logit: np.ndarray, events: int, n: int) -> float:
    """Return what to add to the log-odds, so that as many are expected as responded."""
    add = float(np.log(events / (n - events)))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-(logit + add)))
        step = (events - chance.sum()) / (chance * (1 - chance)).sum()
        add += float(np.clip(step, -2, 2))
        if abs(step) < 1e-10:
            break
    return add
