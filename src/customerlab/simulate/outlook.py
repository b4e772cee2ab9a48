"""After the snapshot: the true chance of leaving, over all that may happen, and one draw of it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from customerlab.simulate import planted
from customerlab.simulate.lives import NEVER, Lives
from customerlab.simulate.people import JOINER, People, Window

#: Horizons of the truth file, in months after the snapshot.
HORIZONS = (1, 3, 5)


def draw_next_exits(
    rng: np.random.Generator, people: People, lives: Lives, window: Window, months: int
) -> np.ndarray:
    """Draw who of the active customers leaves in the first months after the snapshot, and when.

    Money falls before its owner leaves. Were nobody to leave after the snapshot, nobody's would be
    falling at it, and what foretells an exit in every earlier month would foretell nothing in the
    one that matters.

    Returns
    -------
    array of int, shape (customers,)
        The month, counted from the window's start; `NEVER` for the others.
    """
    ahead = range(1, months + 1)
    chances = leave_chances(people, lives, window, ahead)
    within = chances[[f"leave_within_{month}" for month in ahead]].to_numpy()
    stays = (rng.random((len(within), 1)) >= within).sum(axis=1)
    exits = np.full(len(people), NEVER)
    exits[chances["person"]] = np.where(stays < months, window.months + stays, NEVER)
    return exits


def leave_chances(
    people: People, lives: Lives, window: Window, horizons: Collection[int] = HORIZONS
) -> pd.DataFrame:
    """Return each active customer's chance of leaving within each horizon.

    Exact: the chances of the nine states (three of payroll, three of complaints) are carried
    forward month by month, as the simulation itself would draw them.

    Returns
    -------
    DataFrame
        ``person`` (place in the piece) and ``leave_within_<h>`` for each of `horizons` (months).
    """
    now = lives.final
    where = now["person"].to_numpy()
    count = len(where)
    state = np.zeros((count, 3, 3))
    payroll = _place(now["payroll"], planted.PAYROLL_STATES)
    state[np.arange(count), payroll, np.minimum(now["unresolved"].to_numpy(), 2)] = 1.0
    # The salary of last month's joiners is paid for the first time now.
    starts = people.payroll & (people.group == JOINER)
    starts = (starts & (people.joined_month == window.months - 1))[where]
    complaint_ratio = np.array(list(planted.HAZARD_RATIOS["unresolved"].values()))
    first = planted.COMPLAINT * planted.COMPLAINT_UNRESOLVED
    complaints = np.array(
        [
            [1 - first, first, 0],
            [0, 1 - planted.COMPLAINT_AGAIN, planted.COMPLAINT_AGAIN],
            [0, 0, 1],
        ]
    )
    stop = planted.PAYROLL_STOP
    salaries = np.array([[1, 0, 0], [0, 1 - stop, stop], [0, 0, 1]])
    result = {"person": where}
    for month in range(max(horizons)):
        features = now.assign(
            tenure_months=now["tenure_months"] + month,
            age=people.age(window, window.months + month)[where],
            unresolved=0,
        )
        for place, name in enumerate(planted.PAYROLL_STATES):
            hazard = planted.true_hazard(features.assign(payroll=name))
            rate = -np.log1p(-hazard)
            state[:, place, :] *= np.exp(-rate[:, None] * complaint_ratio)
        if month + 1 in horizons:
            result[f"leave_within_{month + 1}"] = 1 - state.sum(axis=(1, 2))
        state = np.einsum("npc,pq,cd->nqd", state, salaries, complaints)
        if month == 0:
            state[starts, 1] += state[starts, 0]
            state[starts, 0] = 0
    return pd.DataFrame(result)


def _place(values: pd.Series, words: tuple[str, ...]) -> np.ndarray:
    return values.map({word: place for place, word in enumerate(words)}).to_numpy(dtype=int)
