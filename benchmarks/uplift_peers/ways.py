"""The ways of benchmarks/uplift.py: ours, statsmodels on rows, and econml's evaluation.

    python ways.py WAY FOLDER OUT

OUT is a CSV file with ``what``, ``name``, ``value``: seconds by the clock and of all processors,
and what was found. The clock starts when everything is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import scipy.stats  # noqa: F401  # loaded before the clock runs
from clocked import Clock

NUMBERS = ["balance", "age", "months"]
CATEGORIES = ["region", "reads", "saves"]
OUTCOMES = ["bought", "spend"]
ARMS = ["letter", "call"]
#: Shares at which TOC is compared.
SHARES = np.arange(1, 20) / 20
MARGIN, COST = 30.0, 2.0

Found = dict[str, float]
#: What the clock runs on, and what of it is compared.
Parts = tuple[Callable[[], object], Callable[[object], Found]]


def effects_sums(folder: Path) -> Parts:
    """Ours: the engine makes the sums."""
    from customerlab.uplift.average import compare_arms
    from customerlab.uplift.covariates import encode_covariates
    from customerlab.uplift.summing import sum_arms

    rows = ibis.duckdb.connect().read_parquet(folder / "experiment.parquet")

    def run() -> object:
        coded, covariates, _ = encode_covariates(rows, [*NUMBERS, *CATEGORIES])
        sums = sum_arms(coded, [*OUTCOMES, *covariates])
        return sums, compare_arms(
            sums, control="control", outcomes=OUTCOMES, covariates=list(covariates)
        )

    def found(result: tuple) -> Found:
        sums, effects = result
        spread = np.sqrt(sums["control"].select(OUTCOMES).covariance.diagonal())
        unit = dict(zip(OUTCOMES, spread, strict=True))
        return {
            f"{row.arm} {row.outcome}": row.adjusted_effect / unit[row.outcome]
            for row in effects.table.itertuples()
        }

    return run, found


def rows_of(folder: Path) -> pd.DataFrame:
    """Read what statsmodels needs, numbers centred at the means of all."""
    columns = ["arm", *OUTCOMES, *NUMBERS, *CATEGORIES]
    rows = pd.read_parquet(folder / "experiment.parquet", columns=columns)
    rows[NUMBERS] -= rows[NUMBERS].mean()
    return rows.astype(dict.fromkeys(OUTCOMES, float))


def in_units(rows: pd.DataFrame, effects: dict[tuple[str, str], float]) -> Found:
    """Return effects in standard deviations of the outcome among the control."""
    unit = rows.loc[rows["arm"] == "control", OUTCOMES].std()
    return {
        f"{arm} {outcome}": effect / unit[outcome] for (arm, outcome), effect in effects.items()
    }


def effects_matrix(folder: Path) -> Parts:
    """Lin's regression in statsmodels, its matrix made once."""
    import statsmodels.api as sm

    def run() -> object:
        rows = rows_of(folder)
        dummies = pd.get_dummies(rows[CATEGORIES], drop_first=True, dtype=float)
        x = pd.concat([rows[NUMBERS], dummies - dummies.mean()], axis=1).to_numpy()
        treated = np.column_stack([rows["arm"] == arm for arm in ARMS]).astype(float)
        products = [treated[:, [i]] * x for i in range(len(ARMS))]
        matrix = np.column_stack([np.ones(len(x)), treated, x, *products])
        fits = {outcome: sm.OLS(rows[outcome].to_numpy(), matrix).fit() for outcome in OUTCOMES}
        at = {(arm, one): fits[one].params[1 + i] for i, arm in enumerate(ARMS) for one in OUTCOMES}
        return rows, at

    return run, lambda result: in_units(*result)


def effects_formula(folder: Path) -> Parts:
    """Lin's regression in statsmodels, as a formula."""
    import statsmodels.formula.api as smf

    def run() -> object:
        rows = rows_of(folder)
        dummies = pd.get_dummies(rows[CATEGORIES], drop_first=True, dtype=float)
        centred = pd.concat([rows, dummies - dummies.mean()], axis=1)
        terms = " + ".join([*NUMBERS, *dummies])
        effects = {}
        for outcome in OUTCOMES:
            fit = smf.ols(f"{outcome} ~ C(arm, Treatment('control')) * ({terms})", centred).fit()
            for arm in ARMS:
                name = f"C(arm, Treatment('control'))[T.{arm}]"
                effects[arm, outcome] = fit.params[name]
        return rows, effects

    return run, lambda result: in_units(*result)


def judged(folder: Path) -> dict[str, np.ndarray]:
    """Read the experiment as one of calls, and draw what followed of what was foretold."""
    columns = ["called", "untreated", "foretold"]
    rows = pd.read_parquet(folder / "experiment.parquet", columns=columns)
    rng = np.random.default_rng(1)
    chance = rows["untreated"] + rows["called"] * rows["foretold"].clip(lower=0)
    return {
        "arm": rows["called"].to_numpy(dtype=int),
        "outcome": (rng.random(len(rows)) < chance).to_numpy(dtype=float),
        "mu0": rows["untreated"].to_numpy(),
        "mu1": (rows["untreated"] + rows["foretold"]).to_numpy(),
        "priority": rows["foretold"].to_numpy(),
    }


def judging_ours(folder: Path) -> Parts:
    """Ours: scores, ranks, fifths and rules."""
    from customerlab.uplift.doubly_robust import score_customers
    from customerlab.uplift.fifths import calibrate_uplift
    from customerlab.uplift.policies import judge_policies
    from customerlab.uplift.ranking import rank_effects

    def run() -> object:
        known, rng = judged(folder), np.random.default_rng(1)
        priority = known.pop("priority")
        scores = score_customers(**known, propensity=0.5)
        ranking = rank_effects(scores, priority, rng=rng)
        fifths = calibrate_uplift(scores, priority)
        told = {"ranking": ranking, "margin": MARGIN, "cost": COST, "rng": rng}
        return ranking, fifths, judge_policies(scores, priority, **told)

    def found(result: tuple) -> Found:
        ranking, fifths, _ = result
        toc = ranking.table["toc"].to_numpy()[:19]
        of_shares = {f"toc {share:.2f}": x for share, x in zip(SHARES, toc, strict=True)}
        return {"effect": ranking.effect.value, "slope": fifths.slope.value, **of_shares}

    return run, found


def judging_econml(folder: Path, draws: int) -> Parts:
    """Evaluate by econml; what its models would predict is given."""
    from econml.validate import DRTester
    from econml.validate.utils import calculate_dr_outcomes
    from statsmodels.api import OLS  # noqa: F401  # econml loads it when asked first

    def run() -> object:
        known = judged(folder)
        reg = np.column_stack([known["mu0"], known["mu1"]])
        chances = np.full(reg.shape, 0.5)
        tester = DRTester(model_regression=None, model_propensity=None, cate=None)
        tester.treatments, tester.n_treat = np.array([0, 1]), 1
        tester.dr_val_ = calculate_dr_outcomes(known["arm"], known["outcome"], reg, chances)
        tester.dr_train_, tester.ate_val = tester.dr_val_, tester.dr_val_.mean(axis=0)
        tester.cate_preds_val_ = tester.cate_preds_train_ = known["priority"][:, None]
        return tester, tester.evaluate_all(n_bootstrap=draws)

    def found(result: tuple) -> Found:
        tester, whole = result
        percentiles = np.arange(95, 0, -5)
        toc = tester.evaluate_uplift(metric="toc", percentiles=percentiles, n_bootstrap=2)
        curve = toc.curves[1].set_index("Percentage treated")["value"]
        of_shares = {f"toc {share:.2f}": curve.iloc[i] for i, share in enumerate(SHARES)}
        return {"effect": tester.ate_val[0], "slope": whole.blp.params[0], **of_shares}

    return run, found


WAYS: dict[str, Callable[[Path], Parts]] = {
    "effects_sums": effects_sums,
    "effects_matrix": effects_matrix,
    "effects_formula": effects_formula,
    "judging_ours": judging_ours,
    "judging_econml_200": lambda folder: judging_econml(folder, 200),
    "judging_econml_1000": lambda folder: judging_econml(folder, 1000),
}


def main() -> None:
    run, find = WAYS[sys.argv[1]](Path(sys.argv[2]))
    clock = Clock()
    result = clock.time("all", run)
    clock.write(Path(sys.argv[3]), {("found", name): x for name, x in find(result).items()})


if __name__ == "__main__":
    main()
