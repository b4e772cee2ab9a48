"""What is foretold of each customer by models that have not seen them: contact, and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Models tried: a straight line in standardised covariates, and boosted trees.
LEARNERS = ("line", "trees")
#: With fewer customers trees only cost time: the line foretells better.
TREES_FROM = 1000
#: Nobody's chance of contact is taken to be nearer to 0 or 1.
_CERTAIN = 1e-6


@dataclass(frozen=True)
class Foretold:
    """What models that have not seen a customer foretell of them.

    Attributes
    ----------
    propensity : ndarray, shape (n,)
        Chance of contact, above 0 and below 1.
    untreated, treated : ndarray, shape (n,)
        Outcome without and with contact, in its unit.
    chosen : dict of str to str
        Which of :data:`LEARNERS` foretells each of the three best.
    """

    propensity: np.ndarray
    untreated: np.ndarray
    treated: np.ndarray
    chosen: dict[str, str]


def foretell(
    contacted: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    rng: np.random.Generator,
    *,
    folds: int = 5,
    learners: Sequence[str] = LEARNERS,
) -> Foretold:
    """Foretell contact and outcome of each customer from the other customers.

    Cross-fitting (Chernozhukov and others 2018): customers are parted at random, those of each
    group evenly, and each part is foretold by models of the other parts. Each of the three takes
    the learner with the smaller loss on customers not seen (log loss of the chance, squared error
    of the outcome): a line where that is all there is to know, which is surest in small data, and
    trees where bends and combinations matter. Both learners shrink, so that covariates which tell
    the same do no harm.

    Parameters
    ----------
    contacted : array, shape (n,)
        0 or 1, of each at least `folds`.
    outcome : array, shape (n,)
        0/1 or an amount.
    covariates : array, shape (n, k)
        None missing. With k = 0 the groups' means are what is foretold.
    rng : numpy.random.Generator
        Draws the parts.
    folds : int
    learners : sequence of str
        Of :data:`LEARNERS`.

    Raises
    ------
    ValueError
        When a group has fewer customers than there are folds, or a learner is not known.
    """
    contacted = np.asarray(contacted) == 1
    if min(contacted.sum(), (~contacted).sum()) < folds:
        raise ValueError(f"each group needs at least {folds} customers")
    if unknown := set(learners) - set(LEARNERS):
        raise ValueError(f"learners are {LEARNERS}, not {sorted(unknown)}")
    covariates = _standardise(np.asarray(covariates, dtype=float))
    fold = _draw(contacted, rng, folds)
    tried = tuple(learners)
    if len(contacted) < TREES_FROM and "line" in tried:
        tried = ("line",)
    binary = bool(np.isin(outcome, [0, 1]).all())
    target = contacted.astype(float)
    everyone = np.ones(len(contacted), dtype=bool)
    found, chosen = {}, {}
    for name, values, group, classes in (
        ("propensity", target, everyone, True),
        ("untreated", np.asarray(outcome, dtype=float), ~contacted, binary),
        ("treated", np.asarray(outcome, dtype=float), contacted, binary),
    ):
        told = {
            learner: _out_of_fold(learner, values, covariates, group, fold, classes)
            for learner in tried
        }
        if name == "propensity":
            told = {one: np.clip(p, _CERTAIN, 1 - _CERTAIN) for one, p in told.items()}
            loss = {one: -np.log(np.where(contacted, p, 1 - p)).mean() for one, p in told.items()}
        else:
            loss = {one: np.mean((values - p)[group] ** 2) for one, p in told.items()}
        best = min(tried, key=lambda one: loss[one])
        found[name], chosen[name] = told[best], best
    return Foretold(found["propensity"], found["untreated"], found["treated"], chosen)


def _standardise(covariates: np.ndarray) -> np.ndarray:
    """Return the covariates that vary, with mean 0 and variance 1."""
    spread = covariates.std(axis=0)
    varies = spread > 1e-12 * np.abs(covariates).max(axis=0, initial=0)
    return (covariates - covariates.mean(axis=0))[:, varies] / spread[varies]


def _draw(contacted: np.ndarray, rng: np.random.Generator, folds: int) -> np.ndarray:
    """Return a part for each customer, those of either group spread evenly."""
    fold = np.empty(len(contacted), dtype=int)
    for group in (contacted, ~contacted):
        own = rng.permutation(np.flatnonzero(group))
        fold[own] = np.arange(len(own)) % folds
    return fold


def _out_of_fold(
    learner: str,
    values: np.ndarray,
    covariates: np.ndarray,
    group: np.ndarray,
    fold: np.ndarray,
    classes: bool,
) -> np.ndarray:
    """Return for everybody what the group's customers of the other parts foretell."""
    if not covariates.shape[1]:
        return np.full(len(values), values[group].mean())
    told = np.empty(len(values))
    for part in range(fold.max() + 1):
        learn, new = group & (fold != part), fold == part
        own = values[learn]
        if own.min() == own.max():
            told[new] = own.mean()
        else:
            model = _model(learner, classes).fit(covariates[learn], own)
            told[new] = (
                model.predict_proba(covariates[new])[:, 1]
                if classes
                else model.predict(covariates[new])
            )
    return told


def _model(learner: str, classes: bool):
    # slow to import
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if learner == "line":
        return LogisticRegression(max_iter=1000) if classes else Ridge()
    trees = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    # small trees in large leaves: chances that are too sure cost more than those too cautious
    return trees(max_iter=50, max_leaf_nodes=8, min_samples_leaf=50, early_stopping=False)
