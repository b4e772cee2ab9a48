"""The demo bank is what it claims to be: judged by plain pandas and statsmodels on its files."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from customerlab.errors import CustomerlabError
from customerlab.simulate import planted, simulate_bank, true_hazard
from customerlab.value.wallet import estimate_wallets, score_wallets
from customerlab.value.wallet_groups import judge_wallets

SIZE = 10_000
SNAPSHOT = pd.Timestamp("2025-12-31")
IDLE_DAYS = 90
#: Of the checks that follow chance, one in a thousand runs may fail by itself; the seed is fixed.
LEVEL = 0.001


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bank of 12,000 customers, made once; its folder holds raw and truth."""
    folder = tmp_path_factory.mktemp("demo_bank")
    simulate_bank(folder / "raw", customers=SIZE, seed=7)
    return folder


@pytest.fixture(scope="module")
def truth(bank: Path) -> pd.DataFrame:
    """Give what is true of each customer."""
    frame = pd.read_parquet(bank / "truth" / "customers.parquet").set_index("customer_id")
    for name in frame.columns[frame.columns.str.endswith(("_month", "_on"))]:
        frame[name] = pd.to_datetime(frame[name])
    return frame


@pytest.fixture(scope="module")
def raw_transactions(bank: Path) -> pd.DataFrame:
    """Read the transactions as the bank sent them: text."""
    return pd.read_parquet(sorted((bank / "raw").glob("tx_*.parquet")))


@pytest.fixture(scope="module")
def transactions(raw_transactions: pd.DataFrame) -> pd.DataFrame:
    """Clean the transactions in the plainest way: by what the simulator says it planted."""
    frame = raw_transactions.copy()
    frame["amount"] = plain_amount(frame["amount"]).replace(np.inf, np.nan)
    frame["occurred_at"] = pd.to_datetime(
        frame["occurred_at"], format="%Y-%m-%d %H:%M:%S", errors="coerce"
    )
    good = frame["amount"].notna() & (frame["occurred_at"] < SNAPSHOT + pd.Timedelta(days=1))
    good &= frame["customer_id"] < "C9"
    good &= frame["channel"] != "test"
    frame = frame[good].drop_duplicates("transaction_id")
    frame["month"] = frame["occurred_at"].dt.to_period("M")
    return frame


@pytest.fixture(scope="module")
def customers(bank: Path) -> pd.DataFrame:
    """Read the customers file; only rows with a plain number that no dirt has touched."""
    frame = pd.read_csv(bank / "raw" / "customers.csv", encoding="gb18030", dtype=str)
    frame = frame[frame["cust_no"].str.fullmatch(r"C0\d{7}", na=False)]
    return frame.drop_duplicates("cust_no").set_index("cust_no")


def plain_amount(column: pd.Series) -> pd.Series:
    """Read amounts with or without thousands separators; what is none becomes missing."""
    plain = column.str.replace(r"(?<=\d),(?=\d{3})", "", regex=True)
    return pd.to_numeric(plain, errors="coerce")


def own_movements(transactions: pd.DataFrame) -> pd.DataFrame:
    """Leave out what the bank books by itself."""
    return transactions[~transactions["kind"].isin(["interest", "fee"])]


# -- shape ---------------------------------------------------------------------------------------


def test_accounts_have_the_shape_of_the_users_bank(bank: Path) -> None:
    """71 % at most 100 yuan, 11 % up to 1,000; the tolerance is ours: the user's are rounded."""
    accounts = pd.read_csv(bank / "raw" / "accounts.csv", encoding="utf-8-sig")
    balance = accounts["balance"]
    assert (balance <= 100).mean() == pytest.approx(0.71, abs=0.02)
    assert ((balance > 100) & (balance <= 1000)).mean() == pytest.approx(0.11, abs=0.02)
    assert len(accounts) / SIZE == pytest.approx(1.75, abs=0.03)


def test_most_customers_are_invalid_by_the_users_rule(truth: pd.DataFrame) -> None:
    """55 to 65 % meet the rule; the planted status differs from the rule, but not by much."""
    rule = (truth["assets"] <= 100) & (truth["idle_months"] >= 12)
    assert 0.55 <= rule.mean() <= 0.65
    assert truth.loc[rule, "planted_invalid"].mean() > 0.95
    assert rule[truth["planted_invalid"]].mean() > 0.98
    kinds = set(truth["exception"])
    assert kinds >= {"looks invalid", "low but active", "rich but idle", "came back"}


def test_leaving_is_neither_rare_nor_common(truth: pd.DataFrame) -> None:
    """The active book loses 1.5 to 2.5 % a month."""
    starts = truth["entry_month"].dropna()
    ends = truth.loc[starts.index, "exit_month"].fillna(SNAPSHOT)
    months = (ends.dt.year - starts.dt.year) * 12 + ends.dt.month - starts.dt.month + 1
    assert 0.015 <= truth["exit_month"].notna().sum() / months.sum() <= 0.025


def test_coming_back_rises_with_assets_and_falls_with_idleness() -> None:
    """The planted chance itself: monotone both ways, with a step at 100 yuan and 12 months."""
    assets = np.array([50.0, 101.0, 1_000.0, 50_000.0])
    assert (np.diff(planted.return_chance(assets, np.full(4, 14))) > 0).all()
    idle = np.array([4, 8, 11, 12, 24, 60])
    assert (np.diff(planted.return_chance(np.full(6, 50.0), idle)) < 0).all()
    low, idle_less, richer = planted.return_chance(
        np.array([100.0, 100.0, 101.0]), np.array([12, 11, 12])
    )
    assert idle_less > 5 * low
    assert richer > 5 * low


# -- files ---------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Twice the same, also over the files of a larger bank; another seed differs."""
    simulate_bank(tmp_path / "a" / "raw", customers=1_000, seed=3, piece=500, months=14)
    simulate_bank(tmp_path / "b" / "raw", customers=1_500, seed=4, piece=500, months=14)
    other = contents(tmp_path / "b")
    simulate_bank(tmp_path / "b" / "raw", customers=1_000, seed=3, piece=500, months=14)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert other["raw/customers.csv"] != contents(tmp_path / "b")["raw/customers.csv"]


def test_pieces_do_not_depend_on_the_size_of_the_bank(tmp_path: Path) -> None:
    """The first two pieces of three are the two pieces of a smaller bank."""
    simulate_bank(tmp_path / "two" / "raw", customers=1_000, piece=500, months=14)
    simulate_bank(tmp_path / "three" / "raw", customers=1_500, piece=500, months=14)
    two, three = contents(tmp_path / "two"), contents(tmp_path / "three")
    for name in ("tx_000", "tx_001", "balances_000", "balances_001"):
        assert two[f"raw/{name}.parquet"] == three[f"raw/{name}.parquet"]
    texts = ("customers.csv", "accounts.csv", "ratings.tsv", "assignments.csv", "contacts.csv")
    for name in texts:
        assert three[f"raw/{name}"].startswith(two[f"raw/{name}"])
    name = "raw/interactions.csv.gz"
    assert gzip.decompress(three[name]).startswith(gzip.decompress(two[name]))


def test_a_failed_run_publishes_nothing(tmp_path: Path) -> None:
    """What was there before stays, and no half file appears."""
    simulate_bank(tmp_path / "raw", customers=500)
    before = contents(tmp_path)

    def fail(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="piece 1 of 1"):
        simulate_bank(tmp_path / "raw", customers=600, report=fail)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"customers": 3}, "500 customers"),
        ({"accounts": 0}, "500 customers"),
        ({"months": 3}, "months must be 14"),
        ({"snapshot": date(2025, 12, 30)}, "last day of a month"),
    ],
)
def test_impossible_wishes_are_refused(tmp_path: Path, arguments: dict, words: str) -> None:
    """A clear message, and nothing written."""
    with pytest.raises(CustomerlabError, match=words):
        simulate_bank(tmp_path / "raw", **arguments)
    assert not list(tmp_path.iterdir())


def test_balances_are_the_sum_of_transactions(bank: Path, transactions: pd.DataFrame) -> None:
    """Oracle: bookkeeping. Each month end is the one before plus the month's transactions."""
    balances = pd.read_parquet(sorted((bank / "raw").glob("balances_*.parquet")))
    balances = balances[balances["account_id"] < "A9"]
    balances = balances.assign(cents=plain_amount(balances["balance"]).mul(100).round())
    balances = balances.sort_values(["account_id", "month"]).set_index(["account_id", "month"])
    change = balances["cents"] - balances.groupby(level="account_id")["cents"].shift()
    moved = transactions["amount"].mul(100).round()
    moved = moved.groupby(
        [transactions["account_id"], transactions["month"].dt.strftime("%Y-%m-01")]
    ).sum()
    moved = moved.reindex(change.index, fill_value=0)
    # Dirt made some balances unreadable, and a new account has no month before.
    known = change.notna()
    assert known.mean() > 0.9
    assert (change[known] == moved[known]).all()
    assert moved[known].ne(0).sum() > SIZE


# -- dirt ----------------------------------------------------------------------------------------


def test_dirt_is_there_in_the_numbers_recorded(bank: Path, raw_transactions: pd.DataFrame) -> None:
    """Count every kind of dirt in the raw files with plain text tools."""
    raw = bank / "raw"
    customers = pd.read_csv(
        raw / "customers.csv", encoding="gb18030", dtype=str, keep_default_na=False
    )
    accounts = pd.read_csv(raw / "accounts.csv", encoding="utf-8-sig", dtype=str)
    moves = raw_transactions
    ends = pd.read_parquet(sorted(raw.glob("balances_*.parquet")))
    ratings = pd.read_csv(raw / "ratings.tsv", sep="\t", dtype=str, keep_default_na=False)
    contacts = gzip.decompress((raw / "interactions.csv.gz").read_bytes()).decode()
    assignments = (raw / "assignments.csv").read_text().splitlines()
    items = [item for names in planted.RATING_FACTORS.values() for item in names]

    number, amount, key = customers["cust_no"], moves["amount"].fillna(""), moves["transaction_id"]
    exact, repeated = customers.duplicated(), number.duplicated() & (number != "")
    repeats = moves[key.duplicated(keep=False)]
    thousands = r"-?\d{1,3}(?:,\d{3})+\.\d\d"
    full_width = r"[\uff10-\uff5a]"
    found = {
        "customers": {
            "blanks_around": number.str.contains(" ").sum(),
            "full_width": number.str.contains(full_width).sum(),
            "gender_words": (~customers["sex"].isin(["F", "M"])).sum(),
            "birth_with_dashes": customers["birth"].str.contains("-").sum(),
            "repeated_exact": exact.sum(),
            "repeated_differs": (repeated & ~exact).sum(),
            "missing_customer_id": (number == "").sum(),
            "impossible_birth": (customers["birth"] == "20250230").sum(),
            "joined_after_snapshot": (customers["open_date"] > "2025-12-31").sum(),
        },
        "accounts": {"unknown_customer": (~accounts["cust_no"].isin(number.str.strip())).sum()},
        "balances": {
            "thousands_separator": ends["balance"].str.fullmatch(thousands).sum(),
            "unparsable": ends["balance"].isin(["n/a", "1,2,3"]).sum(),
            "unknown_account": (~ends["account_id"].isin(accounts["acct_no"])).sum(),
        },
        "transactions": {
            "thousands_separator": amount.str.fullmatch(thousands).sum(),
            "unparsable": (amount == "1,2,3").sum(),
            "not_a_number": (amount == "NaN").sum(),
            "infinity": (amount == "inf").sum(),
            "missing_amount": (amount == "").sum(),
            "impossible_time": moves["occurred_at"].str.startswith("2025-02-30").sum(),
            "unknown_customer": (moves["customer_id"] > "C9").sum(),
            "after_snapshot": (moves["occurred_at"] > "2026").sum(),
            "repeated_exact": repeats.duplicated().sum(),
            "repeated_differs": key.duplicated().sum() - repeats.duplicated().sum(),
            "test_booking": (moves["channel"] == "test").sum(),
        },
        "interactions": {
            "quoted_newline": contacts.count('\nno answer; ""urgent"""\n'),
            "quoted_delimiter": contacts.count('"asked; no reply"'),
            "unknown_customer": contacts.count("\nC99999999;"),
            "too_many_fields": contacts.count(";see file;page 2"),
            "blank_line": contacts.count("\n\n"),
        },
        "ratings": {
            "other_language": (~ratings["comment"].map(str.isascii)).sum(),
            "missing_answer": (ratings[items] == "").to_numpy().sum(),
            "full_width": ratings[items].isin(list("１２３４５")).to_numpy().sum(),
            "missing_customer_id": (ratings["customer_id"] == "").sum(),
        },
        "assignments": {"repeated_exact": len(assignments) - len(set(assignments))},
    }
    # Customers whose number was made full-width have accounts under the plain number.
    found["accounts"]["unknown_customer"] = (accounts["cust_no"] > "C9").sum()
    recorded = pd.read_csv(bank / "truth" / "dirt.csv")
    assert (recorded["rows"] > 0).all()
    assert {(table, kind) for table in found for kind in found[table]} == set(
        zip(recorded["table"], recorded["kind"], strict=True)
    )
    for row in recorded.itertuples():
        assert found[row.table][row.kind] == row.rows, (row.table, row.kind)


def test_names_and_telephone_numbers_are_there_to_be_guarded(customers: pd.DataFrame) -> None:
    """The privacy tests need canaries: every customer has a number of their own."""
    assert customers["cust_name"].str.len().min() == 3
    plain = customers["mobile"].str.fullmatch(r"13\d{9}")
    assert plain.mean() > 0.99
    assert customers.loc[plain, "mobile"].is_unique


# -- leaving -------------------------------------------------------------------------------------


def test_active_customers_move_every_month(truth: pd.DataFrame, transactions: pd.DataFrame) -> None:
    """From entry to exit no month without a movement; the never active have none at all."""
    months = own_movements(transactions).groupby("customer_id")["month"].unique()
    assert set(months.index) == set(truth.index[truth["entry_month"].notna()])
    for customer, seen in months.sample(500, random_state=1).items():
        row = truth.loc[customer]
        last = row["exit_month"] if pd.notna(row["exit_month"]) else SNAPSHOT
        assert set(pd.period_range(row["entry_month"], last, freq="M")) <= set(seen)


def test_the_idle_rule_finds_the_planted_exits(
    truth: pd.DataFrame, transactions: pd.DataFrame
) -> None:
    """Oracle: the plainest pandas. First gap of 90 days between movement days, or to the end."""
    moves = own_movements(transactions)
    days = moves.assign(day=moves["occurred_at"].dt.normalize())[["customer_id", "day"]]
    days = days.drop_duplicates().sort_values(["customer_id", "day"])
    following = days.groupby("customer_id")["day"].shift(-1).fillna(SNAPSHOT)
    gaps = days[(following - days["day"]).dt.days >= IDLE_DAYS]
    found = gaps.groupby("customer_id")["day"].first()
    recognisable = truth["exit_on"] <= SNAPSHOT - pd.Timedelta(days=IDLE_DAYS)
    expected = truth.loc[recognisable, "exit_on"]
    pd.testing.assert_series_equal(
        found.sort_index(), expected.sort_index(), check_names=False, check_dtype=False
    )
    months = expected.dt.to_period("M")
    assert (months == truth.loc[recognisable, "exit_month"].dt.to_period("M")).all()


@pytest.fixture(scope="module")
def person_months(
    bank: Path, truth: pd.DataFrame, transactions: pd.DataFrame, customers: pd.DataFrame
) -> pd.DataFrame:
    """One row per active customer and month with features by the plainest pandas from raw files.

    The window's first month is left out: its payroll feature would need the month before.
    """
    book = truth[truth["entry_month"].notna()]
    # Exact dates come from the files; a customer whose number was spoilt is left out.
    book = book.join(customers[["birth", "sex", "open_date"]], how="inner")
    entry = book["entry_month"].dt.to_period("M")
    exit_month = book["exit_month"].dt.to_period("M")
    rows = []
    for month in pd.period_range("2024-02", "2025-12", freq="M"):
        here = book[(entry <= month) & ~(exit_month < month)]
        rows.append(here.assign(month=month, left=exit_month[here.index] == month))
    frame = pd.concat(rows)
    frame.index.name = "customer_id"
    frame = frame.reset_index()
    start = frame["month"].dt.to_timestamp()
    birth = pd.to_datetime(frame["birth"].str.replace("-", ""), format="%Y%m%d")
    had_birthday = (birth.dt.month < start.dt.month) | (
        (birth.dt.month == start.dt.month) & (birth.dt.day == 1)
    )
    frame["age"] = start.dt.year - birth.dt.year - np.where(had_birthday, 0, 1)
    joined = pd.to_datetime(frame["open_date"])
    frame["tenure_months"] = (
        (start.dt.year - joined.dt.year) * 12 + start.dt.month - joined.dt.month
    )
    paid = transactions[transactions["kind"] == "payroll"].groupby("customer_id")["month"]
    months = set(paid.unique().explode().items())
    last_month = list(zip(frame["customer_id"], frame["month"] - 1, strict=True))
    running = np.array([key in months for key in last_month])
    first = frame["customer_id"].map(paid.min())
    earlier = np.array([pd.notna(a) and a < b for a, b in zip(first, frame["month"], strict=True)])
    frame["payroll"] = np.where(running, "running", np.where(earlier, "moved", "none"))

    contacts = pd.read_csv(
        bank / "raw" / "interactions.csv.gz", sep=";", usecols=range(6), on_bad_lines="skip"
    )
    open_cases = contacts[(contacts["topic"] == "complaint") & ~contacts["resolved"]]
    open_cases = open_cases[["customer_id"]].assign(
        case_month=pd.to_datetime(open_cases["occurred_at"]).dt.to_period("M")
    )
    pairs = frame[["customer_id", "month"]].merge(open_cases, on="customer_id")
    pairs = pairs[pairs["case_month"] < pairs["month"]]
    counts = pairs.groupby(["customer_id", "month"]).size().rename("unresolved")
    frame = frame.drop(columns="unresolved").join(counts, on=["customer_id", "month"])
    frame["unresolved"] = frame["unresolved"].fillna(0).astype(int)

    arms = pd.read_csv(bank / "raw" / "assignments.csv").drop_duplicates()
    called = arms[(arms["campaign_id"] == "K2") & (arms["arm"] == "call")]["customer_id"]
    in_time = frame["month"].between(pd.Period("2025-04"), pd.Period("2025-06"))
    frame["retention_call"] = frame["customer_id"].isin(called) & in_time
    return frame


def test_hazards_are_recovered_by_statsmodels(bank: Path, person_months: pd.DataFrame) -> None:
    """Oracle: statsmodels' complementary log-log GLM; all parameters inside 99.9 %.

    Months alike in every feature are counted first, which leaves the likelihood as it is.
    Bonferroni over the parameters, so that the whole test errs once in a thousand.
    """
    levels = planted.hazard_effects(person_months)
    left = person_months["left"].astype(int)
    counts = left.groupby([levels[name] for name in levels]).agg(["sum", "size"]).reset_index()
    outcome = np.column_stack([counts["sum"], counts["size"] - counts["sum"]])
    truth = json.loads((bank / "truth" / "hazard.json").read_text())
    design, expected = {}, {}
    for band, value in truth["baseline"].items():
        design[f"tenure {band}"] = counts["tenure"] == band
        expected[f"tenure {band}"] = value
    reference = {"age_band": "30-44", "region": "north"}
    for name, ratios in truth["log_ratios"].items():
        for level, value in ratios.items():
            if level != reference.get(name, next(iter(ratios))):
                design[f"{name} {level}"] = counts[name] == level
                expected[f"{name} {level}"] = value
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    fit = sm.GLM(outcome, pd.DataFrame(design).astype(float), family=family).fit()
    interval = fit.conf_int(alpha=LEVEL / len(expected))
    planted_values = pd.Series(expected)
    inside = (interval[0] <= planted_values) & (planted_values <= interval[1])
    assert inside.all(), interval.assign(truth=planted_values)[~inside]
    # The intervals are narrow enough to mean something: payroll moved is far from nothing.
    assert interval.loc["payroll moved", 0] > np.log(2)
    assert interval.loc["unresolved 2+", 0] > np.log(1.5)


def test_expected_leavers_agree_with_the_planted_hazards(person_months: pd.DataFrame) -> None:
    """The sum of true hazards, from features by plain pandas, against the exits that happened."""
    hazard = true_hazard(person_months)
    deviation = person_months["left"].sum() - hazard.sum()
    standard = np.sqrt((hazard * (1 - hazard)).sum())
    assert abs(deviation / standard) < stats.norm.isf(LEVEL / 2)


def test_the_outlook_holds_what_simulation_says(truth: pd.DataFrame, bank: Path) -> None:
    """At the snapshot: the chances rise with the horizon and start with the hazard itself."""
    outlook = pd.read_parquet(bank / "truth" / "hazards.parquet").set_index("customer_id")
    assert set(outlook.index) == set(truth.index[truth["active_at_snapshot"]])
    np.testing.assert_allclose(outlook["hazard"], outlook["leave_within_1"], rtol=1e-12)
    assert (outlook["leave_within_3"] > outlook["leave_within_1"]).all()
    assert (outlook["leave_within_5"] > outlook["leave_within_3"]).all()
    # In a book that is about stationary, three months take about three times one month.
    ratio = outlook["leave_within_3"].mean() / outlook["hazard"].mean()
    assert 2.6 < ratio < 3.1


def test_the_outlook_agrees_with_drawn_paths(bank: Path) -> None:
    """Oracle: 100,000 futures of one customer, drawn month by month from the planted processes."""
    outlook = pd.read_parquet(bank / "truth" / "hazards.parquet")
    # Neither age nor tenure crosses the border of a band within five months.
    settled = outlook["age"].between(31, 43) & (outlook["tenure_months"] > 60)
    customer = outlook[
        settled & (outlook["payroll"] == "running") & (outlook["unresolved"] == 1)
    ].iloc[[0]]
    hazard = {
        (state, count): true_hazard(customer.assign(payroll=state, unresolved=count))[0]
        for state in ("running", "moved")
        for count in (1, 2)
    }
    rng = np.random.default_rng(1)
    paths = 100_000
    here, moved, twice = np.ones(paths, bool), np.zeros(paths, bool), np.zeros(paths, bool)
    for month in range(1, 6):
        chance = np.where(
            moved,
            np.where(twice, hazard["moved", 2], hazard["moved", 1]),
            np.where(twice, hazard["running", 2], hazard["running", 1]),
        )
        here &= rng.random(paths) >= chance
        moved |= rng.random(paths) < planted.PAYROLL_STOP
        twice |= rng.random(paths) < planted.COMPLAINT_AGAIN
        if month in (3, 5):
            low, high = proportion_confint((~here).sum(), paths, alpha=LEVEL, method="beta")
            assert low <= customer[f"leave_within_{month}"].iloc[0] <= high


# -- campaigns and ratings -----------------------------------------------------------------------


def test_arms_are_drawn_by_lot(bank: Path, truth: pd.DataFrame) -> None:
    """Shares as declared (chi-square), and nobody assigned who was not active in that month."""
    arms = pd.read_csv(bank / "raw" / "assignments.csv").drop_duplicates()
    assert set(arms["campaign_id"]) == set(planted.CAMPAIGNS)
    for name, group in arms.groupby("campaign_id"):
        shares = pd.Series(planted.CAMPAIGNS[name]["arms"])
        counts = group["arm"].value_counts().reindex(shares.index)
        expected = shares / shares.sum() * len(group)
        assert stats.chisquare(counts, expected).pvalue > LEVEL
        assert group["customer_id"].is_unique
        people = truth.loc[group["customer_id"]]
        table = pd.crosstab(people["gender"].to_numpy(), group["arm"].to_numpy())
        assert stats.chi2_contingency(table).pvalue > LEVEL
        month = pd.to_datetime(group["assigned_at"]).dt.to_period("M").iloc[0].to_timestamp()
        assert (people["entry_month"] < month).all()
    assert (arms["propensity"] > 0).all()


def test_campaign_effects_are_as_planted(bank: Path, transactions: pd.DataFrame) -> None:
    """K1: buyers within 20 days by arm, counted in the raw files, against the true chances."""
    arms = pd.read_csv(bank / "raw" / "assignments.csv", parse_dates=["assigned_at"])
    arms = arms[arms["campaign_id"] == "K1"].drop_duplicates().set_index("customer_id")
    sales = transactions[transactions["product"] == "fund_plus"].join(
        arms["assigned_at"], on="customer_id", how="inner"
    )
    after = (sales["occurred_at"].dt.normalize() - sales["assigned_at"].dt.normalize()).dt.days
    buyers = sales.loc[after.between(1, 20), "customer_id"].unique()
    bought = pd.Series(arms.index.isin(buyers), index=arms.index)
    truth = pd.read_parquet(bank / "truth" / "responses.parquet").set_index("customer_id")
    # Unasked sales of the neighbouring months can fall into the window; they are few.
    assert (bought[truth.index] >= truth["bought"]).all()
    assert (bought[truth.index] == truth["bought"]).mean() > 0.98
    for name, group in truth.groupby("arm"):
        low, high = proportion_confint(
            group["bought"].sum(), len(group), alpha=LEVEL / 3, method="beta"
        )
        assert low <= group[f"chance_{name}"].mean() <= high
    assert truth["chance_call"].mean() > truth["chance_sms"].mean()
    assert bought[arms["arm"] == "call"].mean() > 1.5 * bought[arms["arm"] == "control"].mean()


def test_coupons_make_purchases_larger(bank: Path, transactions: pd.DataFrame) -> None:
    """K4: mean log amount of purchases in its months, by arm; clustered by customer."""
    arms = pd.read_csv(bank / "raw" / "assignments.csv").drop_duplicates()
    arms = arms[arms["campaign_id"] == "K4"].set_index("customer_id")["arm"]
    bought = transactions[
        (transactions["kind"] == "purchase")
        & transactions["product"].isna()
        & transactions["month"].between(pd.Period("2025-07"), pd.Period("2025-09"))
    ]
    size = np.log(-bought["amount"]).groupby(bought["customer_id"]).mean()
    arm = size.index.map(arms)
    result = stats.ttest_ind(size[arm == "coupon"], size[arm == "control"], equal_var=False)
    interval = result.confidence_interval(1 - LEVEL)
    assert interval.low <= np.log(planted.COUPON_FACTOR) <= interval.high
    assert result.pvalue < 0.05


def test_ratings_follow_the_planted_factors(bank: Path, truth: pd.DataFrame) -> None:
    """Items of one factor go together, and with that factor more than with another."""
    ratings = pd.read_csv(bank / "raw" / "ratings.tsv", sep="\t")
    ratings = ratings[ratings["customer_id"].isin(truth.index)]
    factors = truth.loc[ratings["customer_id"]]
    for factor, items in planted.RATING_FACTORS.items():
        for item in items:
            answer = pd.to_numeric(ratings[item], errors="coerce")
            good = answer.between(1, 5).to_numpy()
            links = {
                name: stats.spearmanr(answer[good], factors.loc[good, name]).statistic
                for name in planted.FACTOR_WEIGHTS
            }
            assert max(links, key=links.get) == factor
            assert links[factor] > 0.5


def test_payroll_money_leaves(transactions: pd.DataFrame, truth: pd.DataFrame) -> None:
    """The payroll book: those who move it to another bank have done so a week after pay day."""
    salaries = transactions[transactions["kind"] == "payroll"]
    outgoing = transactions[transactions["kind"].isin(["transfer_out", "withdrawal"])]
    pairs = salaries.merge(outgoing, on=["customer_id", "month"], suffixes=("", "_out"))
    days = (pairs["occurred_at_out"].dt.normalize() - pairs["occurred_at"].dt.normalize()).dt.days
    week = pairs[days.between(0, 7)]
    left = -week.groupby("customer_id")["amount_out"].sum()
    paid = salaries.groupby("customer_id")["amount"].sum()
    share = (left.reindex(paid.index).fillna(0) / paid).clip(0, 2)
    by_use = share.groupby(truth.loc[paid.index, "payroll_use"]).median()
    assert by_use["transfer"] > 0.5
    assert by_use["keep"] < 0.1


# -- contacts by staff ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contacts(bank: Path) -> pd.DataFrame:
    """Read staff's contacts as the bank sent them, and the truth of each."""
    frame = pd.read_csv(bank / "raw" / "contacts.csv", parse_dates=["contacted_at"])
    truth = pd.read_parquet(bank / "truth" / "contacts.parquet")
    for name in ("contacted_at", "product", "channel"):
        assert (frame[name] == truth[name]).all()
    assert (frame["cust_no"] == truth["customer_id"]).all()
    assert ((frame["result"] == "yes") == truth["responded"]).all()
    frame["month"] = frame["contacted_at"].dt.to_period("M")
    return frame.assign(chance=truth["chance"], responded=truth["responded"].astype(int))


@pytest.fixture(scope="module")
def known(bank: Path, person_months: pd.DataFrame) -> pd.DataFrame:
    """One row per customer and month of the last year, with what sells, by the plainest pandas.

    Who joined or came back in the month itself is left out: nobody knew them when it began.
    """
    files = sorted((bank / "raw").glob("balances_*.parquet"))
    held = pd.read_parquet(files, filters=[("month", ">=", "2024-12-01")])
    held = held[held["month"] <= "2025-11-01"]
    held = held.assign(
        customer_id="C" + held["account_id"].str[2:-1], assets=pd.to_numeric(held["balance"])
    )
    held = held.groupby(["customer_id", "month"], as_index=False)["assets"].sum()
    ends = {
        str(end.start_time.date()): end for end in pd.period_range("2024-12", "2025-11", freq="M")
    }
    held["month"] = held["month"].map(ends) + 1
    rows = person_months[person_months["entry_month"] < person_months["month"].dt.to_timestamp()]
    rows = rows.drop(columns="assets").merge(held, on=["customer_id", "month"])
    rows["under 30"], rows["45-59"] = rows["age"] < 30, rows["age"].between(45, 59)
    rows["60+"], rows["assets > 1000"] = rows["age"] >= 60, rows["assets"] > 1000
    rows["running"] = rows["payroll"] == "running"
    return rows.assign(unresolved=rows["unresolved"] > 0)


def logistic(yes: pd.Series, design: pd.DataFrame) -> pd.DataFrame:
    """Return statsmodels' logistic intervals, which together err once in a thousand."""
    names = list(design)
    counts = yes.groupby([design[name] for name in names]).agg(["sum", "size"]).reset_index()
    outcome = np.column_stack([counts["sum"], counts["size"] - counts["sum"]])
    fit = sm.GLM(outcome, counts[names].astype(float), family=sm.families.Binomial()).fit()
    return fit.conf_int(alpha=LEVEL / len(names))


def test_contacts_have_the_planted_shape(contacts: pd.DataFrame, truth: pd.DataFrame) -> None:
    """About 35 % of the active in a quarter, a tenth sells, many come again, few are idle."""
    assert set(contacts["month"]) == set(pd.period_range("2025-01", "2025-12", freq="M"))
    assert 0.08 <= contacts["responded"].mean() <= 0.12
    entry, left = (truth[name].dt.to_period("M") for name in ("entry_month", "exit_month"))
    for first in pd.period_range("2025-01", "2025-12", freq="M")[::3]:
        there = truth.index[(entry < first) & ~(left < first + 3)]
        seen = contacts.loc[contacts["month"].between(first, first + 2), "cust_no"]
        assert there.isin(seen).mean() == pytest.approx(0.36, abs=0.05)
    assert (contacts["cust_no"].value_counts() > 1).mean() > 0.3
    assert not contacts.duplicated(["cust_no", "month"]).any()
    assert 0 < entry[contacts["cust_no"]].isna().mean() < 0.05
    seconds = contacts.groupby("responded")["call_seconds"].median()
    assert seconds[1] > 3 * seconds[0]


def test_what_sells_is_recovered_by_statsmodels(
    contacts: pd.DataFrame, known: pd.DataFrame
) -> None:
    """Oracle: statsmodels' logistic GLM; all parameters inside 99.9 %, Bonferroni."""
    both = contacts.rename(columns={"cust_no": "customer_id"})
    both = both.merge(known, on=["customer_id", "month"])
    assert len(both) > 0.9 * len(contacts)
    design = {
        " ".join(key): (both["product"] == key[0]) & (both["channel"] == key[1])
        for key in planted.OFFERED
    }
    design = pd.DataFrame(design | {name: both[name] for name in planted.SOLD})
    true = np.array([*planted.OFFERED.values(), *planted.SOLD.values()])
    # nothing else decides
    np.testing.assert_allclose(both["chance"], 1 / (1 + np.exp(-(design @ true))), rtol=1e-12)
    interval = logistic(both["responded"], design)
    assert ((interval[0] <= true) & (true <= interval[1])).all(), interval.assign(true=true)
    assert interval.loc["assets > 1000", 0] > 0.3  # narrow enough to mean something


def test_staff_have_favourites(contacts: pd.DataFrame, known: pd.DataFrame) -> None:
    """The same for whom they contact; the young with little are not like anyone contacted."""
    made = contacts[["cust_no", "month"]].rename(columns={"cust_no": "customer_id"})
    both = known.merge(made.assign(made=1), how="left", on=["customer_id", "month"])
    both["made"] = both["made"].fillna(0)
    passed_over = both["under 30"] & ~both["assets > 1000"]
    assert passed_over.mean() > 0.05
    assert both.loc[passed_over, "made"].sum() == 0
    both = both[~passed_over].assign(intercept=1)
    interval = logistic(both["made"], both[list(planted.CONTACTED)])
    true = np.array(list(planted.CONTACTED.values()))
    assert ((interval[0] <= true) & (true <= interval[1])).all(), interval.assign(true=true)


def test_the_chances_of_today_are_those_of_the_truth(bank: Path, truth: pd.DataFrame) -> None:
    """Every offer to every active customer, by what the other truth files know of them."""
    chances = pd.read_parquet(bank / "truth" / "response_chances.parquet")
    about = pd.read_parquet(bank / "truth" / "hazards.parquet").set_index("customer_id")
    about = about.assign(assets=truth["assets"]).loc[chances["customer_id"]]
    assert len(chances) == truth["active_at_snapshot"].sum() * len(planted.OFFERED)
    assert not chances.duplicated(["customer_id", "product", "channel"]).any()
    true = planted.sale_chance(
        *(chances[name].to_numpy() for name in ("product", "channel")),
        *(about[name].to_numpy() for name in ("assets", "age", "payroll", "unresolved")),
    )
    np.testing.assert_allclose(chances["chance"], true, rtol=1e-12)


def test_wallets_are_put_in_order(truth: pd.DataFrame, customers: pd.DataFrame) -> None:
    """Spearman's rank agreement with the truth, among active customers; 0 is chance.

    Here the whole wallet 0.59, what is elsewhere 0.54, the share that is here 0.93. Oracle: the
    true mean wallet of those alike, which nobody knows, says 0.59 and 0.61. The order by what is
    held here agrees with that of what is elsewhere by -0.18.
    """
    people = truth[truth["active_at_snapshot"]].join(customers["occup"], how="inner")
    people = people.rename_axis("customer_id").reset_index().astype({"is_payroll": str})
    by = ["occup", "age_band", "is_payroll"]
    table = ibis.memtable(people[["customer_id", "assets", "wallet", *by]])
    fitted = estimate_wallets(table, by, rng=np.random.default_rng(1), resamples=2)
    agreement = judge_wallets(score_wallets(table, fitted), table.select("customer_id", "wallet"))
    assert agreement["n"] == len(people)

    alike = people.groupby(by)["wallet"].transform("mean")
    elsewhere = people["wallet"] - people["assets"]
    best = stats.spearmanr(alike, people["wallet"]).statistic
    assert agreement["wallet"] > best - 0.03
    best = stats.spearmanr((alike - people["assets"]).clip(lower=0), elsewhere).statistic
    assert agreement["elsewhere"] > best - 0.1
    assert agreement["elsewhere"] > 0.5 > stats.spearmanr(people["assets"], elsewhere).statistic
    assert agreement["share_here"] > 0.9
