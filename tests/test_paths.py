"""Leavers' assets and the ways of their money: plain pandas, hand counts, planted falls."""

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.messages import ENGLISH, Words
from customerlab.plots.paths import asset_path as draw_path
from customerlab.retention.money_out import (
    money_went,
    money_went_to_show,
    where_money_went,
)
from customerlab.retention.paths import (
    LEAVERS,
    STAYERS,
    asset_path,
    jackknife,
    money_leaves_first,
    monthly_assets,
    path_to_show,
)
from customerlab.simulate import simulate_bank

LEVEL = 0.001
FIRST = dt.date(2024, 1, 1)


def month(k):
    """Return the first day of the k-th month after January 2024."""
    return dt.date(2024 + k // 12, k % 12 + 1, 1)


def table(frame, dates=(), decimals=()):
    made = ibis.memtable(frame)
    casts = {name: made[name].cast("date") for name in dates}
    casts |= {name: made[name].cast("decimal(18, 4)") for name in decimals}
    return made.mutate(**casts)


def as_lines(frame):
    """Make lines; ``joined`` counts months from January 2024."""
    frame = frame.assign(
        joined_month=[month(j) for j in frame["joined"]],
        exit_month=[
            month(j + d - 1) if c else None
            for j, d, c in zip(frame["joined"], frame["duration"], frame["churned"], strict=True)
        ],
    )
    return table(frame.drop(columns="joined"), dates=["joined_month", "exit_month"])


@pytest.fixture(scope="module")
def small_bank():
    """Make 400 customers in 24 months; a third leave, and halve their assets 2 months before."""
    rng = np.random.default_rng(8)
    people, accounts, balances, lines = [], [], [], []
    for i in range(400):
        name, leaves = f"c{i:03d}", i % 3 == 0
        exit_at = int(rng.integers(13, 22)) if leaves else None
        lines.append((name, -int(rng.integers(0, 40)), leaves, exit_at))
        people.append((name, ["f", "m"][i % 2], ["n", "s", None][i % 3 % 2]))
        level = float(np.round(np.exp(rng.normal(8, 1)), 2))
        for a in range(1 + i % 2):
            closed = month(exit_at) if leaves and a == 1 else None
            accounts.append((f"{name}a{a}", name, dt.date(2015, 1, 1), closed))
            for k in range(24):
                falling = 0.5 if leaves and k >= exit_at - 2 else 1.0
                balances.append((f"{name}a{a}", month(k), round(level * falling, 2)))
    frame = pd.DataFrame(lines, columns=["customer_id", "joined", "churned", "exit_at"])
    frame = frame.assign(entry=-frame["joined"])
    ends = frame["exit_at"].fillna(21).astype(int)
    frame = frame.assign(duration=ends - frame["joined"] + 1).drop(columns="exit_at")
    return {
        "lines": frame,
        "people": pd.DataFrame(people, columns=["customer_id", "gender", "region"]),
        "accounts": pd.DataFrame(
            accounts, columns=["account_id", "customer_id", "opened_on", "closed_on"]
        ),
        "balances": pd.DataFrame(balances, columns=["account_id", "month", "balance"]),
    }


def plain_path(bank, months=12, bands=(1e3, 1e4, 1e5, 1e6)):
    """Do what asset_path says, row by row in pandas, without its intervals."""
    held = bank["balances"].merge(bank["accounts"], on="account_id")
    held = held[held["closed_on"].isna() | (held["month"] < held["closed_on"].fillna(FIRST))]
    held = held.assign(k=[(d.year - 2024) * 12 + d.month - 1 for d in held["month"]])
    assets = held.groupby(["customer_id", "k"])["balance"].sum()
    rows = []
    for line in bank["lines"].merge(bank["people"]).itertuples():
        last = line.joined + line.duration - 1
        at = [(LEAVERS, last)] if line.churned else []
        stop = last - 3 - line.churned
        at += [(STAYERS, k) for k in range(line.joined + line.entry, stop + 1)]
        for who, k in at:
            level = assets.get((line.customer_id, k - months), 0)
            if k < months or level < 100:
                continue
            tenure = np.searchsorted([0, 1, 3, 6, 12, 24, 36, 60], k - line.joined, side="right")
            cell = (k, tenure, np.searchsorted(bands, level, side="right"), line.gender)
            cell += (line.region or "unknown",)
            path = [assets.get((line.customer_id, k - back), 0) for back in range(months + 1)]
            rows.append((who, cell, line.customer_id, path))
    frame = pd.DataFrame(rows, columns=["who", "cell", "customer_id", "path"])
    counts = frame.groupby(["cell", "who"]).size().unstack(fill_value=0)  # noqa: PD010
    both = counts[(counts > 0).all(axis=1)]
    frame = frame[frame["cell"].isin(both.index)]
    weights = both[LEAVERS] / both[STAYERS]
    shares = {}
    for who, part in frame.groupby("who"):
        weight = np.ones(len(part)) if who == LEAVERS else part["cell"].map(weights).to_numpy()
        sums = (np.stack(part["path"]) * weight[:, None]).sum(axis=0)
        shares[who] = sums / sums[-1]
    return shares, frame.groupby("who")["customer_id"].nunique()


def once(made):
    """Work a table out."""
    return ibis.memtable(made.to_pyarrow())


def in_engine(bank, people="people"):
    return asset_path(
        table(bank["balances"], ["month"], ["balance"]),
        table(bank["accounts"], ["opened_on", "closed_on"]),
        as_lines(bank["lines"]),
        ibis.memtable(bank[people]) if people else None,
        keep=once,
    )


def test_the_path_is_that_of_plain_pandas(small_bank):
    path = in_engine(small_bank)
    shares, customers = plain_path(small_bank)
    for who in (LEAVERS, STAYERS):
        part = path.table[path.table["who"] == who].set_index("months_before")
        # weights are kept to ten digits
        np.testing.assert_allclose(part.loc[range(13), "assets_share"], shares[who], rtol=1e-8)
        assert set(part["customers"]) == {customers[who]}
    assert path.matched == customers[LEAVERS] <= path.followed <= path.leavers == 134


def test_planted_fall_is_seen_from_where_it_begins(small_bank):
    path = in_engine(small_bank, people=None)
    leavers = path.table[path.table["who"] == LEAVERS].set_index("months_before")
    # halved from two months before; the second account, half the money, closes in the exit month
    assert leavers.loc[12:3, "assets_share"].tolist() == pytest.approx([1.0] * 10)
    assert leavers.loc[[1, 2], "median_share"].tolist() == [0.5, 0.5]
    finding = money_leaves_first(path)
    assert finding.value == 2
    # fewer than 100 leavers could be followed and matched
    assert finding.n == path.matched == leavers["customers"].iloc[0] < 100
    assert finding.status == "weak"
    assert "already 2 months before the exit" in str(finding.text)


def test_same_again(small_bank):
    pd.testing.assert_frame_equal(in_engine(small_bank).table, in_engine(small_bank).table)
    mixed = {name: frame.sample(frac=1, random_state=1) for name, frame in small_bank.items()}
    pd.testing.assert_frame_equal(in_engine(mixed).table, in_engine(small_bank).table)


def test_assets_of_a_customer_are_those_of_open_accounts_in_every_month():
    balances = pd.DataFrame(
        [
            ("a", month(0), 10),
            ("a", month(1), 20),
            ("b", month(1), 5),
            ("b", month(2), 7),
            ("other", month(3), 1),
        ],
        columns=["account_id", "month", "balance"],
    )
    accounts = pd.DataFrame(
        [("a", "x", month(1)), ("b", "x", None), ("other", "y", None)],
        columns=["account_id", "customer_id", "closed_on"],
    )
    held = monthly_assets(table(balances, ["month"], ["balance"]), table(accounts, ["closed_on"]))
    held = held.order_by("customer_id", "month_index").to_pandas()
    assert held["assets"].astype(int).tolist() == [10, 5, 7, 0, 1]
    assert (held["month_index"] - 2024 * 12).tolist() == [0, 1, 2, 3, 3]


def test_jackknife_covers():
    # 50 groups of 6 customers with lognormal assets, of which 60 % on average are left
    hits = 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        level = np.exp(rng.normal(8, 1, (50, 6)))
        held = level * rng.beta(3, 2, (50, 6))
        share, low, high = jackknife(held.sum(axis=1), level.sum(axis=1))
        assert low <= share <= high
        hits += low <= 0.6 <= high
    low, high = stats.binom.interval(1 - LEVEL, 500, 0.95)
    assert low <= hits <= high


def test_jackknife_of_single_customers_is_the_linearised_error():
    rng = np.random.default_rng(1)
    level = rng.uniform(50, 150, 4000)
    held = level * rng.uniform(0, 1, 4000)
    share, low, _ = jackknife(held, level)
    error = np.std(held - share * level, ddof=1) / np.sqrt(4000) / level.mean()  # Cochran (1977)
    assert (share - low) / stats.t.ppf(0.975, 3999) == pytest.approx(error, rel=1e-3)
    assert np.isnan(jackknife(np.array([1.0]), np.array([2.0]))[1])


def test_stayers_of_several_months_are_single_customers():
    """Leavers like all others: the stayers' interval covers, though each stands in many months."""
    hits = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = 150
        lines = pd.DataFrame({"customer_id": [f"c{i:03d}" for i in range(n)], "joined": -30})
        lines = lines.assign(entry=30, churned=rng.random(n) < 0.3)
        ends = np.where(lines["churned"], rng.integers(13, 20, n), 22)
        lines = lines.assign(duration=ends + 31)
        kept = rng.beta(4, 1, n)  # each customer keeps a share of what there was a year before
        level = np.exp(rng.normal(7, 0.5, n))
        balances = pd.DataFrame(
            {
                "account_id": np.repeat(lines["customer_id"], 24),
                "month": np.tile([month(k) for k in range(24)], n),
                "balance": np.round(level[:, None] * kept[:, None] ** np.arange(24), 2).ravel(),
            }
        )
        accounts = lines[["customer_id"]].assign(account_id=lines["customer_id"])
        # all in one cell a month
        path = asset_path(
            once(table(balances, ["month"], ["balance"])),
            ibis.memtable(accounts),
            once(as_lines(lines)),
            keep=once,
            months=1,
            min_level=1e-9,
            asset_bands=(),
        )
        now = path.table[(path.table["who"] == STAYERS) & (path.table["months_before"] == 0)]
        # the truth, from very many such customers, weighted by month as the leavers are
        big = np.random.default_rng(1000)
        k = big.beta(4, 1, 200_000)
        a = np.exp(big.normal(7, 0.5, 200_000))
        months = ends[lines["churned"]]
        true = np.sum([(a * k**m).mean() for m in months]) / np.sum(
            [(a * k ** (m - 1)).mean() for m in months]
        )
        hits += now["low"].item() <= true <= now["high"].item()
    low, high = stats.binom.interval(1 - LEVEL, 30, 0.95)
    assert low <= hits <= high


def test_nothing_to_follow_is_said(small_bank):
    lines = as_lines(small_bank["lines"])
    balances = table(small_bank["balances"], ["month"], ["balance"])
    accounts = table(small_bank["accounts"], ["opened_on", "closed_on"])
    for path in (
        asset_path(None, None, lines),
        asset_path(balances, accounts, lines.filter(lines.churned)),  # hardly anyone stays
        asset_path(balances, accounts, lines.filter(~lines.churned)),
        asset_path(balances.filter(balances.balance < 0), accounts, lines),
        asset_path(balances, accounts, lines, months=30),
    ):
        finding = money_leaves_first(path)
        assert finding.status in {"not_enough_data", "weak"}
        if path.matched == 0:
            assert path.table.empty and "cannot be said" in str(finding.text)
            assert "No leaver's assets" in str(path.describe())
            assert "Too few" in str(draw_path(path.table).title)
    with pytest.raises(ValueError, match="months"):
        asset_path(balances, accounts, lines, months=0)


def test_few_are_not_shown(small_bank):
    path = in_engine(small_bank)
    assert len(path_to_show(path, 10)) == 26
    hidden = path_to_show(path, 10_000)
    assert hidden.empty and hidden.columns.tolist() == path.table.columns.tolist()


def test_the_figure_draws_the_table(small_bank):
    path = in_engine(small_bank)
    chart = draw_path(path.table)
    assert "At the exit leavers hold" in str(chart.title)
    drawn = [line.get_ydata() for line in chart.figure.axes[0].lines[:2]]
    for who, values in zip((LEAVERS, STAYERS), drawn, strict=True):
        part = path.table[path.table["who"] == who]
        np.testing.assert_allclose(values, part["assets_share"])


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Read accounts and balances of a simulated bank in the plainest way, and its truth."""
    folder = tmp_path_factory.mktemp("paths")
    simulate_bank(folder / "raw", customers=5_000, seed=3)
    truth = pd.read_parquet(folder / "truth" / "customers.parquet")
    balances = pd.read_parquet(folder / "raw" / "balances_000.parquet")
    balances = balances.assign(balance=pd.to_numeric(balances["balance"], errors="coerce"))
    balances = balances.dropna().drop_duplicates(["account_id", "month"])
    balances["month"] = pd.to_datetime(balances["month"], format="%Y-%m-%d").dt.date
    accounts = pd.read_csv(folder / "raw" / "accounts.csv", dtype=str, encoding="utf-8-sig")
    accounts = accounts.rename(
        columns={"acct_no": "account_id", "cust_no": "customer_id", "closed": "closed_on"}
    ).drop_duplicates("account_id")
    accounts["closed_on"] = pd.to_datetime(accounts["closed_on"], errors="coerce").dt.date
    months = {
        name: (pd.to_datetime(truth[name]).dt.year - 2024) * 12
        + pd.to_datetime(truth[name]).dt.month
        - 1
        for name in ("exit_month", "entry_month", "joined_month", "falls_from")
    }
    lines = truth[["customer_id"]].assign(**months).query("entry_month <= 21")
    lines = lines[lines["exit_month"].isna() | (lines["exit_month"] <= 21)]
    churned = lines["exit_month"].notna()
    ends = lines["exit_month"].fillna(21)
    # who was idle and came back counts from the month of coming back
    joined = lines["joined_month"].where(lines["joined_month"] > -240, -240)
    lines = lines.assign(
        churned=churned,
        joined=joined.astype(int),
        entry=(lines["entry_month"] - joined).astype(int),
        duration=(ends - joined + 1).astype(int),
    )
    return {
        "lines": lines,
        "accounts": accounts[["account_id", "customer_id", "closed_on"]],
        "balances": balances[["account_id", "month", "balance"]],
    }


def test_the_demo_banks_money_leaves_as_planted(demo):
    """Its leavers' balances fall from 0 to 3 months before the exit, each month by half."""
    lines = demo["lines"][["customer_id", "joined", "entry", "duration", "churned"]]
    path = asset_path(
        table(demo["balances"], ["month"], ["balance"]),
        table(demo["accounts"], ["closed_on"]),
        as_lines(lines),
    )
    assert path.matched >= 100
    finding = money_leaves_first(path)
    assert finding.value == 3
    leavers = path.table[path.table["who"] == LEAVERS].set_index("months_before")
    # before any fall is planted the money is there; pay that stopped takes some of it
    assert leavers.loc[4, "assets_share"] > 0.85
    share = leavers["assets_share"]
    assert (share[[3, 2, 1, 0]].diff().dropna() < -0.1).all() and share[0] < 0.25


# --- where the money went


@pytest.fixture(scope="module")
def sent():
    """Plant 60 leavers who pay to a rival, 240 stayers who seldom do, all by card at times."""
    rng = np.random.default_rng(2)
    lines = pd.DataFrame({"customer_id": [f"c{i:03d}" for i in range(300)], "joined": -5})
    lines = lines.assign(entry=5, churned=np.arange(300) < 60)
    ends = np.where(lines["churned"], rng.integers(8, 15, 300), 20)
    lines = lines.assign(duration=ends + 6)
    rows = []
    for line, end in zip(lines.itertuples(), ends, strict=True):
        for k in range(21):
            rows.append((line.customer_id, k, -20, "purchase", "card", None))
            rows.append((line.customer_id, k, 50, "deposit", "branch", None))
            rows.append((line.customer_id, k, -1, "fee", "system", None))
            if rng.random() < (0.5 if line.churned and end - 2 <= k <= end else 0.02):
                rows.append((line.customer_id, k, -100, "transfer_out", "app", "rival"))
        rows.append(
            (line.customer_id, end, -30, "transfer_out", "app", line.customer_id + "'s son")
        )
    frame = pd.DataFrame(
        rows, columns=["customer_id", "k", "amount", "kind", "channel", "counterparty"]
    )
    frame["occurred_at"] = [pd.Timestamp(month(k)) + pd.Timedelta(days=9) for k in frame["k"]]
    return lines, frame


def plain_shares(lines, frame, months=3):
    """Return both shares of customers who paid to the rival, row by row."""
    paid = frame[frame["counterparty"] == "rival"].groupby("customer_id")["k"].apply(set)
    hit = {
        (line.customer_id, k): any(k - b in paid.get(line.customer_id, ()) for b in range(months))
        for line in lines.itertuples()
        for k in range(21)
    }
    lost = lines[lines["churned"]]
    at = lost["joined"] + lost["duration"] - 1
    leavers = np.mean([hit[pair] for pair in zip(lost["customer_id"], at, strict=True)])
    shares = []
    for k in at:
        there = [
            hit[(line.customer_id, k)]
            for line in lines.itertuples()
            if k <= line.joined + line.duration - 1 - 3 - line.churned
        ]
        shares.append(np.mean(there))
    return leavers, np.mean(shares)


def test_money_went_is_that_of_plain_pandas(sent):
    lines, frame = sent
    went = where_money_went(table(frame, decimals=["amount"]), as_lines(lines))
    rows = went.table.set_index(["by", "item"])
    leavers, stayers = plain_shares(lines, frame)
    rival = rows.loc[("counterparty", "rival")]
    assert rival["leavers_share"] == pytest.approx(leavers)
    assert rival["stayers_share"] == pytest.approx(stayers)
    assert went.leavers == 60
    # by hand: every leaver spends 3 x 20 by card
    assert rows.loc[("kind", "purchase"), "leavers_share"] == 1
    total = 3 * 20 + 30 + 100 * frame_hits(lines, frame) / 60
    assert rows.loc[("kind", "purchase"), "leavers_amount_share"] == pytest.approx(60 / total)
    assert not {"fee", "deposit"} & set(rows.loc["kind"].index)
    finding = money_went(went)
    assert finding.value == pytest.approx(leavers) and "rival" in str(finding.text)
    assert finding.low < finding.value < finding.high


def frame_hits(lines, frame):
    """Count the leavers' payments to the rival in their last three months."""
    ends = (lines["joined"] + lines["duration"] - 1).set_axis(lines["customer_id"])
    lost = set(lines.loc[lines["churned"], "customer_id"])
    some = frame[(frame["counterparty"] == "rival") & frame["customer_id"].isin(lost)]
    back = some["customer_id"].map(ends) - some["k"]
    return int(back.between(0, 2).sum())


def test_no_recipient_of_few_is_named(sent):
    lines, frame = sent
    went = where_money_went(table(frame, decimals=["amount"]), as_lines(lines))
    named = went.table.loc[went.table["by"] == "counterparty", "item"].tolist()
    assert sorted(named) == ["other", "rival", "unknown"]
    shown = money_went_to_show(went, ENGLISH, 10).to_csv()
    assert "son" not in shown
    strict = money_went_to_show(went, Words("en"), 1000)
    assert set(strict["leavers"]) == {"<1000"} and set(strict["leavers_share"]) == {"hidden"}


def test_no_way_that_stands_out_is_said(sent):
    lines, frame = sent
    alike = frame[frame["kind"] == "purchase"]
    finding = money_went(where_money_went(table(alike, decimals=["amount"]), as_lines(lines)))
    assert finding.status == "weak" and finding.value is None


def test_no_transactions_are_no_answer(sent):
    lines, frame = sent
    transactions = table(frame, decimals=["amount"])
    bare = transactions.select("customer_id", "occurred_at", "amount")
    for went in (
        where_money_went(None, as_lines(lines)),
        where_money_went(transactions.filter(transactions.amount > 0), as_lines(lines)),
        where_money_went(transactions, as_lines(lines[~lines["churned"]])),
        where_money_went(bare, as_lines(lines)),
    ):
        finding = money_went(went)
        assert finding.status == "not_enough_data" and finding.value is None
        columns = [{"item": "which"}.get(name, name) for name in went.table.columns]
        assert list(money_went_to_show(went, ENGLISH, 10).columns) == columns
