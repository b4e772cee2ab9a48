"""How causes act together: against plain statsmodels with explicit columns, and planted truth."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from customerlab.churn.cloglog import fit_cloglog
from customerlab.churn.combinations import Combination, _candidates, find_combinations
from customerlab.churn.combinations_answers import acting_together, combinations_to_show
from customerlab.churn.combined import combined_in_words, combined_ratios
from customerlab.churn.hazard import fit_hazard
from customerlab.churn.interactions import find_interactions, pairs_to_show
from customerlab.churn.scores import months_of
from customerlab.features import ORDERED
from customerlab.plots.interactions import interaction_heat
from customerlab.simulate.planted import true_hazard

CAUSES = ["g", "h", "k"]
LEVELS = {
    "tenure_band": {"0": 0.3, "1-2": 0.1, "12-23": 0.0},
    "g": {"a": 0.0, "b": 0.4, "c": -0.3},
    "h": {"x": 0.0, "y": 0.5},
    "k": {"1": 0.0, "2": 0.2, "3": -0.2},
}


def draw(seed, size=30_000, together=None):
    """Draw counts with known ratios; `together` is (levels, log ratio) beyond their product."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(itertools.product(*LEVELS.values()), columns=[*LEVELS])
    share = rng.dirichlet(np.full(len(frame), 20.0))
    rate = np.log(0.03) + sum(frame[name].map(LEVELS[name]) for name in LEVELS)
    if together is not None:
        levels, beyond = together
        here = np.logical_and.reduce([frame[name] == level for name, level in levels.items()])
        rate = rate + beyond * here
    frame["n"] = rng.multinomial(size, share)
    frame["events"] = rng.binomial(frame["n"], -np.expm1(-np.exp(rate)))
    return frame[frame["n"] > 0]


def indicators(cells, term, levels):
    return [(cells[term] == level).to_numpy(float) for level in levels]


def plain(cells, columns):
    """Fit the plainest statsmodels: leavers and stayers of each cell, tight convergence."""
    outcome = np.column_stack([cells["events"], cells["n"] - cells["events"]])
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    design = np.column_stack([np.ones(len(cells)), *columns])
    return sm.GLM(outcome, design, family=family).fit(
        tol=1e-13, tol_criterion="params", maxiter=200
    )


def main_columns(cells, hazard):
    return [one for t in hazard.terms for one in indicators(cells, t.term, t.free)]


def products(cells, hazard, pair):
    free = [next(t.free for t in hazard.terms if t.term == name) for name in pair]
    return [
        one * other
        for one in indicators(cells, pair[0], free[0])
        for other in indicators(cells, pair[1], free[1])
    ]


def products_names(hazard, pair):
    return list(
        itertools.product(*(next(t.free for t in hazard.terms if t.term == n) for n in pair))
    )


@pytest.fixture(scope="module")
def planted():
    cells = draw(1, together=({"g": "b", "h": "y"}, 0.7))
    return cells, fit_hazard(cells, CAUSES)


# --- pairs


def test_each_pair_is_statsmodels_likelihood_ratio_or_score(planted):
    cells, hazard = planted
    result = find_interactions(cells, hazard)
    main = main_columns(cells, hazard)
    null = plain(cells, main)
    assert len(result.table) == 6
    assert set(result.table["test"]) == {"likelihood ratio", "score"}
    for row in result.table.itertuples():
        more = products(cells, hazard, (row.term_a, row.term_b))
        assert row.df == len(more) and row.too_thin == 0
        if row.test == "likelihood ratio":
            wanted = 2 * (plain(cells, [*main, *more]).llf - null.llf)
        else:
            design = np.column_stack(more)
            observed = null.model.score_test(null.params, exog_extra=design, observed=False)
            wanted = float(np.squeeze(observed[0]))
        assert row.chi_square == pytest.approx(wanted, abs=1e-7, rel=1e-8)
        assert row.p == pytest.approx(stats.chi2.sf(wanted, row.df), rel=1e-6)
    wanted = multipletests(result.table["p"], method="fdr_bh")[1]
    np.testing.assert_allclose(result.table["q"], wanted)
    first = result.table.iloc[0]
    assert {first["term_a"], first["term_b"]} == {"g", "h"} and first["found"]


def test_score_and_likelihood_ratio_agree_where_little_is_to_be_found():
    """They differ by higher orders only: within a tenth, for 6 pairs with thousands of exits."""
    cells = draw(2, size=100_000)
    hazard = fit_hazard(cells, CAUSES)
    main = main_columns(cells, hazard)
    null = plain(cells, main)
    for row in find_interactions(cells, hazard).table.itertuples():
        more = products(cells, hazard, (row.term_a, row.term_b))
        ratio = 2 * (plain(cells, [*main, *more]).llf - null.llf)
        assert row.chi_square == pytest.approx(ratio, rel=0.1, abs=0.2)


def test_a_ratio_that_changes_with_time_is_found():
    cells = draw(3, together=({"tenure_band": "0", "h": "y"}, 0.8))
    table = find_interactions(cells, fit_hazard(cells, CAUSES)).table
    assert table.loc[0, ["term_a", "term_b"]].tolist() == ["tenure_band", "h"]
    assert table.loc[0, "found"] and not table.loc[1:, "found"].any()


def test_false_discoveries_of_pairs_and_combinations_stay_within_alpha():
    """No interaction: 5 % of the p-values lie below 0.05, something is found in 5 % of the seeds.

    Exact 99.9 % binomial bounds; 150 seeds were run once and lie within theirs, too.
    """
    seeds, small, pairs, combinations = 25, 0, 0, 0
    for seed in range(seeds):
        cells = draw(1000 + seed)
        hazard = fit_hazard(cells, CAUSES)
        table = find_interactions(cells, hazard).table
        small += (table["p"] < 0.05).sum()
        pairs += bool(table["found"].any())
        combinations += len(find_combinations(cells, hazard).table) > 0
    low, high = stats.binom.interval(0.999, 6 * seeds, 0.05)
    assert low <= small <= high
    most = stats.binom.ppf(0.999, seeds, 0.05)
    assert pairs <= most and combinations <= most


def test_thin_combinations_get_no_column():
    """A hand count: g has 3 levels and h 2, so 2 columns; 1 where c with y is nobody."""
    cells = draw(4)
    cells = cells[(cells["g"] != "c") | (cells["h"] != "y")]
    table = find_interactions(cells, fit_hazard(cells, CAUSES), pairs=[("g", "h")]).table
    assert table.loc[0, ["df", "too_thin", "status"]].tolist() == [1, 0, "tested"]
    thin = draw(4)
    here = (thin["g"] == "c") & (thin["h"] == "y")
    thin.loc[here, "n"] = 5  # 30 customer-months and hardly an exit expected
    thin.loc[here, "events"] = 0
    table = find_interactions(thin, fit_hazard(thin, CAUSES), pairs=[("g", "h")]).table
    assert table.loc[0, ["df", "too_thin", "status"]].tolist() == [1, 1, "tested"]


def test_nobody_leaves_in_a_combination_and_nothing_crashes():
    """Separation: the likelihood has a supremum but no maximum; the ratio test has a limit."""
    cells = draw(5)
    cells.loc[(cells["g"] == "b") & (cells["h"] == "y"), "events"] = 0
    hazard = fit_hazard(cells, CAUSES)
    row = find_interactions(cells, hazard, pairs=[("g", "h")]).table.iloc[0]
    assert row["found"] and row["df"] == 2 and np.isfinite(row["chi_square"])
    main = main_columns(cells, hazard)
    # the limit: the cells without exits left out of the larger model, where they cost nothing
    kept = cells[(cells["g"] != "b") | (cells["h"] != "y")]
    larger = plain(
        kept,
        [
            *main_columns(kept, hazard),
            indicators(kept, "g", "c")[0] * indicators(kept, "h", "y")[0],
        ],
    )
    at = (larger.fittedvalues, kept), (plain(cells, main).fittedvalues, cells)
    values = [
        (
            np.where(c["events"] > 0, c["events"] * np.log(p), 0)
            + (c["n"] - c["events"]) * np.log1p(-p)
        ).sum()
        for p, c in at
    ]
    assert row["chi_square"] == pytest.approx(2 * (values[0] - values[1]), abs=1e-5)
    table = combined_ratios(cells, hazard, "g", "h")
    here = table[(table["level_a"] == "b") & (table["level_b"] == "y")].iloc[0]
    assert np.isnan(here["hazard_ratio"]) and here["status"] == "not_enough_data"
    found = find_combinations(cells, hazard)
    assert all(row.events >= 5 for row in found.table.itertuples())


def test_levels_counted_together_stay_a_level_of_their_own():
    """Two thin levels are ``other`` in the model, which is no level in the data."""
    cells = draw(9)
    rare = pd.DataFrame({"tenure_band": "0", "g": ["d", "e"], "h": "x", "k": "1"})
    cells = pd.concat([cells, rare.assign(n=300, events=4)], ignore_index=True)
    hazard = fit_hazard(cells, CAUSES)
    [term] = [term for term in hazard.terms if term.term == "g"]
    assert "other" in term.free
    months = months_of(cells, hazard)
    assert months.fit.log_likelihood == pytest.approx(hazard.log_likelihood, abs=1e-8)
    assert months.fit.coefficients == pytest.approx(hazard.coefficients, abs=1e-8)


def test_pairs_all_of_whose_combinations_are_thin_are_told():
    rows = [("a", "x", 500, 20), ("b", "y", 500, 20), ("a", "y", 10, 0), ("b", "x", 10, 0)]
    cells = pd.DataFrame(rows, columns=["g", "h", "n", "events"]).assign(tenure_band="0")
    hazard = fit_hazard(cells, ["g", "h"])
    result = find_interactions(cells, hazard)
    if len(hazard.terms) > 1:
        assert set(result.table["status"]) == {"too_thin"} and not result.table["found"].any()
        assert result.table["q"].isna().all()
    assert "None of 0 pairs" in str(result.text)


def test_other_counts_or_terms_are_refused(planted):
    cells, hazard = planted
    with pytest.raises(ValueError, match="not the customer-months"):
        find_interactions(cells.iloc[1:], hazard)
    for pair in (("g", "g"), ("g", "z")):
        with pytest.raises(ValueError, match="not two terms"):
            find_interactions(cells, hazard, pairs=[pair])
        with pytest.raises(ValueError, match="not two terms"):
            combined_ratios(cells, hazard, *pair)


def test_cells_and_rows_tell_the_same(planted):
    cells, hazard = planted
    rows = pd.concat(
        [cells.assign(n=cells["n"] - cells["events"], events=0), cells.assign(n=cells["events"])]
    )
    rows = rows.sample(frac=1, random_state=1, ignore_index=True)
    for one, other in (
        (find_interactions(rows, hazard).table, find_interactions(cells, hazard).table),
        (find_combinations(rows, hazard).table, find_combinations(cells, hazard).table),
        (combined_ratios(rows, hazard, "g", "h"), combined_ratios(cells, hazard, "g", "h")),
    ):
        pd.testing.assert_frame_equal(one, other, rtol=1e-9)


# --- combinations


def test_a_combination_is_statsmodels_with_its_indicator():
    cells = draw(6, together=({"g": "b", "h": "y", "k": "2"}, 0.9))
    hazard = fit_hazard(cells, CAUSES)
    found = find_combinations(cells, hazard)
    assert found.table["combination"].tolist() == [(("g", "b"), ("h", "y"), ("k", "2"))]
    row = found.table.iloc[0]
    here = np.prod([indicators(cells, t, [v])[0] for t, v in row["combination"]], axis=0)
    main = main_columns(cells, hazard)
    fit = plain(cells, [*main, here])
    assert row["coefficient"] == pytest.approx(fit.params[-1], abs=1e-8)
    assert row["std_error"] == pytest.approx(fit.bse[-1], abs=1e-8)
    assert row["chi_square"] == pytest.approx(2 * (fit.llf - plain(cells, main).llf), abs=1e-7)
    assert (row["n"], row["events"]) == ((cells["n"] * here).sum(), (cells["events"] * here).sum())
    z = stats.norm.ppf(1 - 0.05 / found.tested / 2)
    assert np.log(row["high"]) == pytest.approx(fit.params[-1] + z * fit.bse[-1], abs=1e-7)


def test_the_screen_is_statsmodels_score_test():
    """On one set of terms: every combination's score statistic, and what it was screened by."""
    cells = draw(7)
    hazard = fit_hazard(cells, CAUSES)
    months = months_of(cells, hazard)
    null = plain(cells, main_columns(cells, hazard))
    names, group, kept, shape = next(
        one for one in _candidates(months, 3) if one[0] == ("g", "h", "k")
    )
    score, own, shared = months.fit.score(group, len(kept))
    through = shared @ months.fit.covariance()
    square = score**2 / (own - np.einsum("ij,ij->i", through, shared))
    terms = [next(t for t in hazard.terms if t.term == name) for name in names]
    for k, value in zip(kept, square, strict=True):
        levels = [t.levels[i] for t, i in zip(terms, np.unravel_index(k, shape), strict=True)]
        pairs = zip(names, levels, strict=True)
        here = np.prod([indicators(cells, t, [v])[0] for t, v in pairs], axis=0)
        theirs = null.model.score_test(null.params, exog_extra=here[:, None], observed=False)
        assert value == pytest.approx(float(np.squeeze(theirs[0])), rel=1e-6, abs=1e-8)


def test_a_planted_combination_is_found_once_and_covered():
    """Power: ratio 2 is found in nearly all seeds, with hardly anything that only overlaps.

    Its range, which allows for the picking, covers at least as often as it says.
    """
    seeds, hits, covered, extra = 20, 0, 0, 0
    planted = {"g": "b", "h": "y", "k": "1"}
    for seed in range(seeds):
        cells = draw(2000 + seed, together=(planted, np.log(2)))
        table = find_combinations(cells, fit_hazard(cells, CAUSES)).table
        hit = table[[dict(one) == planted for one in table["combination"]]]
        hits += len(hit)
        extra += len(table) - len(hit)
        covered += bool(len(hit)) and bool((hit["low"] <= 2).item() & (hit["high"] >= 2).item())
    assert hits >= 0.8 * seeds
    assert covered >= stats.binom.ppf(0.001, hits, 0.95)
    assert extra <= seeds // 4


def test_the_young_women_on_payroll_of_the_demo_bank_are_found():
    """The bank's planted hazard, drawn month by month: ratio 2 for women under 30 on payroll."""
    rng = np.random.default_rng(12)
    size = 150_000
    rows = pd.DataFrame(
        {
            "tenure_months": rng.integers(0, 90, size),
            "age": rng.integers(20, 65, size),
            "gender": rng.choice(["F", "M"], size),
            "region": rng.choice(["east", "north", "south"], size),
            "payroll": rng.choice(["none", "running", "moved"], size, p=[0.5, 0.45, 0.05]),
            "unresolved": rng.choice([0, 1, 2], size, p=[0.92, 0.05, 0.03]),
        }
    )
    rows["events"] = rng.random(size) < true_hazard(rows)
    rows["tenure_band"] = pd.cut(
        rows["tenure_months"], [-1, 5, 11, 23, 59, 99], labels=["0-5", "6-11", "12-23", "24+", "60"]
    )
    rows["age_band"] = pd.cut(
        rows["age"], [0, 29, 44, 59, 99], labels=["20-29", "30-44", "45-59", "60+"]
    )
    rows["complaints"] = rows["unresolved"].map({0: "0", 1: "1", 2: "2+"})
    covariates = ["age_band", "gender", "region", "payroll", "complaints"]
    keys = ["tenure_band", *covariates]
    cells = (
        rows.astype(dict.fromkeys(keys, str))
        .groupby(keys, as_index=False)
        .agg(n=("events", "size"), events=("events", "sum"))
    )
    found = find_combinations(cells, fit_hazard(cells, covariates))
    levels = [dict(one) for one in found.table["combination"]]
    assert levels == [{"age_band": "20-29", "gender": "F", "payroll": "running"}]
    row = found.table.iloc[0]
    b, wide = row["coefficient"], 1.96 * row["std_error"]
    assert b - wide <= np.log(2) <= b + wide  # also by the plain interval
    finding = acting_together(found)
    assert finding.status == "supported" and finding.low > 1
    assert "paid through us last month" in str(finding.text)
    assert f"out of {found.tested:,} combinations" in str(finding.text)


def test_nothing_to_find_is_said():
    found = find_combinations(draw(8), fit_hazard(draw(8), CAUSES))
    finding = acting_together(found)
    assert found.table.empty and finding.status == "weak" and finding.value is not None
    assert f"none of {found.tested} combinations" in str(finding.text)
    few = draw(8).assign(events=0)
    hazard = fit_hazard(few, CAUSES)
    for result in (find_interactions(few, hazard), find_combinations(few, hazard)):
        assert result.table.empty and len(result.table.columns) > 5
    finding = acting_together(find_combinations(few, hazard))
    assert finding.id == "churn_timing.acting_together" and finding.status == "not_enough_data"
    alone = fit_hazard(draw(8), [])
    assert find_interactions(draw(8), alone).table.empty
    assert combinations_to_show(find_combinations(draw(8), alone), 10).empty


def test_small_counts_of_combinations_are_masked(planted):
    cells, hazard = planted
    found = find_combinations(cells, hazard)
    events = int(found.table["events"].iloc[0])
    assert combinations_to_show(found, events)["events"].iloc[0] == events
    assert combinations_to_show(found, events + 1)["events"].iloc[0] == f"<{events + 1}"
    shown = combinations_to_show(found, 1)
    beyond = ["beyond_ratio", "beyond_low", "beyond_high"]
    assert list(shown) == ["combination", *beyond, "n", "events", "q"]
    assert (shown[beyond].to_numpy() == found.table[["ratio", "low", "high"]].to_numpy()).all()
    shown = pairs_to_show(find_interactions(cells, hazard))
    assert list(shown) == ["term_a", "term_b", "df", "chi_square", "p_value", "q_value"]


# --- who is in a combination


@pytest.mark.parametrize("term", sorted(ORDERED))
def test_values_never_seen_count_in_a_combination_as_they_do_in_the_model(term):
    """By hand: the nearest level below, else above; without an order, the reference."""
    levels = ["10", "20", "30"]
    cells = pd.DataFrame(itertools.product(levels, "ab"), columns=[term, "g"])
    cells = cells.assign(n=[900, 600] * 3, events=[60, 30] * 3)
    hazard = fit_hazard(cells, ["g"], time=term)
    assert [one.term for one in hazard.terms] == [term, "g"]
    reference = hazard.terms[0].reference
    stands_for = {"10": "10", "20": "20", "30": "30", "5": "10", "25": "20", "99": "30"}
    stands_for |= {None: reference, "unknown": reference}
    people = {"a": "a", "b": "b", "new": "a", None: "a"}
    rows = pd.DataFrame(itertools.product(stands_for, people), columns=[term, "g"], dtype=object)
    design = hazard.design(rows.fillna("unknown"))
    for parts in itertools.product(levels, "ab"):
        one = Combination(tuple(zip(hazard.terms, parts, strict=True)))
        wanted = [(stands_for[a], people[b]) == parts for a, b in rows.to_numpy()]
        got = one.of_frame(rows) == "yes"
        assert got.tolist() == wanted
        # and the model gives all of them the chance of those who have these very levels
        alike = hazard.design(pd.DataFrame([parts], columns=[term, "g"]))
        assert ((design == alike).all(axis=1) == got).all()


def test_a_combination_found_is_seen_again_in_the_counts(planted):
    cells, hazard = planted
    found = find_combinations(cells, hazard)
    assert len(found.combinations) == len(found.table) > 0
    for one, row in zip(found.combinations, found.table.itertuples(), strict=True):
        here = cells[one.of_frame(cells) == "yes"]
        assert tuple(one.levels.items()) == row.combination
        assert (here["n"].sum(), here["events"].sum()) == (row.n, row.events)
        assert here[list(one.levels)].drop_duplicates().to_dict("records") == [one.levels]


def test_the_fit_from_where_it_stands_is_the_fit_from_the_beginning(planted):
    cells, hazard = planted
    fit = months_of(cells, hazard).fit
    column = np.random.default_rng(1).random(len(fit.n)) < 0.2
    more = fit.with_indicators([np.flatnonzero(column)])
    anew = fit_cloglog(np.column_stack([fit.design, column]), fit.n, fit.left)
    assert more.gives_ratios and anew.converged
    np.testing.assert_allclose(more.coefficients, anew.coefficients, atol=1e-8)
    np.testing.assert_allclose(more.covariance(), anew.covariance, atol=1e-8)
    assert more.log_likelihood == pytest.approx(anew.log_likelihood, abs=1e-8)


# --- two causes in one figure


def test_combined_ratios_are_statsmodels_saturated_pair(planted):
    cells, hazard = planted
    table = combined_ratios(cells, hazard, "g", "h")
    references = {t.term: t.reference for t in hazard.terms}
    base = (references["g"], references["h"])
    pairs = [(g, h) for g in "abc" for h in "xy" if (g, h) != base]
    others = [
        one
        for t in hazard.terms
        if t.term not in {"g", "h"}
        for one in indicators(cells, t.term, t.free)
    ]
    own = [indicators(cells, "g", [g])[0] * indicators(cells, "h", [h])[0] for g, h in pairs]
    fit = plain(cells, [*own, *others])
    ours = table.set_index(["level_a", "level_b"])
    for k, pair in enumerate(pairs, 1):
        b, se = fit.params[k], fit.bse[k]
        wanted = np.exp([b, b - 1.959964 * se, b + 1.959964 * se])
        got = ours.loc[pair, ["hazard_ratio", "low", "high"]].astype(float)
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    ratio = ours["hazard_ratio"]
    assert ratio[base] == 1 and np.isnan(ours.loc[base, "low"])
    for g, h in pairs:
        product = ratio[g, base[1]] * ratio[base[0], h]
        assert ours.loc[(g, h), "product"] == pytest.approx(product)
        assert ours.loc[(g, h), "beyond"] == pytest.approx(ratio[g, h] / product)
    assert table["n"].sum() == cells["n"].sum() and table["events"].sum() == cells["events"].sum()
    beyond = ours[ours["beyond_low"].notna()]
    assert len(beyond) == 2
    # as statsmodels' products, the interval with z for two looked at
    main = main_columns(cells, hazard)
    fit = plain(cells, [*main, *products(cells, hazard, ("g", "h"))])
    se = dict(zip(products_names(hazard, ("g", "h")), fit.bse[-2:], strict=True))
    for pair, row in beyond.iterrows():
        wide = stats.norm.ppf(1 - 0.025 / 2) * se[pair]
        assert np.log(row["beyond_high"] / row["beyond"]) == pytest.approx(wide, rel=1e-6)


def test_the_figure_tells_where_the_product_is_missed(planted):
    cells, hazard = planted
    table = combined_in_words(combined_ratios(cells, hazard, "g", "h"))
    chart = interaction_heat(table)
    wide, narrow = re.findall(r"<svg.*?</svg>", chart._repr_html_(), flags=re.DOTALL)
    for svg in (wide, narrow):
        texts = ["".join(n.itertext()) for n in ElementTree.fromstring(svg).iter()]
        assert any("▲" in text or "▼" in text for text in texts)
        assert all(any(level in text for text in texts) for level in "abcxy")
    assert "multiply to" in str(chart.title)
    assert str(chart.alt).count("product") == 6
    many = pd.concat([table.assign(level_b=f"a rather long name {i}") for i in range(9)])
    many = pd.concat(
        [
            many,
            many.assign(level_a=many["level_a"] + "!"),
            many.assign(level_a=many["level_a"] + "?"),
        ]
    )
    assert "product" in str(interaction_heat(many).alt)
    nothing = table.assign(beyond_low=np.nan, beyond_high=np.nan, hazard_ratio=np.nan)
    assert "No pair" in str(interaction_heat(nothing).title)
    assert "No pair" in str(interaction_heat(table.iloc[:0]).title)
