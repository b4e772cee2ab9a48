"""Segments against R's integration, statsmodels, hand calculation, and planted truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from customerlab.errors import CustomerlabError
from customerlab.messages import ENGLISH
from customerlab.privacy import HIDDEN
from customerlab.uplift.segments import COLUMNS, compare_segments, draw_together, segments_to_show
from customerlab.uplift.sums import ArmSums

ORACLE = Path(__file__).parent / "oracles" / "segments.csv"
#: The first is Rubin's (1981) eight schools.
CASES = {
    "schools": ([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]),
    "apart": ([0.02, 0.05, 0.11, 0.03], [0.008, 0.01, 0.012, 0.02]),
    "three": ([1.0, 3.0, 2.2], [0.7, 0.9, 0.4]),
}


def arm(n: float, mean: float, variance: float | None = None) -> ArmSums:
    """Return sums of one outcome; of a 0/1 one without a variance."""
    if variance is None:
        variance = mean * (1 - mean) * n / (n - 1) if n > 1 else np.nan
    return ArmSums(("visit",), float(n), np.array([mean]), np.array([[variance]]))


def compared(sizes: dict[str, tuple], **changed):
    """Compare segments of (customers an arm, mean without, mean with)."""
    segments = {
        name: {"none": arm(n, base), "mail": arm(n, mean)}
        for name, (n, base, mean) in sizes.items()
    }
    asked = {"arm": "mail", "control": "none", "outcome": "visit", "by": "region"} | changed
    return compare_segments(segments, **asked)


@pytest.mark.parametrize("case", CASES)
def test_drawn_effects_are_those_of_rs_integration(case):
    told = pd.read_csv(ORACLE).set_index("name")["value"]
    effect, error = (np.array(x, dtype=float) for x in CASES[case])
    drawn = draw_together(effect, error**2)
    for j, row in enumerate(drawn, start=1):
        expected = [told[f"{case}.{j}.{what}"] for what in ("mean", "low", "high")]
        assert row == pytest.approx(expected, abs=1e-6 * error.max())


def test_eight_schools_are_those_of_the_book():
    """Gelman and others, Bayesian Data Analysis, 3rd ed., table 5.3: quantiles of 200 draws."""
    ends = [(-2, 31), (-5, 23), (-11, 19), (-7, 21), (-9, 18), (-7, 28), (-1, 26), (-6, 33)]
    effect, error = (np.array(x, dtype=float) for x in CASES["schools"])
    off = np.abs(draw_together(effect, error**2)[:, 1:] - np.array(ends))
    # 200 draws know an end to some 3 points, of the widest 5; most are nearer
    assert np.median(off) < 1
    assert off.max() < 10


def test_homogeneity_is_statsmodels_and_rs():
    told = pd.read_csv(ORACLE).set_index("name")["value"]
    for case, (effect, error) in CASES.items():
        # 1,001 customers an arm, each with half of the variance
        found = compare_segments(
            {
                str(j): {
                    "none": arm(1001, 0, s**2 / 2 * 1001),
                    "mail": arm(1001, y, s**2 / 2 * 1001),
                }
                for j, (y, s) in enumerate(zip(effect, error, strict=True))
            },
            **{"arm": "mail", "control": "none", "outcome": "visit"},
        )
        assert found.statistic == pytest.approx(told[f"{case}.q"], rel=1e-9)
        assert found.p == pytest.approx(told[f"{case}.p"], rel=1e-9)
        other = combine_effects(np.array(effect), np.array(error, dtype=float) ** 2)
        assert found.statistic == pytest.approx(other.q, rel=1e-9)
        assert found.mean == pytest.approx(other.mean_effect_fe, rel=1e-9)
        half = stats.norm.ppf(0.975) * other.sd_eff_w_fe
        assert found.mean_high - found.mean == pytest.approx(half, rel=1e-9)
        assert found.df == len(effect) - 1


@pytest.mark.parametrize("spread", [0.0, 0.04, 0.15])
def test_intervals_hold_the_planted_truth_and_shares_are_nearer_to_it(spread):
    """Coverage of one segment a seed, so that seeds are independent; errors are about 0.04."""
    seeds, held, off, drawn_off, differ = 90, 0, 0.0, 0.0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        size = rng.integers(120, 500, 5)
        true = np.clip(0.1 + spread * rng.normal(size=5), -0.35, 0.5)
        effect = rng.binomial(size, 0.4 + true) / size - rng.binomial(size, 0.4) / size
        shares = effect + 0.4
        variance = (shares * (1 - shares) + 0.24) / size
        variance = np.maximum(variance, 0.1 / size)
        got = draw_together(effect, variance)
        held += got[0, 1] <= true[0] <= got[0, 2]
        off += ((effect - true) ** 2).sum()
        drawn_off += ((got[:, 0] - true) ** 2).sum()
        weight = 1 / variance
        q = weight @ (effect - weight @ effect / weight.sum()) ** 2
        differ += stats.chi2.sf(q, 4) < 0.05
    # no fewer than 95 %; more where segments hardly differ
    assert held >= stats.binom.ppf(0.001 / 3, seeds, 0.95)
    assert drawn_off < off * (0.5 if spread == 0 else 0.8 if spread < 0.1 else 1.02)
    if spread == 0:
        assert stats.binomtest(int(differ), seeds, 0.05, alternative="greater").pvalue > 0.001


def test_segments_that_differ_are_named_and_those_that_do_not_are_not():
    found = compared(
        {"north": (4000, 0.1, 0.2), "south": (4000, 0.1, 0.1), "west": (4000, 0.1, 0.11)}
    )
    assert found.differ
    assert found.status == "supported"
    assert "highest in north" in ENGLISH(found.text)
    assert "lowest in south" in ENGLISH(found.text)
    top = found.table.iloc[0]
    assert 0.05 < top["shrunk"] < top["effect"] == pytest.approx(0.1)
    assert list(found.table.columns) == COLUMNS
    alike = compared(
        {"north": (900, 0.1, 0.15), "south": (900, 0.1, 0.16), "west": (900, 0.1, 0.14)}
    )
    assert not alike.differ
    assert "It is not sure that the effect on visit differs by region" in ENGLISH(alike.text)


def test_of_two_segments_each_keeps_its_own_effect():
    table = compared({"north": (900, 0.2, 0.3), "south": (900, 0.2, 0.25)}).table
    own, drawn = (table[names].to_numpy() for names in (COLUMNS[5:8], COLUMNS[8:11]))
    assert drawn == pytest.approx(own)


def test_a_segment_of_few_draws_none_and_is_hidden():
    sizes = {"north": (900, 0.2, 0.3), "south": (900, 0.2, 0.25), "west": (900, 0.2, 0.22)}
    whole, found = compared(sizes), compared(sizes | {"east": (20, 0.1, 0.5), "sea": (5, 0.2, 0.4)})
    columns = COLUMNS[8:11]
    assert found.table.loc[:2, columns].equals(whole.table[columns])
    assert found.table.loc[3:, columns].isna().all(axis=None)
    assert (found.statistic, found.df) == (whole.statistic, 2)
    shown = segments_to_show(found, 10)
    assert shown.loc[4, "n"] == "<10"
    assert shown.loc[0, "n"] == 900
    for row in (3, 4):
        assert (shown.loc[row, ["effect", "low", "high"]] == HIDDEN).all()
    assert shown.loc[0, "effect"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"all": (900, 0.2, 0.3)},
        {"a": (1, 0.0, 1.0), "b": (0, np.nan, np.nan)},
        {"a": (20, 0.1, 0.2), "b": (20, 0.1, 0.2)},
        {"a": (900, 0.0, 0.0), "b": (900, 0.0, 0.0)},
    ],
)
def test_too_little_gives_words_and_a_table(sizes):
    found = compared(sizes)
    assert found.status == "not_enough_data"
    assert "Not enough data" in ENGLISH(found.text)
    assert list(found.table.columns) == COLUMNS
    assert len(segments_to_show(found, 10)) == len(sizes)
    assert not found.differ


def test_a_segment_without_the_arm_and_a_wrong_outcome():
    both = {"none": arm(900, 0.2), "mail": arm(900, 0.3)}
    segments = {"a": both, "b": both, "c": {"none": arm(900, 0.2)}}
    found = compare_segments(segments, arm="mail", control="none", outcome="visit")
    assert found.table["status"].tolist() == ["supported", "supported", "not_enough_data"]
    assert found.table["n"].tolist() == [900, 900, 0]
    with pytest.raises(CustomerlabError, match="visit"):
        compare_segments(segments, arm="mail", control="none", outcome="visits")
