"""Say what a changed parameter takes where the same customers have more transactions.

One simulated bank is run as it is, and again with each transaction but salaries booked in parts
that add up to it. Both have the same customers, months and money. Each notebook runs with one
parameter changed after all was worked out before; the ratio of the two banks' seconds must be near
1, whatever the ratio of their transactions.

    python benchmarks/changed_parameter.py [--accounts 350000] [--parts 3] [--folder FOLDER]

Times are rough where others use the machine, too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
import pandas as pd
from large import (
    CHANGED,
    CLIENT,
    Limits,
    count_rows,
    make_project,
    run_notebook,
    run_twice,
    simulate,
)

from customerlab import plan
from customerlab.params import load_params
from customerlab.paths import Paths

_LIMITS = Limits(engine_mb=4_000, most_mb=8_000, minutes=120)


def split_transactions(given: Path, raw: Path, parts: int) -> None:
    """Copy a bank's files, each transaction but salaries as so many parts that add up to it.

    An amount that is no number stays one row.
    """
    raw.mkdir(parents=True)
    for place in sorted(given.iterdir()):
        if not place.name.startswith("tx_"):
            (raw / place.name).symlink_to(place)
            continue
        duckdb.sql(
            f"""
            COPY (
                WITH told AS (
                    SELECT *, TRY_CAST(amount AS DECIMAL(18, 2)) AS money,
                        CASE WHEN money IS NULL OR kind = 'payroll' THEN 1 ELSE {parts} END AS n
                    FROM '{place}'
                ), parted AS (
                    SELECT *, unnest(range(n)) AS part, (money / n)::DECIMAL(18, 2) AS share
                    FROM told
                )
                SELECT * EXCLUDE (money, n, part, share) REPLACE (
                    CASE part WHEN 0 THEN transaction_id ELSE transaction_id || '-' || part END
                        AS transaction_id,
                    CASE WHEN n = 1 THEN amount WHEN part > 0 THEN share::VARCHAR
                        ELSE (money - share * (n - 1))::VARCHAR END AS amount
                )
                FROM parted
            ) TO '{raw / place.name}'
            """
        )


def measure(root: Path) -> pd.DataFrame:
    """Run all notebooks, those with a parameter to change twice; return their seconds.

    Returns
    -------
    DataFrame
        Indexed by notebook: ``first`` and ``changed``.

    Raises
    ------
    SystemExit
        When a notebook is stopped.
    """
    taken = {}
    for notebook in plan.planned(load_params(root / "params" / f"{CLIENT}.yaml")):
        if notebook.section in CHANGED:
            ran, _, again = run_twice(root, notebook, _LIMITS)
            taken[notebook.name] = (ran.seconds, again)
        elif notebook.name != plan.SUMMARY:
            ran = run_notebook(root, notebook.name, _LIMITS)
        if ran.stopped:
            raise SystemExit(f"{root}, {notebook.name}: {ran.stopped}")
    return pd.DataFrame.from_dict(taken, orient="index", columns=["first", "changed"])


def main() -> int:
    """Make both banks, run their notebooks, print what the changed parameter took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=350_000)
    parser.add_argument("--parts", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept; left out, a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        plain = make_project(folder, options.accounts)
        simulate(plain, options.accounts)
        split = make_project(folder / "split", options.accounts)
        raw = Paths(split, CLIENT).raw
        if not raw.is_dir():
            split_transactions(Paths(plain, CLIENT).raw, raw, options.parts)
        taken = pd.concat({"as it is": measure(plain), "in parts": measure(split)}, axis=1)
        clean = [Paths(root, CLIENT).clean("transactions") for root in (plain, split)]
        rows = [count_rows(place.parent, place.name) for place in clean]
    for what in ("first", "changed"):
        taken["ratio", what] = taken["in parts", what] / taken["as it is", what]
    print(f"{rows[0]:,} transactions, in parts {rows[1]:,}: {rows[1] / rows[0]:.2f} times")
    print(taken.to_string(float_format="%.2f"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
