"""The Cox model against the field's standards: proportional hazards, concordance, agreement.

R's numbers come from ``tests/oracles/proportional.R`` (R 4.2.2, survival 3.5-3).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.utils import concordance_index
from scipy import stats

from customerlab.churn.aft import fit_aft
from customerlab.churn.agreement import check_agreement, compare_models, in_words
from customerlab.churn.concordance import concordance
from customerlab.churn.cox import fit_cox
from customerlab.churn.hazard import fit_hazard
from customerlab.churn.proportional import check_proportional, fit_zph
from customerlab.errors import CustomerlabError

HERE = Path(__file__).parent
CAUSES = {
    "cox": ["Contract", "InternetService", "MonthlyCharges", "SeniorCitizen"],
    "discrete": ["Contract", "InternetService"],
}


def oracle(name):
    return pd.read_csv(HERE / "oracles" / f"{name}.csv", index_col="name")["value"]


def counted(rows, by):
    return rows.groupby(by, dropna=False).size().reset_index(name="n")


@pytest.fixture(scope="module")
def small():
    """Make the table that proportional.R makes, by the same rule: ties, and late entry."""
    i = np.arange(400)
    entry = np.where(i % 3 == 0, 0, (i * 7) % 11)
    length = 1 + (i * 13) % 9 + i % 2
    return pd.DataFrame(
        {
            "entry": entry,
            "length": length,
            "duration": entry + length,
            "churned": (i * 5) % 7 < 3,
            "group": np.array(["a", "b", "c"])[(i * 11) % 3],
            "x": ((i * 17) % 23) / 10,
        }
    )


# --- Cox, all of it


def test_every_number_of_telcos_cox_is_rs(telco):
    r = oracle("proportional_telco")
    model = fit_cox(counted(telco, ["duration", "churned", *CAUSES["cox"]]), CAUSES["cox"])
    assert model.references == {"Contract": "Month-to-month", "InternetService": "Fiber optic"}
    assert model.log_likelihood == pytest.approx(r["cox.loglik"], abs=1e-5)
    assert len(model.table) == 6
    for row in model.table.itertuples():
        assert row.coefficient == pytest.approx(r[f"cox.{row.term}{row.level}"], abs=1e-5)
        assert row.std_error == pytest.approx(r[f"cox.se.{row.term}{row.level}"], abs=1e-5)


def test_cox_under_many_ties_is_rs(small):
    r = oracle("proportional_small")
    model = fit_cox(
        counted(small, ["length", "churned", "group", "x"]), ["group", "x"], time="length"
    )
    assert model.log_likelihood == pytest.approx(r["ties.loglik"], abs=1e-8)
    for row in model.table.itertuples():
        assert row.coefficient == pytest.approx(r[f"ties.{row.term}{row.level}"], abs=1e-8)
        assert row.std_error == pytest.approx(r[f"ties.se.{row.term}{row.level}"], abs=1e-8)


def test_cox_of_nobody_says_so(small):
    counts = small.assign(n=1).iloc[:0]
    assert fit_cox(counts, ["group", "x"]).status == "not_enough_data"


# --- proportional hazards


def same_as_r(zph, r, name):
    assert len(zph.table) == len({n.split(".")[3] for n in r.index if n.startswith(name)}) - 1
    for row in zph.table.itertuples():
        assert row.df == r[f"{name}.{row.term}.df"]
        assert row.chi_square == pytest.approx(r[f"{name}.{row.term}.chisq"], rel=1e-6)
        assert row.p == pytest.approx(r[f"{name}.{row.term}.p"], rel=1e-5)
    assert zph.overall["df"] == r[f"{name}.GLOBAL.df"]
    assert zph.overall["chi_square"] == pytest.approx(r[f"{name}.GLOBAL.chisq"], rel=1e-6)
    assert zph.overall["p"] == pytest.approx(r[f"{name}.GLOBAL.p"], rel=1e-5)


@pytest.mark.parametrize("clock", ["km", "identity"])
@pytest.mark.parametrize("model", ["cox", "discrete"])
def test_telco_zph_is_rs(telco, model, clock):
    counts = counted(telco, ["duration", "churned", *CAUSES[model]])
    zph = fit_zph(fit_cox(counts, CAUSES[model]), counts, clock=clock)
    same_as_r(zph, oracle("proportional_telco"), f"{model}.zph.{clock}")


@pytest.mark.parametrize("clock", ["km", "identity"])
def test_zph_with_late_entry_is_rs(small, clock):
    counts = counted(small, ["entry", "duration", "churned", "group", "x"])
    zph = fit_zph(
        fit_cox(counts, ["group", "x"], entry="entry"), counts, clock=clock, entry="entry"
    )
    same_as_r(zph, oracle("proportional_small"), f"late.zph.{clock}")


@pytest.mark.parametrize("clock", ["km", "identity"])
def test_zph_under_many_ties_is_rs(small, clock):
    counts = counted(small, ["length", "churned", "group", "x"])
    model = fit_cox(counts, ["group", "x"], time="length")
    zph = fit_zph(model, counts, clock=clock, time="length")
    same_as_r(zph, oracle("proportional_small"), f"ties.zph.{clock}")


def test_zph_on_counts_is_zph_on_rows(small):
    counts = counted(small, ["length", "churned", "group"]).rename(columns={"length": "duration"})
    rows = counts.loc[counts.index.repeat(counts["n"])].assign(n=1).reset_index(drop=True)
    ours, plain = (fit_zph(fit_cox(data, ["group"]), data) for data in (counts, rows))
    pd.testing.assert_frame_equal(ours.table, plain.table, rtol=1e-9)
    pd.testing.assert_frame_equal(ours.shifts, plain.shifts, rtol=1e-9)


def histories(later, *, customers=6000, seed=0):
    """Monthly exits: women leave twice as often as men, from month 6 on `later` times as often."""
    rng = np.random.default_rng(seed)
    female, region = rng.random(customers) < 0.4, rng.choice(["north", "south"], customers)
    stop = rng.integers(4, 25, customers)
    duration, churned = stop.copy(), np.zeros(customers, dtype=bool)
    for month in range(24):
        ratio = np.where(female, 2.0 if month < 6 else later, 1.0)
        chance = -np.expm1(-0.04 * ratio)
        goes = (month < stop) & ~churned & (rng.random(customers) < chance)
        duration[goes], churned[goes] = month + 1, True
    gender = np.where(female, "female", "male")
    rows = pd.DataFrame(
        {"duration": duration, "churned": churned, "gender": gender, "region": region}
    )
    return counted(rows, list(rows.columns))


def test_a_planted_change_is_found_and_named():
    counts = histories(later=0.7)
    zph = fit_zph(fit_cox(counts, ["gender", "region"]), counts)
    assert zph.changing == ("gender",)
    row = zph.shifts.set_index("term").loc["gender"]
    assert row["early_ratio"] > 1.5 and row["late_ratio"] < 1.1 and row["change"] < 0.7
    check = check_proportional(zph)
    assert check.passed is False and check.weakens == ("churn_timing.main_sign",)
    text = str(check.text)
    assert "for: gender." in text and "“gender: women”" in text and "tells less about" in text
    assert "region" not in text


def test_planted_constant_ratios_pass():
    counts = histories(later=2.0)
    zph = fit_zph(fit_cox(counts, ["gender", "region"]), counts)
    assert zph.changing == () and zph.overall["df"] == 2
    check = check_proportional(zph)
    assert check.passed is True and "No feature's ratio changes" in str(check.text)


def test_the_test_errs_as_often_as_it_says():
    """Constant ratios, 25 seeds: p below 0.2 as often as the exact 99.9 % binomial band allows."""
    low = 0
    for seed in range(25):
        counts = histories(later=2.0, customers=600, seed=seed)
        zph = fit_zph(fit_cox(counts, ["gender", "region"]), counts)
        low += zph.overall["p"] < 0.2
    band = stats.binom.interval(0.999, 25, 0.2)
    assert band[0] <= low <= band[1], low


def test_a_change_that_decides_nothing_passes_among_very_many():
    """A million customers, a ratio of 2.0 that becomes 1.9: beyond chance, below a quarter."""
    counts = histories(later=1.9, customers=20_000).assign(n=lambda d: d["n"] * 100)
    zph = fit_zph(fit_cox(counts, ["gender"]), counts)
    assert zph.table["p"].item() < 1e-6 and check_proportional(zph).passed is True


def test_the_early_and_late_ratio_are_near_those_of_the_full_model():
    """The full model: months apart, the feature times g(t) as a covariate of its own.

    One Newton step is not the estimate: 10 % for a ratio that falls from two to one.
    """
    counts = histories(later=1.0)
    zph = fit_zph(fit_cox(counts, ["gender"]), counts, clock="identity")
    months = counts.loc[counts.index.repeat(counts["duration"])].reset_index(drop=True)
    months["entry"] = months.groupby(["duration", "churned", "gender", "region"]).cumcount()
    months = months.assign(
        churned=months["churned"] & (months["entry"] == months["duration"] - 1),
        duration=months["entry"] + 1,
        women=(months["gender"] == "female").astype(float),
    )
    full = fit_cox(
        months.assign(by_time=months["women"] * months["duration"]),
        ["women", "by_time"],
        entry="entry",
    ).table["coefficient"]
    exits = counts.query("churned").groupby("duration")["n"].sum().cumsum()
    early, late = (exits.index[exits >= q * exits.iloc[-1]][0] for q in (0.25, 0.75))
    row = zph.shifts.iloc[0]
    assert row["level"] == "female"
    assert row["early_ratio"] == pytest.approx(np.exp(full[0] + full[1] * early), rel=0.1)
    assert row["late_ratio"] == pytest.approx(np.exp(full[0] + full[1] * late), rel=0.1)


def test_a_curve_that_is_done_early_is_not_the_clock():
    """One customer at risk in the first month, who leaves: the curve is zero from there on."""
    late = histories(later=2.0).assign(entry=2, duration=lambda d: d["duration"] + 2)
    first = pd.DataFrame(
        {"duration": [1], "churned": [True], "gender": ["male"], "region": ["north"], "n": [1]}
    ).assign(entry=0)
    counts = pd.concat([first, late], ignore_index=True)
    model = fit_cox(counts, ["gender"], entry="entry")
    zph = fit_zph(model, counts, entry="entry")
    assert zph.clock == "identity" and "over months" in str(zph.notes[0])
    plain = fit_zph(model, counts, clock="identity", entry="entry")
    pd.testing.assert_frame_equal(zph.table, plain.table)


def test_too_little_to_test_says_so(small):
    counts = counted(small, ["duration", "churned", "group"])
    none = counts.assign(churned=False)
    once = counts.assign(duration=5)
    for data in (none, once, counts.iloc[:0]):
        zph = fit_zph(fit_cox(data, ["group"]), data)
        assert zph.status == "not_enough_data" and zph.table.empty and zph.changing == ()
        assert list(zph.table) == ["term", "df", "chi_square", "p", "adjusted_p"]
        check = check_proportional(zph)
        assert check.passed is None and "cannot be tested" in str(check.text)


def test_other_counts_than_the_models_are_refused(small):
    counts = counted(small, ["duration", "churned", "group"])
    model = fit_cox(counts, ["group"])
    with pytest.raises(CustomerlabError, match="fitted to other counts: 400 customers"):
        fit_zph(model, counts.query("duration > 3"))
    with pytest.raises(CustomerlabError, match="fitted to other counts"):
        concordance(model, counts.query("duration > 3"))


# --- concordance


@pytest.mark.parametrize("name", ["cox", "discrete"])
def test_telco_concordance_is_rs_and_lifelines(telco, name):
    r = oracle("proportional_telco")
    counts = counted(telco, ["duration", "churned", *CAUSES[name]])
    model = fit_cox(counts, CAUSES[name])
    ours = concordance(model, counts)
    assert ours.value == pytest.approx(r[f"{name}.concordance"], abs=1e-9)
    assert ours.std_error == pytest.approx(r[f"{name}.concordance.se"], abs=1e-9)
    assert (ours.concordant, ours.discordant, ours.tied) == tuple(
        r[f"{name}.{what}"] for what in ("concordant", "discordant", "tied.x")
    )
    if name == "discrete":  # by numbers of risk, and in lifelines on rows
        ratios = model.table.set_index(["term", "level"])["coefficient"].to_dict()
        risk = sum(
            telco[term].map(lambda level, term=term: ratios.get((term, level), 0.0))
            for term in CAUSES[name]
        )
        theirs = concordance_index(telco["duration"], -risk, telco["churned"])
        assert ours.value == pytest.approx(theirs, abs=1e-9)
        assert concordance(risk, telco.assign(n=1)).value == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "time", "entry"), [("late", "duration", "entry"), ("ties", "length", None)]
)
def test_concordance_with_ties_and_late_entry_is_rs(small, name, time, entry):
    r = oracle("proportional_small")
    counts = counted(small, ["entry", "length", "duration", "churned", "group", "x"])
    names = {"time": time, "entry": entry}
    ours = concordance(fit_cox(counts, ["group", "x"], **names), counts, **names)
    assert ours.value == pytest.approx(r[f"{name}.concordance"], abs=1e-9)
    assert ours.std_error == pytest.approx(r[f"{name}.concordance.se"], abs=1e-9)
    assert (ours.concordant, ours.discordant, ours.tied) == tuple(
        r[f"{name}.{what}"] for what in ("concordant", "discordant", "tied.x")
    )


def test_concordance_is_that_of_all_pairs():
    """By the definition, pair by pair, on counts with ties in everything."""
    rng = np.random.default_rng(2)
    m = 60
    counts = pd.DataFrame(
        {
            "entry": rng.integers(0, 3, m),
            "duration": rng.integers(2, 7, m),
            "churned": rng.random(m) < 0.5,
            "risk": rng.integers(0, 4, m).astype(float),
            "n": rng.integers(0, 5, m),
        }
    )
    rows = counts.loc[counts.index.repeat(counts["n"])].query("duration > entry")
    pairs = np.zeros(3)
    for one in rows.query("churned").itertuples():
        for other in rows.itertuples():
            longer = other.duration > one.duration
            longer |= other.duration == one.duration and not other.churned
            if longer and other.entry < one.duration:
                gap = one.risk - other.risk
                pairs += [gap > 0, gap < 0, gap == 0]
    ours = concordance(counts["risk"], counts, entry="entry")
    assert (ours.concordant, ours.discordant, ours.tied) == tuple(pairs)
    alike = concordance(rows["risk"], rows.assign(n=1), entry="entry")
    assert alike.value == pytest.approx(ours.value) and alike.std_error == pytest.approx(
        ours.std_error
    )


def test_nothing_to_order_says_so(small):
    counts = counted(small, ["duration", "churned", "group"])
    for data in (counts.assign(churned=False), counts.iloc[:0]):
        ours = concordance(np.zeros(len(data)), data)
        assert np.isnan(ours.value) and ours.status == "not_enough_data"
        assert "cannot be said" in str(ours.text)
        assert concordance(fit_cox(data, ["group"]), data).status == "not_enough_data"
    flat = concordance(np.zeros(len(counts)), counts)
    assert flat.value == 0.5 and flat.std_error == 0.0
    assert "50.0 % of the cases" in str(flat.text)


# --- side by side


@pytest.fixture(scope="module")
def models():
    counts = histories(later=2.0)
    months = counts.loc[counts.index.repeat(counts["duration"])].reset_index(drop=True)
    month = months.groupby(["duration", "churned", "gender", "region"]).cumcount()
    months = months.assign(
        events=months["n"] * (months["churned"] & (month == months["duration"] - 1)),
        tenure_band=np.where(month < 12, "0-11", "12-23"),
    )
    return (
        fit_hazard(months, ["gender", "region"]),
        fit_cox(counts, ["gender", "region"]),
        fit_aft(counts, ["gender", "region"], distributions=["weibull"]),
    )


def test_three_models_of_the_same_truth_agree(models):
    compared = compare_models(*models)
    assert list(compared["term"]) == ["gender", "region"]
    row = compared.iloc[0]
    assert row["level"] == "female" and row["reference"] == "male"
    for name, model in (("hazard_ratio", models[0]), ("cox_ratio", models[1])):
        error = model.table.query("term == 'gender'")["std_error"].max()
        # one sample: the planted ratio lies within the 99.9 % interval
        assert abs(np.log(row[name] / 2.0)) < 3.29 * error
    assert row["time_high"] < 1  # twice the hazard, a shorter stay
    assert compared["cox_agrees"].all() and compared["time_agrees"].all()
    check = check_agreement(compared)
    assert check.passed is True
    assert str(check.text).startswith("2 of 2 ratios are the same in both")
    assert "same way for 2 of 2." in str(check.text)


def test_ratios_are_put_against_one_reference():
    """Cox with another most frequent level: the ratio is turned, with its own error."""
    counts = histories(later=2.0)
    hazard, cox, aft = (
        fit(counts)
        for fit in (
            lambda c: fit_hazard(
                c.assign(tenure_band="0", events=c["n"] * c["churned"]), ["gender"]
            ),
            lambda c: fit_cox(
                c.assign(n=np.where(c["gender"] == "female", 5, 1) * c["n"]), ["gender"]
            ),
            lambda c: fit_aft(c, ["gender"], distributions=["weibull"]),
        )
    )
    assert cox.references == {"gender": "female"}
    row = compare_models(hazard, cox, aft).iloc[0]
    theirs = cox.table.iloc[0]
    assert row["reference"] == "male" and row["level"] == "female"
    assert row["cox_ratio"] == pytest.approx(1 / theirs["hazard_ratio"])
    assert row["cox_low"] == pytest.approx(1 / theirs["high"])


def test_a_disagreement_is_named(models):
    hazard, cox, aft = models
    compared = compare_models(hazard, cox, aft)
    compared.loc[0, ["cox_ratio", "cox_agrees"]] = [3.5, False]
    check = check_agreement(compared)
    assert check.passed is False
    assert "1 of 2 ratios" in str(check.text)
    assert "differ most for “gender: women”: " in str(check.text) and "3.50 by Cox" in str(
        check.text
    )


def test_nothing_to_compare_says_so(models):
    hazard, cox, aft = models
    counts = histories(later=2.0).assign(churned=False)
    no_cox, no_aft = fit_cox(counts, ["gender"]), fit_aft(counts, ["gender"])
    no_hazard = fit_hazard(counts.assign(tenure_band="0", events=0), ["gender"])
    compared = compare_models(hazard, no_cox, no_aft)
    assert len(compared) == 2 and compared["cox_ratio"].isna().all()
    assert check_agreement(compared).passed is None
    empty = compare_models(no_hazard, cox, aft)
    assert empty.empty and list(empty) == list(compared)
    assert check_agreement(empty).passed is None
    without = check_agreement(compare_models(hazard, cox, no_aft))
    assert without.passed is True and "lengths" not in str(without.text)


def test_tables_in_the_readers_words(models):
    hazard, cox, aft = models
    compared = in_words(compare_models(hazard, cox, aft))
    assert [str(x) for x in compared.iloc[0][["term", "level", "reference"]]] == [
        "gender",
        "women",
        "men",
    ]
    assert [str(name) for name in in_words(aft.fits)["distribution"]] == ["Weibull"]
    medians = in_words(aft.medians)
    assert medians["term"].iloc[0] == "" and str(medians["level"].iloc[1]) == "women"
    for table in (cox.table, aft.medians, aft.fits):
        assert list(in_words(table.iloc[:0])) == list(table)
