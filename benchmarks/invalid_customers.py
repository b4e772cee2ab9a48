"""Measure the bootstrap of notebook 02's cut surface on cells against that on rows.

On the counts of customers who are alike, as the notebook does it, beside the plain way on rows
(draw customers with replacement, count again), with the same cuts and as many resamples, on the
same customers in the same run. The ends of both intervals are compared in units of their Monte
Carlo error. A bank is simulated and cleaned (notebook 01) where that was not done yet, which is not
measured. What the whole notebook takes, `benchmarks/large.py` tells.

    python benchmarks/invalid_customers.py [--accounts 35000 350000 3500000] [--folder FOLDER]

Each bank is a project of its own in FOLDER/<accounts>; with a folder that is kept, what was
simulated and cleaned there is used again. Files in FOLDER/<accounts>/data/demo_bank/raw are taken
for the bank's. Times are rough where others use the machine, too. It needs about 1.5 GB of disk
for a million accounts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from large import CLIENT, Limits, make_clean_bank
from scipy import stats
from watching import tell

from customerlab.params import load_params
from customerlab.running import memory_mb, processors
from customerlab.validity.history import History, look_back
from customerlab.validity.surface import MEASURES, RESAMPLES, candidate_cuts, cut_surface
from customerlab.workspace import open_workspace

INVALID = "02_invalid_customers"
LIMITS = Limits(engine_mb=4_000, most_mb=8_000, minutes=120)
#: The plain way may take so many seconds a bank; what is left then is extrapolated.
SECONDS = 90
#: Interval ends are compared where so many customers, at least, stand behind the estimate: ends of
#: fewer move in leaps of one customer.
MANY = 100


@contextmanager
def history_of(root: Path) -> Iterator[tuple[History, float | None, np.ndarray]]:
    """Give a bank's customers as they were at the landmark, what contact costs, and the cuts."""
    params = load_params(root / "params" / f"{CLIENT}.yaml")
    settings = params.invalid_customers
    lab = open_workspace(
        INVALID,
        root=root,
        client=CLIENT,
        snapshot=params.snapshot,
        engine={"memory_limit": f"{LIMITS.engine_mb}MB"},
        invalid_customers={},
    )
    history = look_back(
        lab.tables(),
        snapshot=params.snapshot,
        months_back=settings.outcome_months,
        not_movements=settings.not_movements,
        keep=lab.keep,
    )
    if history is None:
        raise SystemExit(f"{root}: no past to judge by")
    cuts = candidate_cuts(history, round_to=getattr(settings.round_to, history.worth))
    yield history, settings.contact_cost, cuts
    lab.engine.disconnect()


@dataclass(frozen=True)
class Rows:
    """The surface by the plain way: estimates, and as many resamples as there was time for.

    Attributes
    ----------
    estimates : dict of str to array, shape (cuts, months)
    resampled : dict of str to array, shape (resamples, cuts, months)
    removed, returned : array of int, shape (cuts, months)
    reading, resampling : float
        Seconds to fetch the rows, and for all resamples that were drawn.
    """

    estimates: dict[str, np.ndarray]
    resampled: dict[str, np.ndarray]
    removed: np.ndarray
    returned: np.ndarray
    reading: float
    resampling: float


def surface_on_rows(
    history: History, cuts: np.ndarray, rng: np.random.Generator, contact_cost: float | None
) -> Rows:
    """Work the surface out the plain way: the bootstrap draws customers, row by row.

    Everything that does not change between resamples is done once: each row knows its place on
    the grid, and a resample is four counts of what was drawn.
    """
    began = time.perf_counter()
    t = history.customers
    t = t.filter(t[history.worth].notnull() & t.idle_months.notnull())
    rows = t.select(
        worth=t[history.worth].cast("float64"),
        idle=t.idle_months,
        back=t.came_back.cast("float64"),
        held=t.assets_after.cast("float64"),
        spent=t.spend_after.cast("float64"),
    ).to_pandas()
    reading = time.perf_counter() - began
    shape = (len(cuts) + 1, history.months_seen + 1)
    band = np.searchsorted(cuts, rows["worth"].to_numpy(), side="left")
    idle = rows["idle"].clip(0, history.months_seen).to_numpy(dtype=int)
    at = np.ravel_multi_index((band, idle), shape)
    back, held, spent = (rows[name].to_numpy() for name in ("back", "held", "spent"))
    n = len(at)

    def removed_by_cut(at: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        grid = np.bincount(at, weights, shape[0] * shape[1]).reshape(shape).cumsum(axis=0)
        return grid[:, ::-1].cumsum(axis=1)[:, ::-1][:-1, 1:]

    def measured(chosen: np.ndarray | slice) -> tuple[dict[str, np.ndarray], ...]:
        drawn = at[chosen]
        gone, returned = removed_by_cut(drawn), removed_by_cut(drawn, back[chosen])
        found = {"share_removed": gone / n}
        with np.errstate(invalid="ignore", divide="ignore"):
            found["came_back"] = returned / gone
        for name, money in (("assets_lost", held), ("spend_lost", spent)):
            amount = money[chosen]
            found[name] = removed_by_cut(drawn, amount) / amount.sum()
        found["cost_saved"] = gone * (np.nan if contact_cost is None else contact_cost)
        return found, {"removed": gone, "returned": returned}

    estimates, heads = measured(slice(None))
    began, drawn = time.perf_counter(), []
    while len(drawn) < RESAMPLES and time.perf_counter() - began < SECONDS:
        drawn.append(measured(rng.integers(n, size=n))[0])
    resampling = time.perf_counter() - began
    return Rows(
        estimates,
        {name: np.array([one[name] for one in drawn]) for name in MEASURES},
        heads["removed"].astype(int),
        heads["returned"].astype(int),
        reading,
        resampling,
    )


def farthest(one: np.ndarray, other: np.ndarray) -> float:
    """Return how far the ends of two intervals lie apart at most, in Monte Carlo errors.

    The error of a percentile of B normal resamples is ``sqrt(p (1 - p) / B) / density``; both
    intervals have one, independent of the other's.
    """
    of_quantile = np.sqrt(0.025 * 0.975) / stats.norm.pdf(stats.norm.ppf(0.025))
    error = of_quantile * np.sqrt(sum(d.var(axis=0, ddof=1) / len(d) for d in (one, other)))
    ends = [np.quantile(drawn, [0.025, 0.975], axis=0) for drawn in (one, other)]
    apart = np.abs(ends[0] - ends[1])[:, error > 0] / error[error > 0]
    return float(apart.max(initial=0.0))


def expected_farthest(ends: int) -> float:
    """Return about how far the farthest of so many independent ends would lie by chance."""
    return float(stats.norm.isf(0.5 / max(ends, 1)))


def measure_bootstrap(roots: dict[int, Path]) -> None:
    """Resample the cut surface of every bank both ways and print what it took."""
    print(
        f"\n{RESAMPLES} resamples of the cut surface; seconds with those to count or fetch\n"
        f"{'customers':>10} {'cut pairs':>9} {'cells s':>8} {'rows s':>8} {'ratio':>6} "
        f"{'drawn on rows':>13}  farthest ends in Monte Carlo errors (as of chance alone)"
    )
    for accounts, root in roots.items():
        tell(f"bootstrap on {accounts:,} accounts")
        with history_of(root) as (history, cost, cuts):
            began = time.perf_counter()
            surface = cut_surface(history, cuts, np.random.default_rng(1), contact_cost=cost)
            on_cells = time.perf_counter() - began
            rows = surface_on_rows(history, cuts, np.random.default_rng(2), cost)
        outcomes, drawn = surface.outcomes, len(rows.resampled["came_back"])
        if not (
            np.array_equal(outcomes.removed, rows.removed)
            and np.array_equal(outcomes.returned, rows.returned)
            and all(
                np.allclose(outcomes.estimates[name], rows.estimates[name], equal_nan=True)
                for name in MEASURES
            )
        ):
            raise SystemExit(f"{accounts:,} accounts: both ways must estimate the same")
        on_rows = rows.reading + rows.resampling * RESAMPLES / drawn
        said = "too few drawn"
        if drawn == RESAMPLES:
            many = rows.returned >= MANY
            apart = {
                name: farthest(outcomes.resampled[name][:, many], rows.resampled[name][:, many])
                for name in MEASURES
                if name != "cost_saved"
            }
            name = max(apart, key=lambda name: apart[name])
            ends = 2 * len(apart) * int(many.sum())
            said = f"{apart[name]:.1f} ({expected_farthest(ends):.1f}) of {ends:,}, {name}"
        print(
            f"{outcomes.customers:10,} {rows.removed.size:9,} {on_cells:8.2f} {on_rows:8.1f} "
            f"{on_rows / on_cells:6.0f} {f'{drawn}' + ('*' if drawn < RESAMPLES else ' '):>13} "
            f" {said}",
            flush=True,
        )
    print(f"* so many in {SECONDS} seconds; the others are extrapolated from their time each")


def main() -> int:
    """Make the banks, measure both ways, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [35_000, 350_000, 3_500_000]
    parser.add_argument("--accounts", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        sizes = sorted(options.accounts)
        roots = {accounts: make_clean_bank(folder, accounts, LIMITS) for accounts in sizes}
        print(f"{processors()} cores, {memory_mb():,} MB of memory")
        measure_bootstrap(roots)
    return 0


if __name__ == "__main__":
    sys.exit(main())
