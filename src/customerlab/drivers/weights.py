"""How much each driver weighs in an outcome, in which order, and in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.drivers.combined import Resampled, select, varying
from customerlab.drivers.effects import between, covariances, effects_of, follow_exactly
from customerlab.drivers.shapley import (
    EXACT,
    PAIRS,
    PAIRS_RESAMPLED,
    split_by_lot,
    split_explained,
    take_out,
)
from customerlab.drivers.skill import Skill
from customerlab.messages import Message, listed, say

_COLUMNS = ["driver", "weight", "low", "high", "rank", "rank_share"]
_COLUMNS += ["effect", "effect_low", "effect_high"]


@dataclass(frozen=True)
class Weights:
    """Shares of what the drivers explain of an outcome, beyond the controls.

    Attributes
    ----------
    table : DataFrame
        The weightiest driver first: ``driver``, ``weight`` (its share of the variation that all
        drivers explain; they add up to 1), ``low``, ``high``; ``rank``, ``rank_share`` (share of
        resamples in which it has this rank); ``effect`` (change of the outcome for one standard
        deviation more of the driver, all else alike; of a 0/1 outcome a change of the share),
        ``effect_low``, ``effect_high``. Intervals are the 2.5th and 97.5th percentile over
        resamples. No rows where the drivers do not foretell the outcome.
    ranks : DataFrame
        ``driver``, ``rank``, ``share`` of resamples: every rank that occurred.
    explained : float
        Share of the outcome's variance that the drivers explain beyond the controls, in sample.
    error : float
        Standard error of the weights that comes from orders drawn by lot, the largest of any
        driver; 0 where all orders were looked at.
    left_out : tuple of str
        Drivers that do not vary.
    alike : tuple of str
        Drivers that follow from one another: they share their weight, and no effect is told.
    skill : Skill
    text : Message
    """

    table: pd.DataFrame
    ranks: pd.DataFrame
    explained: float
    error: float
    left_out: tuple[str, ...]
    alike: tuple[str, ...]
    skill: Skill
    text: Message


def weigh_drivers(
    moments: Resampled,
    drivers: Sequence[str],
    outcome: str | None,
    controls: Sequence[str] = (),
    *,
    skill: Skill,
    rng: np.random.Generator,
) -> Weights:
    """Share what the drivers explain among them, with intervals for weights and ranks.

    What the controls explain is taken out first, of drivers and outcome. Shares as in
    :mod:`customerlab.drivers.shapley`; intervals and ranks from resamples of bags (Grömping 2006,
    2007). A weight is never below 0, so that of a driver without any influence is too large by
    chance, the more the fewer rows there are.

    Parameters
    ----------
    moments : Resampled
        Of drivers, controls and outcome, and of 500 resamples or so: see
        :func:`customerlab.drivers.combined.resampled`, and for factors
        :func:`customerlab.drivers.scoring.score_factors`. 500 take a moment up to 10 drivers and a
        few seconds with 15. With more, the orders drawn by lot widen the intervals a little.
    drivers, controls : sequence of str
    outcome : str or None
    skill : Skill
        Of the same drivers; without it there are no weights.
    rng : Generator
        Of the orders.
    """
    if not skill.predicts:
        return _no_weights(skill)
    whole = select(moments.whole, [*controls, *drivers, outcome])
    first = len(controls)
    left_out = tuple(name for name in drivers if name not in varying(whole))
    drivers = [name for name in drivers if name not in left_out]
    covariance = covariances(moments, [*controls, *drivers, outcome])
    net = take_out(covariance, first)
    added, error = _added(net, rng)
    explained = added.sum(axis=1, keepdims=True)
    shares = np.divide(added, explained, out=np.zeros_like(added), where=explained > 0)
    places = (-shares).argsort(axis=1, kind="stable").argsort(axis=1) + 1
    alike = follow_exactly(net[0, :-1, :-1], drivers)
    effects = effects_of(covariance, first)
    effects[:, [name in alike for name in drivers]] = np.nan
    (low, high), (down, up) = (between(x[1:]) for x in (shares, effects))
    ranks = pd.DataFrame(
        [
            (name, rank, float((places[1:, j] == rank).mean()))
            for j, name in enumerate(drivers)
            for rank in np.unique(places[1:, j]).tolist()
        ],
        columns=["driver", "rank", "share"],
    )
    table = pd.DataFrame(
        {
            "driver": drivers,
            "weight": shares[0],
            "low": low,
            "high": high,
            "rank": places[0],
            "rank_share": (places[1:] == places[0]).mean(axis=0),
            "effect": effects[0],
            "effect_low": down,
            "effect_high": up,
        }
    )
    return Weights(
        table[_COLUMNS].sort_values("rank", ignore_index=True),
        ranks,
        explained=float(explained[0, 0] / covariance[0, -1, -1]),
        error=error / float(explained[0, 0]),
        left_out=left_out,
        alike=alike,
        skill=skill,
        text=_text(len(drivers), skill, left_out, alike, error / float(explained[0, 0])),
    )


def _no_weights(skill: Skill) -> Weights:
    empty = pd.DataFrame({name: pd.Series(dtype=float) for name in _COLUMNS})
    ranks = pd.DataFrame({name: pd.Series(dtype=float) for name in ("driver", "rank", "share")})
    as_text = {"driver": object}
    return Weights(
        empty.astype(as_text), ranks.astype(as_text), np.nan, 0.0, (), (), skill, skill.text
    )


def _added(net: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return what each driver adds in each resample, and the error that orders by lot bring."""
    if net.shape[-1] - 1 <= EXACT:
        return split_explained(net), 0.0
    whole = split_by_lot(net[0], PAIRS, rng)
    drawn = [split_by_lot(one, PAIRS_RESAMPLED, rng).mean(axis=0) for one in net[1:]]
    error = whole.std(axis=0, ddof=1).max() / np.sqrt(PAIRS)
    return np.vstack([whole.mean(axis=0), *drawn]), float(error)


def _text(
    count: int,
    skill: Skill,
    left_out: Sequence[str],
    alike: Sequence[str],
    error: float,
) -> Message:
    parts: list[Message] = [
        say(
            "Shares of what {count:count} drivers explain of {called}, averaged over all orders "
            "in which they can be taken up.",
            count=count,
            called=skill.called,
        )
        if not error
        else say(
            "Shares of what {count:count} drivers explain of {called}, averaged over orders drawn "
            "by lot, which leaves an error of up to {error:percent2}.",
            count=count,
            called=skill.called,
            error=error,
        )
    ]
    if skill.controls:
        parts.append(say("What the controls explain is taken out before."))
    if left_out:
        parts.append(say("Left out, for lack of any variation: {names}.", names=listed(left_out)))
    if alike:
        parts.append(
            say(
                "These follow from one another, so they share their weight and no change is told "
                "for any of them: {names}.",
                names=listed(alike),
            )
        )
    text = parts[0]
    for part in parts[1:]:
        text = say("{some} {more}", some=text, more=part)
    return text
