"""From clients' tables to contacts, models and scores: plainest pandas, planted truth, by hand."""

import datetime as dt
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.errors import CustomerlabError
from customerlab.features import PAIR, feature_name
from customerlab.messages import ENGLISH
from customerlab.params import check_params
from customerlab.privacy import HIDDEN
from customerlab.response import modelling
from customerlab.response.apart import find_apart
from customerlab.response.campaigns import contacts_of_campaigns
from customerlab.response.cutoff import best_cutoff
from customerlab.response.leaks import look_for_leaks
from customerlab.response.margins import margins_of
from customerlab.response.modelling import find_model
from customerlab.response.observing import check_contacts, observe_contacts
from customerlab.response.placing import places_to_show
from customerlab.response.profile import profile_chosen, profile_to_show, tell_profile
from customerlab.response.proposing import propose_contacts, propose_test, say_contacts
from customerlab.response.resemblance import find_resemblance, resemblance_to_show
from customerlab.response.scoring import score_today

SNAPSHOT = dt.date(2025, 6, 30)


def params(seed=1, **section):
    """Return parameters of a client with this section ``response_model``."""
    data = {"client": "tiny", "snapshot": SNAPSHOT, "seed": seed, "response_model": section}
    return check_params(data, "tiny.yaml")


def as_tables(frames):
    """Return frames as the engine's tables, times as the clean ones have them."""
    tables = {}
    for name, frame in frames.items():
        table = ibis.memtable(frame)
        times = [c for c, kind in table.schema().items() if kind.is_timestamp()]
        days = [c for c in times if c in {"joined_on", "birth_date", "starts_on"}]
        kinds = dict.fromkeys(times, "timestamp(6)") | dict.fromkeys(days, "date")
        kinds |= {"amount": "decimal(18, 4)"} if "amount" in frame else {}
        tables[name] = table.cast(kinds)
    return tables


def keep(table):
    """Work a table out, as a workspace does."""
    return ibis.memtable(table.to_pyarrow())


def told(contacts):
    """Return what is said of contacts."""
    return " ".join(ENGLISH(one) for one in contacts.describe(1))


@pytest.fixture(scope="module", autouse=True)
def _as_a_workspace():
    """Write queries as a workspace does: fused, what is used ten times is worked out ten times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ibis.options.sql, "fuse_selects", False)
        yield


@pytest.fixture(scope="module")
def shop():
    """Return a shop with two campaigns, one of them with a control, as frames."""
    rng = np.random.default_rng(3)
    who = [f"c{i:03d}" for i in range(200)]
    days = pd.Timestamp("2024-10-01") + pd.to_timedelta(rng.integers(0, 270, 900), unit="D")
    bought = pd.DataFrame(
        {
            "customer_id": rng.choice(who, 900),
            "occurred_at": days + pd.to_timedelta(rng.integers(0, 86_400, 900), unit="s"),
            "amount": rng.integers(5, 90, 900).astype(float),
            "kind": rng.choice(["purchase", "refund"], 900, p=[0.9, 0.1]),
        }
    )
    people = pd.DataFrame(
        {
            "customer_id": who,
            "joined_on": pd.Timestamp("2023-01-01")
            + pd.to_timedelta(rng.integers(0, 800, 200), unit="D"),
            "gender": rng.choice(["female", "male", None], 200),
            "size": rng.integers(36, 48, 200).astype(float),
            "email": "somebody",
        }
    )
    spring = pd.DataFrame({"customer_id": who[:120], "campaign_id": "spring"})
    spring["arm"] = rng.choice(["letter", "call", "control"], 120)
    spring["assigned_at"] = pd.Timestamp("2025-03-10 09:00")
    late = pd.DataFrame({"customer_id": who[50:], "campaign_id": "late", "arm": "app"})
    late["assigned_at"] = pd.Timestamp("2025-05-28") + pd.to_timedelta(
        rng.integers(0, 8, 150), unit="D"
    )
    campaigns = pd.DataFrame(
        {
            "campaign_id": ["spring", "late"],
            "name": ["Spring sale", "Late sale"],
            "product": ["shoes", None],
            "channel": ["mixed", "app"],
        }
    )
    return {
        "transactions": bought,
        "customers": people,
        "assignments": pd.concat([spring, late], ignore_index=True),
        "campaigns": campaigns,
    }


def test_contacts_of_campaigns_are_those_of_plain_pandas(shop):
    when = "kind = 'purchase' AND amount > 20"
    settings = params(response={"kind": "binary", "when": when, "days": 28})
    got = observe_contacts(as_tables(shop), settings, keep)

    made = shop["assignments"].query("arm != 'control'")
    last = made["assigned_at"].dt.normalize() + pd.Timedelta(days=28)
    over = last <= pd.Timestamp(SNAPSHOT)
    made, last = made[over], last[over]
    counts = shop["transactions"].query("kind == 'purchase' and amount > 20")
    responded = [
        (
            (counts["customer_id"] == who)
            & (counts["occurred_at"] >= start)
            & (counts["occurred_at"].dt.normalize() <= end)
        ).any()
        for who, start, end in zip(made["customer_id"], made["assigned_at"], last, strict=True)
    ]
    frame = made.assign(responded=responded).merge(shop["customers"], on="customer_id")
    frame = frame.sort_values(["assigned_at", "customer_id"], ignore_index=True)
    assert 0 < frame["responded"].sum() < len(frame)
    assert got.customer.tolist() == frame["customer_id"].tolist()
    assert (got.when == frame["assigned_at"].to_numpy()).all()
    assert got.responded.tolist() == frame["responded"].astype(int).tolist()
    assert got.features["gender"].fillna("-").tolist() == frame["gender"].fillna("-").tolist()
    assert got.source == "campaigns"
    assert got.today is None
    lost = int((~over).sum())
    assert lost > 0
    assert f"{lost} contacts are left out" in told(got)
    assert {"product", "channel", "gender", "tenure_band", "moves"} <= set(got.features)
    pairs = got.pairs.set_index("channel")
    assert set(pairs.index) == {"letter", "call", "app"}  # an arm where a campaign has several
    assert pairs.loc["letter", "product"] == "shoes"
    assert pairs.loc["app", "product"] is None
    assert pairs["contacts"].sum() == len(got.responded)
    assert pairs["responders"].sum() == got.responded.sum()
    assert pairs["contacts"].is_monotonic_decreasing
    one = params(response={"kind": "binary", "campaigns": ["Spring sale"]})
    spring = contacts_of_campaigns(as_tables(shop), one, keep)
    assert set(spring.channel.execute()) == {"letter", "call"}


@pytest.fixture(scope="module")
def bank():
    """Return a bank's own contacts, as frames, and its customers of today."""
    rng = np.random.default_rng(4)
    n = 600
    who = np.array([f"k{i:03d}" for i in range(250)])
    contacts = pd.DataFrame(
        {
            "responded": rng.random(n) < 0.3,
            "contacted_at": pd.Timestamp("2025-01-05")
            + pd.to_timedelta(rng.integers(0, 150, n), unit="D"),
            "customer_id": rng.choice(who, n),
            "product": rng.choice(["fund", "card"], n),
            "channel": rng.choice(["phone", "app"], n, p=[0.8, 0.2]),
            "staff_id": rng.choice(["s1", "s2"], n),
            "branch": rng.choice(["north", "south"], n),
            "assets": rng.gamma(2, 1000, n),
            "call_seconds": rng.integers(10, 900, n),
            "told_before": rng.random(n) < 0.5,
        }
    )
    people = pd.DataFrame({"customer_id": who, "gender": rng.choice(["female", "male"], 250)})
    people["joined_on"] = pd.Timestamp("2022-05-17")
    today = people.assign(
        layer=rng.choice(["valid", "potential_active", "dormant"], 250),
        assets=rng.gamma(2, 1000, 250),
    )
    return {"contacts": contacts, "customers": people}, today


def test_a_banks_own_contacts(bank):
    frames, today = bank
    settings = params(known_after_contact=["call_seconds"])
    got = observe_contacts(as_tables(frames), settings, keep, ibis.memtable(today))
    seen = ["product", "channel", "assets", "call_seconds", "told_before", "tenure_band", "gender"]
    assert set(got.features) == set(seen)  # neither who called nor from which branch
    assert got.only_at_contact == ("call_seconds", "told_before")
    assert set(got.usable) == {"product", "channel", "assets", "tenure_band", "gender"}
    assert set(got.of_customers) == {"assets", "tenure_band", "gender"}
    # joined in May 2022: 32 to 36 months before the contacts' months began
    month = pd.to_datetime(got.when).to_period("M")
    months = (month.year - 2022) * 12 + month.month - 5
    assert got.features["tenure_band"].tolist() == ["24-35" if m < 36 else "36-59" for m in months]
    now = got.today.to_pandas().set_index("customer_id")
    active = today[today["layer"] != "dormant"].set_index("customer_id")
    assert set(now.index) == set(active.index)
    assert now["assets"].to_dict() == active["assets"].to_dict()
    assert (now["tenure_band"] == "36-59").all()
    assert set(now.columns) == {"assets", "gender", "tenure_band", "alike"}
    assert got.n_today == len(got.drawn_today) == len(active)
    assert "told_before" in told(got)
    assert "call_seconds" not in told(got)
    named = params(features=["branch", "assets"])
    assert set(observe_contacts(as_tables(frames), named, keep).features) == {"branch", "assets"}


def test_rows_in_another_order_give_the_same_contacts(bank):
    frames, _ = bank
    mixed = frames | {"contacts": frames["contacts"].sample(frac=1, random_state=2)}
    plain = params(features=["assets", "channel"])
    one, other = (observe_contacts(as_tables(f), plain, keep) for f in (frames, mixed))
    pd.testing.assert_frame_equal(one.features, other.features)
    assert (one.responded == other.responded).all()
    assert (one.customer == other.customer).all()


def test_of_many_contacts_customers_are_drawn_by_lot(bank):
    frames, _ = bank
    got = observe_contacts(as_tables(frames), params(features=["assets"]), keep, most=200)
    assert 120 < len(got.responded) < 280
    times = frames["contacts"]["customer_id"].value_counts()
    mine = pd.Series(got.customer).value_counts()
    assert (mine == times[mine.index]).all()  # all contacts of a customer, or none
    assert "drawn by lot" in told(got)


def test_contacts_without_customers_or_days(bank):
    frames, today = bank
    plain = frames["contacts"].drop(columns=["customer_id", "contacted_at"])
    got = observe_contacts(as_tables({"contacts": plain}), params(), keep, ibis.memtable(today))
    assert got.customer is None
    assert got.when is None
    assert got.today is None
    assert len(got.features) == 600
    assert "each with a customer of its own" in told(got)
    undated = frames | {"contacts": frames["contacts"].drop(columns="contacted_at")}
    got = observe_contacts(as_tables(undated), params(), keep)
    assert got.when is None
    assert "gender" in got.features
    assert "tenure_band" not in got.features
    gaps = frames["contacts"].copy()
    gaps.loc[:9, "contacted_at"] = pd.NaT
    plain = params(features=["assets"])
    got = observe_contacts(as_tables(frames | {"contacts": gaps}), plain, keep)
    assert len(got.responded) == 590
    assert "10 contacts are left out" in told(got)
    none = as_tables(frames)
    none["contacts"] = none["contacts"].filter(none["contacts"].customer_id == "nobody")
    got = observe_contacts(none, plain, keep, ibis.memtable(today))
    assert len(got.features) == len(got.pairs) == 0
    assert "No contact is known" in told(got)


def test_what_cannot_be_read_is_refused_with_the_nearest_name(bank, shop):
    frames, _ = bank
    tables = as_tables(frames)
    wrong = [
        ({"features": ["gendre"]}, 'features: there is no "gendre".*did you mean "gender"'),
        ({"known_after_contact": ["call_second"]}, 'known_after_contact.*"call_seconds"'),
        ({"confirmed": ["asets"]}, 'confirmed: there is no "asets"'),
        ({"features": ["staff_id"]}, 'features: there is no "staff_id"'),
    ]
    for section, words in wrong:
        with pytest.raises(CustomerlabError, match=f"response_model.{words}"):
            check_contacts(tables, params(**section))
    with pytest.raises(CustomerlabError, match="no assignments"):
        check_contacts({"transactions": as_tables(shop)["transactions"]}, params())
    with pytest.raises(CustomerlabError, match=r"response_model\.response\.kind"):
        check_contacts(as_tables(shop), params(response={"kind": "months"}))
    with pytest.raises(CustomerlabError, match=r"response_model\.response\.when"):
        check_contacts(as_tables(shop), params(response={"kind": "binary", "when": "amont > 3"}))
    notes = pd.DataFrame({"responded": [True, False] * 150})
    notes["note"] = [f"text {i}" for i in range(300)]
    got = observe_contacts(as_tables({"contacts": notes.assign(age=3)}), params(), keep)
    assert list(got.features) == ["age"]
    assert "note" in told(got)


#: Planted: log-odds of a response by what is known of a customer, and by what is offered.
JOBS = {"clerk": 0.0, "farmer": 0.9, "smith": -0.9}
OFFERS = {("fund", "phone"): 0.5, ("fund", "app"): -0.3}
OFFERS |= {("card", "phone"): -0.1, ("card", "app"): -0.9}


def make_truth(seed, n=6000, people=5000, far=0.0, days=300):
    """Return contacts by what staff liked, today's customers, and their true chances by offer."""
    rng = np.random.default_rng(seed)

    def draw(size):
        return pd.DataFrame(
            {
                "job": rng.choice(list(JOBS), size),
                "income": 500
                * (rng.gamma(2, 1000, size) / 500).round(),  # few numbers are binned fast
                "shoe": rng.choice(["even", "odd"], size),
            }
        )

    def odds(frame):
        return -2.2 + frame["job"].map(JOBS) + 0.4 * (frame["income"] / 1000 - 2)

    known = draw(n)
    liked = rng.random(n) < np.where(known["job"] == "smith", 0.3, 0.8)  # no lot drew them
    known = known[liked].reset_index(drop=True)
    pair = rng.integers(0, len(OFFERS), len(known))
    offers = list(OFFERS)
    logit = odds(known) + np.array(list(OFFERS.values()))[pair]
    contacts = known.assign(
        customer_id=rng.integers(0, 4000, len(known)).astype(str),
        contacted_at=pd.Timestamp("2024-06-01")
        + pd.to_timedelta(rng.integers(0, days, len(known)), unit="D"),
        product=[offers[i][0] for i in pair],
        channel=[offers[i][1] for i in pair],
        responded=rng.random(len(known)) < 1 / (1 + np.exp(-logit)),
    )
    today = draw(people).assign(customer_id=[f"t{i:05d}" for i in range(people)], layer="valid")
    strange = rng.random(people) < far
    today["job"] = today["job"].mask(strange, "diver")
    base = odds(today.assign(job=today["job"].replace("diver", "clerk")))
    true = {one: 1 / (1 + np.exp(-(base + more))).to_numpy() for one, more in OFFERS.items()}
    return contacts, today, pd.DataFrame(true, index=today["customer_id"])


def observed(contacts, today, settings):
    """Return contacts, from frames or tables."""
    tables = as_tables({"contacts": contacts}) if isinstance(contacts, pd.DataFrame) else contacts
    customers = ibis.memtable(today) if isinstance(today, pd.DataFrame) else today
    return observe_contacts(tables, settings, keep, customers)


def all_of(got, settings):
    """Go the rest of the way, as the notebook does."""
    rng = np.random.default_rng(1)
    asked = settings.response_model
    about = {"known_after": asked.known_after_contact, "confirmed": asked.confirmed}
    model = find_model(got, look_for_leaks(got.features, got.responded, rng, **about), rng)
    resemblance = find_resemblance(got, model)
    margins, cutoff = margins_of(got, settings), None
    if margins.priced:
        cutoff = best_cutoff(
            got.responded,
            model.chance,
            rng,
            contact_cost=margins.cost,
            margin=margins.mean,
            capacity=asked.capacity,
            customers=got.n_today or None,
            own=asked.cutoff,
            customer=got.customer,
            draws=20,
        )
    scores = score_today(got, model, resemblance, cutoff, settings, keep)
    return model, resemblance, cutoff, scores


MONEY = {"contact_cost": 6.0, "margin": {"fund": 40.0, "card": 60.0}}


@pytest.fixture(scope="module")
def truth():
    """Return contacts that staff chose, customers of today, a tenth of them of a new kind."""
    contacts, today, true = make_truth(5, n=5000, people=3000, far=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modelling, "FOLDS", 2)  # half the time
        got = observed(contacts, today, params(**MONEY))
        return contacts, today, true, (params(**MONEY), got, *all_of(got, params(**MONEY)))


def test_planted_chances_are_recovered_for_everybody(truth):
    _, today, true, (_, got, model, _, _, scores) = truth
    assert model.by_time
    assert set(model.names) == {PAIR, "job", "income", "shoe"}
    missing = np.isnan(model.chance)  # the first stretch of three, and nothing later
    assert got.when[missing].max() < got.when[~missing].min()
    assert missing.mean() == pytest.approx(1 / 3, abs=0.01)
    assert model.judged.n == model.shuffled.n == (~missing).sum()
    # judged by 340 responders: the interval must reach down to a close fit
    assert model.judged.value("ici")[1] <= 0.01
    frame = scores.table.to_pandas().set_index("customer_id")
    assert len(frame) == len(today)
    own = frame[frame["status"] == "supported"]
    pair = list(zip(own["product"], own["channel"], strict=True))
    offers = list(true)
    which = np.array([offers.index(one) for one in pair])
    mine = true.loc[own.index].to_numpy()
    told = mine[np.arange(len(own)), which]
    # a tenth's chance rests on about 320 contacts: standard errors of 0.01 to 0.025
    tenth = pd.qcut(own["chance"].rank(method="first"), 10, labels=False)
    means = pd.DataFrame({"told": own["chance"], "true": told}).groupby(tenth).mean()
    assert (means["told"] - means["true"]).abs().mean() < 0.02
    assert own["chance"].corr(pd.Series(told, own.index), method="spearman") > 0.95
    # what is offered earns nearly what the best offer would
    worth = mine * [MONEY["margin"][product] for product, _ in offers]
    best = worth.max(axis=1)
    assert ((best - worth[np.arange(len(own)), which]) / best).mean() < 0.05
    profit = own["product"].map(MONEY["margin"]) * own["chance"] - MONEY["contact_cost"]
    assert own["expected_profit"].to_numpy() == pytest.approx(profit.to_numpy(), abs=1e-9)
    assert got.drawn_today is not None


def test_a_channel_may_do_for_one_product_what_it_undoes_for_another(monkeypatch):
    """Planted: funds sell by phone and cards in the app, and neither product nor channel alone."""
    monkeypatch.setattr(modelling, "FOLDS", 2)
    contacts, today, _ = make_truth(7, n=2500, people=200)
    contacts = contacts.drop(columns=["income", "shoe", "contacted_at"])
    rng = np.random.default_rng(7)
    suits = (contacts["product"] == "fund") == (contacts["channel"] == "phone")
    contacts["responded"] = rng.random(len(contacts)) < np.where(suits, 0.3, 0.1)
    settings = params(contact_cost=6.0, margin={"fund": 50.0, "card": 50.0})
    got = observed(contacts, today.drop(columns=["income", "shoe"]), settings)
    leaks = look_for_leaks(got.features, got.responded, rng)
    assert {"product", "channel"} <= set(leaks.table["feature"])
    model, _, _, scores = all_of(got, settings)
    assert PAIR in model.names
    assert ENGLISH(feature_name(PAIR)) == "product and channel"
    rates = contacts.groupby(["product", "channel"])["responded"].mean()
    for (product, channel), rate in rates.items():
        offered = pd.DataFrame({PAIR: [f"{product} ({channel})"], "job": "clerk"})
        assert model.chance_of(offered)[0] == pytest.approx(rate, abs=0.04)
    frame = scores.table.to_pandas()
    assert set(zip(frame["product"], frame["channel"], strict=True)) <= {
        ("fund", "phone"),
        ("card", "app"),
    }
    assert frame["chance"].between(0.22, 0.38).all()
    # of a pair that was hardly ever offered nothing can be learnt: two columns, which add up
    rare = (contacts["product"] == "card") & (contacts["channel"] == "app")
    few = observed(contacts[~rare | (rare.cumsum() < 30)], None, settings)
    assert set(few.modelled(few.usable)) == {"product", "channel", "job"}
    one = observed(contacts.assign(channel="phone"), None, settings)
    assert set(one.modelled(one.usable)) == {"product", "channel", "job"}


def test_those_unlike_the_contacted_are_weak_and_not_proposed(truth):
    _, today, _, (settings, _, _, resemblance, _, scores) = truth
    frame = scores.table.to_pandas().set_index("customer_id")
    strange = (today.set_index("customer_id")["job"] == "diver").reindex(frame.index)
    assert ((frame["status"] == "weak") == strange).all()
    assert (frame["place"] == "unlike").equals(strange.rename("place"))
    assert resemblance.share == pytest.approx(1 - strange.mean())
    assert resemblance.low < resemblance.share < resemblance.high
    # smiths were contacted seldom, and more seldom than they are frequent; divers never
    table = resemblance.table.set_index("feature").loc["job"]
    table = table.set_index(table["level"].map(str))
    share = today["job"].eq("smith").mean()
    assert table.loc["smith", "today"] == pytest.approx(share)
    assert table.loc["diver", "contacted"] == 0
    assert "job" in ENGLISH(resemblance.check.text)
    assert "Hardly ever contacted were: job: diver." in ENGLISH(resemblance.finding.text)
    assert resemblance.check.passed == (resemblance.share >= 0.9)
    proposed = propose_contacts(scores, settings, ENGLISH).to_pandas()
    assert set(proposed["customer_id"]) == set(frame.index[frame["place"] == "above"])
    shown = resemblance_to_show(resemblance, 10)
    assert "n_today" not in shown
    assert "diver" in set(shown["level"].map(str))


def test_two_levels_that_were_never_contacted_together():
    rng = np.random.default_rng(2)

    def draw(n):
        return {
            "age": pd.Series(rng.choice(["young", "old"], n)),
            "assets": pd.Series(rng.choice(["little", "some", "much"], n)),
            "shoe": pd.Series(rng.choice(list("abcdefgh"), n)),
        }

    called = {"age": [], "assets": [], "shoe": []}
    then, now = draw(600), draw(4000)
    levels = {name: set(one) for name, one in now.items()}
    nothing, kinds = find_apart(then, now, levels, called)
    assert nothing == {}
    assert kinds == ()
    left = ~((then["age"] == "young") & (then["assets"] == "little"))
    then = {name: one[left].reset_index(drop=True) for name, one in then.items()}
    found, kinds = find_apart(then, now, levels, called)
    assert found == {("age", "assets"): {"young\x1flittle"}}
    assert [ENGLISH(one) for one in kinds] == ["age: young with assets: little"]
    # nobody where 29 were expected can be chance, were they contacted a tenth as often
    few = {name: one.head(150) for name, one in then.items()}
    assert find_apart(few, now, levels, called)[0] == {}


def test_the_line_its_test_and_the_control(truth):
    _, _, _, (settings, _, _, _, cutoff, scores) = truth
    frame = scores.table.to_pandas()
    worth = frame["expected_profit"] + 6
    least = cutoff.cutoff * scores.margins.mean
    like = frame["status"] == "supported"
    assert (frame.loc[like & (worth >= least), "place"] == "above").all()
    assert frame.loc[like & (worth < least), "place"].isin(["below", "tested"]).all()
    n = frame["place"].value_counts()
    assert n["tested"] == len(scores.below.drawn) == min(scores.below.needed, -(-n["above"] // 10))
    counted = scores.places.set_index("place")
    assert counted["customers"][n.index].to_dict() == n.to_dict()
    chance = frame.groupby("place")["chance"].sum()
    assert counted.loc["above", "responses"] == pytest.approx(chance["above"])
    proposed = propose_contacts(scores, settings, ENGLISH).to_pandas()
    control = (proposed["arm"] == "control").mean()
    assert control == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / len(proposed)))
    test = propose_test(scores, settings, ENGLISH).to_pandas().set_index("arm")
    assert len(test.loc["contact"]) == n["tested"]
    assert test.loc["contact", "propensity"].iloc[0] == pytest.approx(
        n["tested"] / (n["tested"] + n["below"])
    )
    assert set(proposed["product"]) <= {"fund", "card"}
    assert "proposed to be contacted" in ENGLISH(say_contacts(scores, ibis.memtable(proposed)).text)
    shown = places_to_show(scores.places, 10)
    assert shown.set_index("customers")["responses"].get(0, 0) == 0


def test_who_the_chosen_are(truth):
    _, today, _, (_, got, _, _, _, scores) = truth
    profile = profile_chosen(scores, got, keep)
    frame = scores.table.to_pandas().merge(today, on="customer_id")
    above = frame["place"] == "above"
    jobs = profile.table[profile.table["feature"] == "job"]
    jobs = jobs.set_index(jobs["level"].map(str))
    assert jobs.loc["farmer", "n_chosen"] == (above & (frame["job"] == "farmer")).sum()
    rest = frame.loc[~above, "job"]
    assert jobs.loc["farmer", "rest"] == pytest.approx((rest == "farmer").mean())
    bands = profile.table[profile.table["feature"] == "income"]
    assert bands["n_chosen"].sum() == above.sum()
    assert len(bands) == 5
    said = ENGLISH(tell_profile(profile, 10).text)
    assert "job: farmer" in said
    assert "income: above" in said
    assert "shoe" not in said
    shown = profile_to_show(profile, 10)
    assert "n_chosen" not in shown
    hidden = profile.table["n_chosen"].between(1, 9)
    assert (shown.loc[hidden, "chosen"] == "<10").all() or shown.loc[hidden, "chosen"].eq(
        HIDDEN
    ).all()


def test_no_more_customers_are_contacted_than_can_be(truth):
    _, today, _, (_, got, model, resemblance, _, _) = truth
    full = dict(contact_cost=6.0, margin=40.0, customers=got.n_today, draws=20)
    for capacity in (300, 0):
        settings = params(**MONEY, capacity=capacity)
        rng = np.random.default_rng(1)
        cut = best_cutoff(got.responded, model.chance, rng, capacity=capacity, **full)
        scores = score_today(got, model, resemblance, cut, settings, keep)
        n = scores.places.set_index("place")["customers"]
        assert n["above"] + n["tested"] == capacity
        assert n["no_room"] > 0
        frame = scores.table.to_pandas()
        least = frame.loc[frame["place"] == "above", "expected_profit"].min()
        assert not frame.loc[frame["place"] == "no_room", "expected_profit"].gt(least).any()
    # the bank's own cut-off; a margin of one product means that nothing else is offered
    own = params(contact_cost=6.0, margin={"card": 60.0}, cutoff=0.25)
    scores = score_today(got, model, resemblance, cut, own, keep)
    frame = scores.table.to_pandas()
    assert set(frame["product"]) == {"card"}
    like = frame["place"] != "unlike"
    assert (frame.loc[like, "chance"].ge(0.25) == frame.loc[like, "place"].eq("above")).all()
    # without costs there are chances, and no place
    scores = score_today(got, model, resemblance, None, params(), keep)
    frame = scores.table.to_pandas()
    assert frame[["place", "expected_profit"]].isna().all().all()
    assert frame["chance"].between(0, 1).all()
    assert len(frame) == len(today)
    assert "contact_cost" in " ".join(ENGLISH(one) for one in scores.notes)
    assert not propose_contacts(scores, params(), ENGLISH).count().execute()
    assert propose_test(scores, params(), ENGLISH) is None
    nobody = say_contacts(scores, propose_contacts(scores, params(), ENGLISH))
    assert "without a margin" in ENGLISH(nobody.text)
    empty = profile_chosen(scores, got, keep)
    assert tell_profile(empty, 10).status == "not_enough_data"
    assert len(profile_to_show(empty, 10)) == len(places_to_show(scores.places, 10)) == 0


def test_too_few_responses_get_words():
    contacts, today, _ = make_truth(1, n=800, people=300)
    settings = params(**MONEY)
    seen = observed(contacts.drop(columns="income"), today, settings)
    assert "0 of them" not in told(seen)
    nearly = replace(seen, responded=(np.arange(len(contacts)) > 2).astype(int))
    assert "nearly all of them" in ENGLISH(nearly.describe(10)[0])
    assert f"{len(contacts) - 3} of them" in ENGLISH(nearly.describe(3)[0])
    resemblance = None
    for responders in (0, 10, len(contacts)):
        got = replace(seen, responded=(np.arange(len(contacts)) < responders).astype(int))
        rng = np.random.default_rng(1)
        model = find_model(got, look_for_leaks(got.features, got.responded, rng), rng)
        resemblance = resemblance or find_resemblance(got, model)
        found = {one.status for one in model.findings if one.id.endswith(("auc", "chosen", "ici"))}
        assert found == {"not_enough_data"}
        margins = margins_of(got, settings)
        money = {"contact_cost": margins.cost, "margin": margins.mean}
        cutoff = best_cutoff(got.responded, model.chance, rng, **money)
        scores = score_today(got, model, resemblance, cutoff, settings, keep)
        frame = scores.table.to_pandas()
        assert frame["status"].eq("weak").all()
        assert frame["place"].isna().all()
        said = say_contacts(scores, propose_contacts(scores, settings, ENGLISH))
        assert "too few responses" in ENGLISH(said.text)
    assert tell_profile(profile_chosen(scores, got, keep), 10).status == "not_enough_data"
    assert len(resemblance_to_show(resemblance, 10)) > 0


def test_no_contacts_and_no_customers_get_words():
    contacts, today, _ = make_truth(1, n=400, people=50)
    made = as_tables({"contacts": contacts[["responded", "customer_id", "job"]]})["contacts"]
    people, settings = ibis.memtable(today), params(**MONEY)
    no_made = {"contacts": made.filter(made.job == "king")}
    nobody = people.filter(people.job == "king")
    for these, those, n in ((no_made, people, 50), ({"contacts": made}, nobody, 0)):
        got = observed(these, those, settings)
        _, resemblance, _, scores = all_of(got, settings)
        assert got.n_today == n == scores.table.count().execute()
        assert resemblance.check.passed is None
        assert resemblance.finding.status == "not_enough_data"
        assert not propose_contacts(scores, settings, ENGLISH).count().execute()


def test_bank_marketing_is_read_as_it_is(shared_data):
    data = pd.read_csv(shared_data / "bank_marketing" / "bank_additional_full.csv.gz", sep=";")
    data = data.sample(10_000, random_state=1).rename(columns={"y": "responded"})
    data["responded"] = data["responded"] == "yes"
    got = observe_contacts(as_tables({"contacts": data}), params(), keep)
    assert got.customer is got.when is got.today is None
    assert got.responded.sum() == data["responded"].sum()
    assert set(got.features) == set(data) - {"responded"}
    assert got.pairs[["product", "channel"]].isna().all().all()
    some = got.features[["poutcome", "duration"]]
    leaks = look_for_leaks(some, got.responded, np.random.default_rng(1))
    assert leaks.held_out == ("duration",)


def test_where_a_row_is_a_customer_the_contacts_are_scored(monkeypatch):
    monkeypatch.setattr(modelling, "FOLDS", 2)
    contacts, _, _ = make_truth(6, n=1000)
    own = contacts.drop(columns=["customer_id", "contacted_at", "income"])
    settings = params(**MONEY)
    got = observed(own, None, settings)
    model, resemblance, _, scores = all_of(got, settings)
    assert not model.by_time
    assert "No table tells of today's customers" in ENGLISH(resemblance.finding.text)
    frame = scores.table.to_pandas()
    assert len(frame) == len(own) == frame["customer_id"].nunique()
    assert frame["status"].eq("supported").all()
    assert not propose_contacts(scores, settings, ENGLISH).count().execute()
    profile = profile_chosen(scores, got, keep)
    assert profile.n_chosen == (frame["place"] == "above").sum() > 0
    assert "job: farmer" in ENGLISH(tell_profile(profile, 10).text)
