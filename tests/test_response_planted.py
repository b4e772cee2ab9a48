"""The response model on planted chances of staff's contacts: a small ``benchmarks/response.py``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customerlab.churn.smooth import fit_smooth
from customerlab.features import AGE_BANDS, band_of
from customerlab.response.cutoff import best_cutoff
from customerlab.response.leaks import look_for_leaks
from customerlab.response.scorecard import fit_scorecard
from customerlab.response.splits import foretell_unseen, split_by_customer
from customerlab.simulate.contacts import draw_contacts, offers_today
from customerlab.simulate.lives import live
from customerlab.simulate.people import Window, draw_people

WINDOW = Window(np.datetime64("2024-12", "M"), 13)
COST, MARGIN = 6.0, {"term_deposit": 60.0, "insurance": 90.0}


@pytest.fixture(scope="module")
def bank():
    """Return people, their lives, and assets that stay what they are."""
    drawn = [np.random.default_rng(one) for one in np.random.SeedSequence(1).spawn(2)]
    people, accounts = draw_people(drawn[0], 0, 20_000, WINDOW)
    further = np.bincount(accounts.owner, accounts.cents, len(people))
    return people, live(drawn[1], people, WINDOW), (people.level_cents + further) / 100


def features_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what decides, as a notebook knows it."""
    limits = {-1.0: "100", 100.01: "1000", 1000.01: "10000", 10000.01: "more"}
    return pd.DataFrame(
        {
            "age_band": band_of(rows["age"].to_numpy() * 12, AGE_BANDS),
            "balance": band_of(rows["assets"].to_numpy(), limits),
            "payroll": rows["payroll"].to_numpy(),
            "complaints": np.array(["0", "1", "2+"])[rows["unresolved"].clip(upper=2)],
            "offer": (rows["product"] + ", " + rows["channel"]).to_numpy(),
        }
    )


def scorecard(x: pd.DataFrame, y: np.ndarray):
    card = fit_scorecard(x, y)
    return lambda new: card.score(new).chance


def test_cut_offs_earn_nearly_what_the_true_chances_would(bank):
    """Whom staff contact is not drawn by lot; the cut-offs decide about the customers of today."""
    people, lives, assets = bank
    today = offers_today(people, lives, WINDOW, assets)
    margin = today["product"].map(MARGIN).to_numpy()
    won = margin * today["chance"].to_numpy() - COST
    new = features_of(today)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        each = np.repeat(assets[:, None], WINDOW.months, axis=1)
        contacts = draw_contacts(rng, people, lives, WINDOW, each)
        x, y = features_of(contacts), contacts["responded"].to_numpy(int)
        splits = split_by_customer(contacts["person"].to_numpy(), y, rng, folds=2)
        unseen = foretell_unseen(scorecard, x, y, splits)
        line = np.zeros(len(today))
        for product, earns in MARGIN.items():
            mine = (contacts["product"] == product).to_numpy()
            cut = best_cutoff(
                y[mine], unseen[mine], rng, contact_cost=COST, margin=earns, draws=2
            ).cutoff
            line[today["product"] == product] = cut
            assert cut == pytest.approx(COST / earns, abs=0.015)
        chosen = scorecard(x, y)(new) >= line
        assert won[chosen].sum() >= 0.98 * np.maximum(won, 0).sum()
        # the curve of the true chances, and not of what chance made of them
        smooth = fit_smooth(unseen, np.ones(len(y)), contacts["chance"].to_numpy())
        assert np.average(np.abs(smooth.at(smooth.chance) - smooth.chance), weights=smooth.n) < 0.01
    known = x.assign(staff_id=contacts["staff"].astype(str), call_seconds=contacts["seconds"])
    assert look_for_leaks(known, y, rng).held_out == ("call_seconds",)
