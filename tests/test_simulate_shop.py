"""The demo shop is what it claims to be: judged by plain numpy, pandas and statsmodels.

What the ledger says of its dirt is in test_demo_shop, where the notebooks run.
"""

from __future__ import annotations

import gzip
import json
import shutil
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import ROOT
from scipy import stats

from customerlab import cli
from customerlab.errors import CustomerlabError
from customerlab.params import load_params
from customerlab.simulate import simulate_shop

#: Of the checks that follow chance, one in a thousand runs may fail by itself; the seed is fixed.
LEVEL = 0.001
FACTORS = ["price", "word_of_mouth", "reviews", "delivery", "service"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One shop of 6,000 customers, made once; its folder holds raw and truth."""
    folder = tmp_path_factory.mktemp("demo_shop")
    simulate_shop(folder / "raw", seed=7)
    return folder


@pytest.fixture(scope="module")
def null_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a shop in which nothing drives repurchase."""
    folder = tmp_path_factory.mktemp("null_shop")
    simulate_shop(folder / "raw", seed=8, null_outcome=True)
    return folder


@pytest.fixture(scope="module")
def planted(shop: Path) -> dict:
    """Give what is planted behind the answers."""
    return json.loads((shop / "truth" / "factors.json").read_text(encoding="utf-8"))


def members(shop: Path) -> pd.DataFrame:
    return pd.read_parquet(shop / "truth" / "customers.parquet").set_index("customer_id")


def items(planted: dict) -> list[str]:
    return [item for of_factor in planted["loadings"].values() for item in of_factor]


def answered(shop: Path) -> pd.DataFrame:
    """Read the survey in the plainest way: on the scale or missing, no repeats, nobody bored."""
    raw = pd.read_csv(shop / "raw" / "survey.csv", encoding="gb18030", dtype=str)
    raw = raw.drop_duplicates().set_index("会员号")
    names = load_params(ROOT / "params" / "demo_shop.yaml").sources["survey"].columns
    raw = raw.rename(columns={column.source: name for name, column in names.items()})
    honest = members(shop)["survey"][raw.index] == "answered"
    wide = raw.loc[honest.to_numpy(), raw.columns[3:-1]].apply(
        lambda column: pd.to_numeric(column.str.normalize("NFKC"))
    )
    raw = raw.loc[wide.index, ["asked_on", "promotion", "read_reviews"]]
    return raw.join(wide.where(wide <= 5))


@pytest.fixture(scope="module")
def survey(shop: Path) -> pd.DataFrame:
    """Give the honest respondents with their true factors."""
    return answered(shop).join(members(shop)[FACTORS])


@pytest.fixture(scope="module")
def orders(shop: Path) -> pd.DataFrame:
    """Give one row per real order with its day, from the raw lines."""
    lines = pd.read_csv(shop / "raw" / "order_lines.csv", sep=";", dtype=str)
    lines = lines[lines["line_no"].str.startswith("L")].drop_duplicates("line_no")
    lines["day"] = pd.to_datetime(lines["ordered_at"]).dt.normalize()
    orders = lines.groupby("order_no").agg(
        member=("member", "first"), day=("day", "first"), lines=("line_no", "size")
    )
    return orders.sort_values(["member", "day"])


# files ------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Twice the same, also over the files of a larger shop; another seed differs."""
    simulate_shop(tmp_path / "a" / "raw", customers=600, seed=3)
    simulate_shop(tmp_path / "b" / "raw", customers=900, seed=4)
    other = contents(tmp_path / "b")
    simulate_shop(tmp_path / "b" / "raw", customers=600, seed=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert other["raw/survey.csv"] != contents(tmp_path / "b")["raw/survey.csv"]


def test_too_small_a_shop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CustomerlabError, match="500 customers"):
        simulate_shop(tmp_path / "raw", customers=499)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "Snakefile", tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "somewhere" / "raw"
    given = ["simulate", "shop", "--folder", str(folder)]
    assert cli.main([*given, "--customers", "500"]) == 0
    assert (folder / "survey.csv").is_file()
    assert (folder.parent / "truth" / "factors.json").is_file()
    assert cli.main([*given, "--accounts", "500"]) == 2
    assert "a shop has no accounts" in capsys.readouterr().err


def test_amounts_are_quantity_times_price_less_discount(shop: Path) -> None:
    """Oracle: arithmetic in whole fen; the spoilt and additional lines apart."""
    lines = pd.read_csv(shop / "raw" / "order_lines.csv", sep=";", dtype=str)
    lines = lines[lines["line_no"].str.startswith("L")]
    fen = {
        name: lines[name].str.replace(r"[,.]", "", regex=True).astype(int)
        for name in ("price", "off", "paid")
    }
    assert (fen["paid"] == lines["qty"].astype(int) * fen["price"] - fen["off"]).all()
    assert (fen["paid"] > 0).all() and (fen["off"] > 0).mean() > 0.2
    sold = pd.read_csv(shop / "raw" / "products.csv", dtype=str).set_index("sku")
    assert (lines["sku"].map(sold["price"]) == lines["price"]).all()


# dirt -------------------------------------------------------------------------------------------


def test_dirt_is_there_in_the_numbers_recorded(shop: Path, planted: dict) -> None:
    """Count every kind of dirt in the raw files with plain text tools."""
    raw = shop / "raw"
    read = {"dtype": str, "keep_default_na": False}
    customers = pd.read_csv(raw / "members.csv", encoding="utf-8-sig", **read)
    lines = pd.read_csv(raw / "order_lines.csv", sep=";", **read)
    survey = pd.read_csv(raw / "survey.csv", encoding="gb18030", **read)
    ratings = pd.read_csv(raw / "ratings.tsv", sep="\t", **read)
    contacts = gzip.decompress((raw / "service_desk.csv.gz").read_bytes()).decode()
    number, paid = customers["member"], lines["paid"]
    asked, questions = survey.iloc[:, 4:19], ratings.iloc[:, 3:18]
    assert asked.shape[1] == questions.shape[1] == len(items(planted))
    full_width = r"[\uff10-\uff5a]"

    def spoilt(answers: pd.DataFrame) -> dict[str, int]:
        return {
            "missing_answer": (answers == "").to_numpy().sum(),
            "off_scale": answers.isin(["9", "99"]).to_numpy().sum(),
            "full_width": answers.isin(list("１２３４５")).to_numpy().sum(),
        }

    bored = members(shop)["survey"].eq("straight_lined")
    found = {
        "customers": {
            "blanks_around": number.str.contains(" ").sum(),
            "full_width": number.str.contains(full_width).sum(),
            "gender_words": (~customers["sex"].isin(["F", "M"])).sum(),
            "repeated_exact": customers.duplicated().sum(),
            "missing_customer_id": (number == "").sum(),
            "joined_after_snapshot": (customers["first_order"] > "2025-12-31").sum(),
        },
        "transactions": {
            "thousands_separator": paid.str.fullmatch(r"\d{1,3}(?:,\d{3})+\.\d\d").sum(),
            "unparsable": (paid == "1,2,3").sum(),
            "missing_amount": (paid == "").sum(),
            "impossible_time": lines["ordered_at"].str.startswith("2025-02-30").sum(),
            "unknown_customer": (lines["member"] == "M9999998").sum(),
            "after_snapshot": (lines["ordered_at"] > "2026").sum(),
            "repeated_exact": lines.duplicated().sum(),
            "test_order": (lines["shop"] == "test").sum(),
        },
        "survey": {
            **spoilt(asked),
            "straight_lined": survey["会员号"].isin(bored.index[bored]).sum(),
            "repeated_exact": survey.duplicated().sum(),
        },
        "ratings": {
            **spoilt(questions),
            "other_language": (~ratings["comment"].map(str.isascii)).sum(),
            "missing_customer_id": (ratings["member"] == "").sum(),
        },
        "interactions": {"unknown_customer": contacts.count("\nM9999998,")},
        "assignments": {"repeated_exact": pd.read_csv(raw / "mailing_lots.csv").duplicated().sum()},
    }
    recorded = pd.read_csv(shop / "truth" / "dirt.csv")
    assert {(table, kind) for table in found for kind in found[table]} == set(
        zip(recorded["table"], recorded["kind"], strict=True)
    )
    for row in recorded.itertuples():
        assert found[row.table][row.kind] == row.rows > 0, (row.table, row.kind)
    alike = asked[survey["会员号"].isin(bored.index[bored])]
    assert alike.eq(alike.iloc[:, 0], axis=0).all(axis=None)


# factors behind the answers ---------------------------------------------------------------------


def within(estimate: np.ndarray, truth: np.ndarray, error: np.ndarray | float, of: int) -> bool:
    """Say whether all of some estimates lie so near that only chance `LEVEL` lies further off."""
    return bool((np.abs(estimate - truth) <= stats.norm.isf(LEVEL / 2 / of) * error).all())


def test_factors_correlate_as_planted(shop: Path, planted: dict) -> None:
    """Standard normal each, with the planted correlations: of all customers, by Fisher's z."""
    factors = members(shop)[FACTORS]
    truth = pd.DataFrame(planted["correlations"]).loc[FACTORS, FACTORS].to_numpy()
    above = np.triu_indices(5, 1)
    found = np.corrcoef(factors.to_numpy().T)[above]
    size = len(factors)
    assert within(np.arctanh(found), np.arctanh(truth[above]), (size - 3) ** -0.5, of=10)
    assert within(factors.mean().to_numpy(), 0, size**-0.5, of=5)
    assert within(factors.var().to_numpy(), 1, (2 / size) ** 0.5, of=5)


def test_answers_load_on_their_factors_as_planted(survey: pd.DataFrame, planted: dict) -> None:
    """A cut answer correlates with its factor by loading times sum of phi(cut) over its spread.

    And with no other factor, once its own is taken out. A correlation's standard error is at
    most one over the root of n; the cuts' share is divided out.
    """
    rows = []
    for factor, loadings in planted["loadings"].items():
        for item, loading in loadings.items():
            known = survey[[item, *FACTORS]].dropna()
            cut = np.array(planted["cuts"][item])
            chances = -np.diff(np.r_[1, stats.norm.sf(cut), 0])
            spread = np.sqrt(chances @ np.arange(5) ** 2 - (chances @ np.arange(5)) ** 2)
            lost = stats.norm.pdf(cut).sum() / spread
            found = np.corrcoef(known[item], known[factor])[0, 1] / lost
            assert within(found, loading, len(known) ** -0.5 / lost, of=15), item
            own = np.polynomial.Polynomial.fit(known[factor], known[item], 1)
            rest = known[item] - own(known[factor])
            others = known[FACTORS].drop(columns=factor)
            others = others - np.outer(
                known[factor], others.T @ known[factor] / (known[factor] @ known[factor])
            )
            with_others = [np.corrcoef(rest, others[other])[0, 1] for other in others]
            assert within(np.array(with_others), 0, len(known) ** -0.5, of=60), item
            rows.append(found)
    assert len(rows) == 15


def expected(shop: Path) -> pd.DataFrame:
    return pd.read_csv(shop / "truth" / "correlations.csv", index_col=0)


def test_answers_correlate_as_planted(
    shop: Path, survey: pd.DataFrame, planted: dict, null_shop: Path
) -> None:
    """By Fisher's z, all pairs; answers of five classes have thinner tails than normal ones."""
    for folder, answers in ((shop, survey), (null_shop, answered(null_shop))):
        truth = expected(folder)
        found = answers[[*items(planted), "bought_again"]].corr()
        assert list(truth.columns) == list(found.columns)
        above = np.triu_indices(16, 1)
        z, wanted = np.arctanh(found.to_numpy()[above]), np.arctanh(truth.to_numpy()[above])
        known = answers[items(planted)].notna().all(axis=1).sum()
        assert within(z, wanted, (known - 3) ** -0.5, of=len(z))


def drawn(planted: dict, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw answers and chances of repurchase from what the truth file says, plainly."""
    truth = pd.DataFrame(planted["correlations"]).loc[FACTORS, FACTORS]
    factors = rng.multivariate_normal(np.zeros(5), truth, size)
    answers = []
    for place, loadings in enumerate(planted["loadings"].values()):
        for item, loading in loadings.items():
            own = rng.normal(size=size) * np.sqrt(1 - loading**2)
            latent = loading * factors[:, place] + own
            answers.append(1 + np.digitize(latent, planted["cuts"][item]))
    return factors, np.column_stack(answers)


def chance(planted: dict, factors: np.ndarray, promotion: np.ndarray) -> np.ndarray:
    weights = np.array([planted["log_odds_per_standard_deviation"][name] for name in FACTORS])
    pull = planted["intercept"] + factors @ weights + planted["log_odds_of_promotion"] * promotion
    return 1 / (1 + np.exp(-pull))


def test_what_is_expected_is_what_a_very_large_draw_shows(shop: Path, planted: dict) -> None:
    """Correlations, shares over all 120 orders of the factors, and changes, by 400,000 draws."""
    rng, size = np.random.default_rng(1), 400_000
    factors, answers = drawn(planted, rng, size)
    promotion = rng.random(size) < 0.3
    again = chance(planted, factors, promotion)
    bought = rng.random(size) < again
    found = np.corrcoef(np.column_stack([answers, bought]).T)
    above = np.triu_indices(16, 1)
    wanted = expected(shop).to_numpy()[above]
    assert within(np.arctanh(found[above]), np.arctanh(wanted), size**-0.5, of=len(wanted))
    assert again.mean() == pytest.approx(planted["repurchase"], abs=0.002)
    # the chance itself as outcome: the same covariances, and less noise
    whole = np.corrcoef(np.column_stack([factors, again]).T)

    def explained(chosen: tuple[int, ...]) -> float:
        at, y = list(chosen), whole[list(chosen), 5]
        return y @ np.linalg.inv(whole[np.ix_(at, at)]) @ y if at else 0.0

    parts = np.zeros(5)
    for order in permutations(range(5)):
        for place, one in enumerate(order):
            parts[one] += explained(order[: place + 1]) - explained(order[:place])
    shares = planted["shares_of_explained_variation"]
    assert list(shares) == FACTORS
    # a share of at most one half, of some 400,000 draws: its error is below 0.001
    np.testing.assert_allclose(parts / parts.sum(), list(shares.values()), atol=0.004)
    for place, name in enumerate(FACTORS):
        half = np.eye(5)[place] / 2
        ends = (chance(planted, factors + side * half, promotion).mean() for side in (1, -1))
        change = next(ends) - next(ends)
        assert change == pytest.approx(planted["change_per_standard_deviation"][name], abs=5e-4)


# repurchase -------------------------------------------------------------------------------------


def test_the_outcome_is_an_order_within_90_days(
    shop: Path, survey: pd.DataFrame, orders: pd.DataFrame
) -> None:
    """Oracle: plain pandas on the order lines; the survey came after the very first order."""
    first = orders.groupby("member")["day"].first()
    second = orders.groupby("member")["day"].nth(1)
    second.index = orders.loc[second.index, "member"]
    days = (second.reindex(survey.index) - first[survey.index]).dt.days
    assert ((days <= 90) == (survey["bought_again"] == 1)).all()
    assert (first[survey.index] == members(shop)["joined_on"][survey.index]).all()
    assert (first[survey.index] <= pd.Timestamp("2025-12-31") - pd.Timedelta(days=90)).all()
    assert (pd.to_datetime(survey["asked_on"]) > first[survey.index]).all()


def logit(rows: pd.DataFrame, outcome: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    design = sm.add_constant(rows.astype(float))
    fit = sm.Logit(outcome.astype(float), design).fit(disp=False)
    return fit.conf_int(alpha=LEVEL / len(fit.params)), fit.params


def test_weights_are_recovered_by_a_logit_on_the_true_factors(
    survey: pd.DataFrame, planted: dict
) -> None:
    """Oracle: statsmodels; all inside 99.9 %. Reading reviews adds nothing by itself."""
    rows = survey[FACTORS].assign(
        promotion=survey["promotion"] == "是", reads=survey["read_reviews"] == "是"
    )
    interval, found = logit(rows, survey["bought_again"])
    truth = pd.Series(
        {
            "const": planted["intercept"],
            **planted["log_odds_per_standard_deviation"],
            "promotion": planted["log_odds_of_promotion"],
            "reads": planted["log_odds_of_reading_reviews"],
        }
    )[found.index]
    assert ((interval[0] <= truth) & (truth <= interval[1])).all(), interval.assign(truth=truth)
    # narrow enough to mean something
    assert interval.loc["delivery", 0] > interval.loc["reviews", 1]
    # who reads the reviews likes them more
    likes = survey["reviews"].groupby(rows["reads"]).mean()
    assert likes[True] - likes[False] > 0.4


def test_every_later_order_follows_the_same_weights(
    shop: Path, planted: dict, orders: pd.DataFrame
) -> None:
    """Each order with 90 days after it, not the first ones only, as if they were independent.

    They are given the factors; a coupon ends only waits of more than 90 days.
    """
    following = orders.groupby("member")["day"].shift(-1)
    known = orders["day"] <= pd.Timestamp("2025-12-31") - pd.Timedelta(days=90)
    lines = pd.read_csv(shop / "raw" / "order_lines.csv", sep=";", dtype=str)
    off = lines.groupby("order_no")["off"].max().ne("0.00")
    rows = members(shop).loc[orders["member"], FACTORS].set_index(orders.index)
    rows = rows.assign(promotion=off[orders.index])[known]
    interval, found = logit(rows, ((following - orders["day"]).dt.days <= 90)[known])
    weights = planted["log_odds_per_standard_deviation"]
    promotion = planted["log_odds_of_promotion"]
    truth = pd.Series({"const": planted["intercept"], **weights, "promotion": promotion})
    truth = truth[found.index]
    assert len(rows) > 3 * len(members(shop))
    assert ((interval[0] <= truth) & (truth <= interval[1])).all(), interval.assign(truth=truth)


def test_nothing_drives_repurchase_where_nothing_is_planted(null_shop: Path) -> None:
    """Likelihood ratio of all factors together; the truth says the same."""
    survey = answered(null_shop).join(members(null_shop)[FACTORS])
    design = sm.add_constant(survey[FACTORS].assign(promotion=survey["promotion"] == "是") * 1.0)
    fit = sm.Logit(survey["bought_again"], design).fit(disp=False)
    assert fit.llr_pvalue > LEVEL
    truth = json.loads((null_shop / "truth" / "factors.json").read_text())
    assert set(truth["log_odds_per_standard_deviation"].values()) == {0.0}
    assert truth["shares_of_explained_variation"] is None
    assert (expected(null_shop)["bought_again"].drop("bought_again") == 0).all()
    assert np.ptp(members(null_shop)["chance_again"]) == 0


# campaigns --------------------------------------------------------------------------------------


def test_campaigns_do_what_is_planted(shop: Path, orders: pd.DataFrame) -> None:
    """The coupon brings back whom it should; the bundle makes baskets fuller; lots are fair."""
    lots = pd.read_csv(shop / "raw" / "mailing_lots.csv").drop_duplicates()
    plans = json.loads((shop / "truth" / "campaigns.json").read_text())
    for name, plan in plans.items():
        arms = lots[lots["mailing"] == name]["lot"].value_counts()
        assert stats.binomtest(int(arms["control"]), int(arms.sum()), 0.5).pvalue > LEVEL
        assert set(arms.index) == set(plan["arms"])
    truth = pd.read_parquet(shop / "truth" / "responses.parquet").set_index("customer_id")
    assert (lots[lots["mailing"] == "S1"].set_index("member")["lot"] == truth["arm"]).all()
    start = pd.Timestamp(plans["S1"]["starts_on"])
    before = orders[orders["day"].between(start - pd.Timedelta(days=90), start, inclusive="left")]
    assert not truth.index.isin(before["member"]).any()
    soon = orders[orders["day"].between(start, start + pd.Timedelta(days=27))]
    assert (truth.index.isin(soon["member"]) == truth["ordered"]).all()
    coupon = truth[truth["arm"] == "coupon"]
    for value, group in coupon[~coupon["returns_anyway"]].groupby("chance_coupon"):
        assert stats.binomtest(int(group["ordered"].sum()), len(group), value).pvalue > LEVEL
    assert (truth["ordered"] == truth["returns_anyway"])[truth["arm"] == "control"].all()
    start = pd.Timestamp(plans["S2"]["starts_on"])
    while_on = orders[orders["day"].between(start, start + pd.Timedelta(days=59))]
    for name, larger in (("S2", True), ("S3", False)):
        lot = lots[lots["mailing"] == name].set_index("member")["lot"]
        size = while_on["lines"].groupby(while_on["member"].map(lot))
        arm = next(one for one in plans[name]["arms"] if one != "control")
        test = stats.ttest_ind(size.get_group(arm), size.get_group("control"))
        assert (test.pvalue < LEVEL and test.statistic > 0) == larger, name
