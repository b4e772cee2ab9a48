"""Count how often the response model's cut-offs earn nearly what the true chances would.

Each seed draws a bank's customers and staff's contacts with them (`customerlab.simulate`; not by
lot: staff have favourites), fits both models, chooses one and the cut-off of each product on
contacts that it had not seen, and applies them to the customers that a large bank has today:

- every offer to every active customer: the profit against that of knowing the true chances, within
  2 % in at least 90 % of the seeds, which takes chances and cut-offs that are right; and the profit
  against that of the best cut-offs for the model's own chances, which takes right cut-offs;
- calibration: the mean distance (ICI) of chances out of fold from the smooth curve of the true ones
  is at most 0.01 in at least 90 % of the seeds; beside it, as responses tell it.

For the reader only: the same where each customer gets the best of the offers, and with room for a
third of the customers. Exit code 1 when a line is out of bounds.

    python benchmarks/response.py [--seeds 100] [--customers 20000]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from watching import tell

from customerlab.churn.smooth import fit_smooth
from customerlab.features import AGE_BANDS, TENURE_BANDS, band_of
from customerlab.response.boosted import choose_model, fit_boosted
from customerlab.response.cutoff import best_cutoff
from customerlab.response.judged import judge
from customerlab.response.scorecard import fit_scorecard
from customerlab.response.splits import foretell_unseen, split_by_customer
from customerlab.simulate.contacts import draw_contacts, offers_today
from customerlab.simulate.lives import live
from customerlab.simulate.people import People, Window, draw_people

WINDOW = Window(np.datetime64("2024-01", "M"), 24)
COST, MARGIN = 6.0, {"term_deposit": 60.0, "insurance": 90.0}
LIMITS = {0.0: "100", 100.01: "1000", 1000.01: "10000", 10000.01: "100000", 100000.01: "more"}
#: A light bank keeps no books, so nobody's assets move; the fresh bank's seed is no other's.
FRESH = 10**6


def scorecard(x: pd.DataFrame, y: np.ndarray) -> Callable[[pd.DataFrame], np.ndarray]:
    card = fit_scorecard(x, y)
    return lambda new: card.score(new).chance


def boosted(x: pd.DataFrame, y: np.ndarray) -> Callable[[pd.DataFrame], np.ndarray]:
    return fit_boosted(x, y).chance


MODELS = {"scorecard": scorecard, "boosted": boosted}


def light_bank(seed: int, customers: int) -> tuple[pd.DataFrame, pd.DataFrame, People]:
    """Return the contacts, the offers of today, and the people."""
    drawn = [np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(3)]
    people, accounts = draw_people(drawn[0], 0, customers, WINDOW)
    lives = live(drawn[1], people, WINDOW)
    further = np.bincount(accounts.owner, accounts.cents, customers)
    assets = (people.level_cents + further) / 100
    each = np.repeat(assets[:, None], WINDOW.months, axis=1)
    contacts = draw_contacts(drawn[2], people, lives, WINDOW, each)
    return contacts, offers_today(people, lives, WINDOW, assets), people


def features_of(rows: pd.DataFrame, people: People, month: np.ndarray) -> pd.DataFrame:
    """Return what a notebook knows: the features' bands, the offer, and some that do nothing."""
    who = rows["person"].to_numpy()
    return pd.DataFrame(
        {
            "age_band": band_of(rows["age"].to_numpy() * 12, AGE_BANDS),
            "balance": band_of(rows["assets"].to_numpy(), LIMITS),
            "payroll": rows["payroll"].to_numpy(),
            "complaints": np.array(["0", "1", "2+"])[rows["unresolved"].clip(upper=2)],
            "gender": np.array(["male", "female"])[people.gender[who]],
            "region": people.region[who].astype(str),
            "tenure_band": band_of(month - people.joined_month[who], TENURE_BANDS),
            "offer": (rows["product"] + ", " + rows["channel"]).to_numpy(),
        }
    )


@dataclass(frozen=True)
class Fresh:
    """Every offer to every customer of today, in a large bank."""

    features: pd.DataFrame
    chance: np.ndarray
    margin: np.ndarray
    product: np.ndarray

    def gain(self, chance: np.ndarray) -> np.ndarray:
        """Return what each offer brings, by some chances."""
        return self.margin * chance - COST

    def offers(self, cut: dict[str, float], chance: np.ndarray) -> float:
        """Return the share of the best profit that the cut-offs earn, over all offers."""
        line = np.array([cut[name] for name in self.product])
        return self.gain(self.chance)[chance >= line].sum() / self.best().sum()

    def cut(self, cut: dict[str, float], chance: np.ndarray) -> float:
        """Return the share that the cut-offs earn of what the best ones would, of these chances."""
        most = 0.0
        for name in cut:
            mine = self.product == name
            order = np.argsort(-chance[mine], kind="stable")
            rising = self.gain(self.chance)[mine][order].cumsum()
            ends = np.append(np.diff(chance[mine][order]) != 0, True)
            most += max(rising[ends].max(), 0.0)
        return self.offers(cut, chance) * self.best().sum() / most

    def best(self) -> np.ndarray:
        """Return what each offer brings where the true chances are known."""
        return np.maximum(self.gain(self.chance), 0)

    def pairs(self, cut: dict[str, float], chance: np.ndarray, room: float) -> float:
        """Return the same where a customer gets one offer, and a share of the customers does."""
        line = np.array([cut[name] for name in self.product])

        def best(told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            each = told.reshape(-1, len(MARGIN) * 2)
            place = each.argmax(axis=1)
            return each.max(axis=1), np.arange(len(each)) * each.shape[1] + place

        told, mine = best(np.where(chance >= line, self.gain(chance), -np.inf))
        made = np.argsort(-told, kind="stable")[: int(room * len(told))]
        earned = self.gain(self.chance)[mine[made][np.isfinite(told[made])]].sum()
        most = np.sort(best(self.best())[0])[::-1][: int(room * len(told))].sum()
        return earned / most


def fresh_bank(customers: int) -> Fresh:
    _, offers, people = light_bank(FRESH, customers)
    product = offers["product"].to_numpy()
    return Fresh(
        features_of(offers, people, np.full(len(offers), WINDOW.months)),
        offers["chance"].to_numpy(),
        np.array([MARGIN[name] for name in product]),
        product,
    )


def one_seed(seed: int, customers: int, fresh: Fresh) -> dict[str, object]:
    """Return how a bank's model does, by its contacts and on the fresh bank."""
    contacts, _, people = light_bank(seed, customers)
    rng = np.random.default_rng(seed)
    month = contacts["moment"].to_numpy().astype("datetime64[M]") - WINDOW.start
    x, y = features_of(contacts, people, month.astype(int)), contacts["responded"].to_numpy(int)
    who = contacts["person"].to_numpy()
    splits = split_by_customer(who, y, rng)
    product = contacts["product"].to_numpy()
    told = {name: foretell_unseen(fit, x, y, splits) for name, fit in MODELS.items()}
    chosen = choose_model(y, told["scorecard"], told["boosted"], customer=who).chosen
    unseen, true = told[chosen], contacts["chance"].to_numpy()
    cut = {}
    for name, margin in MARGIN.items():
        mine = product == name
        costs = {"contact_cost": COST, "margin": margin, "customer": who[mine]}
        cut[name] = best_cutoff(y[mine], unseen[mine], rng, **costs).cutoff
    chance = MODELS[chosen](x, y)(fresh.features)
    smooth = fit_smooth(unseen, np.ones(len(y)), true)
    return {
        "contacts": len(y),
        "responders": y.sum(),
        "chosen": chosen,
        **{f"cut_{name}": value for name, value in cut.items()},
        "profit": fresh.offers(cut, chance),
        "cut": fresh.cut(cut, chance),
        "pairs": fresh.pairs(cut, chance, 1.0),
        "pairs_third": fresh.pairs(cut, chance, 1 / 3),
        "ici_truth": np.average(np.abs(smooth.at(smooth.chance) - smooth.chance), weights=smooth.n),
        "ici": judge(y, unseen, rng, customer=who, draws=2).value("ici")[0],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20_000)
    asked = parser.parse_args()
    fresh, rows = fresh_bank(40_000), []
    for seed in range(asked.seeds):
        rows.append(one_seed(seed, asked.customers, fresh))
        last = ", ".join(f"{name} {rows[-1][name]:.4f}" for name in ("profit", "ici_truth", "ici"))
        tell(f"{seed + 1} of {asked.seeds}: {last}, {rows[-1]['chosen']}")
    table = pd.DataFrame(rows)
    numbers = table.drop(columns="chosen").astype(float)
    quantiles = numbers.quantile([0, 0.1, 0.5, 0.9, 1]).T
    print(quantiles.to_string(float_format=lambda value: f"{value:.4f}"))
    print(f"chosen: {table['chosen'].value_counts().to_dict()}")
    least, ok = 0.9 * asked.seeds, True
    verdicts = {
        "profit within 2 % of the best possible": table["profit"] >= 0.98,
        "within 2 % of the best cut-offs for the model's own chances": table["cut"] >= 0.98,
        "calibrated (ICI at most 0.01, against the true chances)": table["ici_truth"] <= 0.01,
    }
    for name, held in verdicts.items():
        ok &= held.sum() >= least
        print(f"{name}: {held.sum()} of {asked.seeds}; at least {least:.0f}")
    print("passed" if ok else "MISSED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
