"""What customers say: contacts with the bank and ratings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from customerlab.simulate import planted, text
from customerlab.simulate.lives import Lives
from customerlab.simulate.people import People, Window

TOPICS = ("complaint", "question", "card", "loan")
CONTACT_CHANNELS = ("phone", "app", "branch")
NOTES = ("", "asked to be called back", "sent to the branch", "explained fees")
COMMENTS = ("", "fine", "too many forms", "friendly staff", "the app is slow")
#: Other contacts a month of an active customer; they are always settled.
OTHER_CONTACTS = 0.05
#: Chance that a settled complaint took a second call.
SECOND_CALL = 0.3
#: Chance that an active customer rates the bank in the one month in which we ask.
RATES = 0.35
#: Where the five answers of a rating are cut, in standard deviations.
CUTS = np.array((-1.5, -0.7, 0.2, 1.1))
ITEMS = tuple(item for items in planted.RATING_FACTORS.values() for item in items)


def interactions(
    rng: np.random.Generator, people: People, lives: Lives, window: Window
) -> dict[str, pa.Array]:
    """Write one piece's contacts as text columns, in the order of time.

    A contact left unresolved is a complaint and stays so; all later contacts about its case
    are unresolved, too.
    """
    contacts = {
        name: np.concatenate([c[name] for c in lives.contacts]) for name in lives.contacts[0]
    }
    again = np.flatnonzero(
        contacts["resolved"] & (rng.random(len(contacts["month"])) < SECOND_CALL)
    )
    contacts = {name: np.r_[values, values[again]] for name, values in contacts.items()}
    person, month = np.nonzero(lives.active & (rng.random(lives.active.shape) < OTHER_CONTACTS))
    complaints, others = len(contacts["month"]), len(person)
    all_person = np.r_[contacts["person"], person]
    all_month = np.r_[contacts["month"], month]
    day = _day(rng, people, window, all_person, all_month)
    moment = day.astype("datetime64[m]") + rng.integers(8 * 60, 20 * 60, len(day))
    order = np.argsort(moment, kind="stable")
    topic = np.r_[np.zeros(complaints, dtype=int), rng.integers(1, len(TOPICS), others)]
    # Case numbers of other contacts start at 100; nobody has as many complaints.
    case = np.r_[contacts["case"], 100 + month]
    case = people.number[all_person] * 1000 + case
    resolved = np.r_[contacts["resolved"], np.ones(others, dtype=bool)]
    note = rng.choice(len(NOTES), len(day), p=[0.7, 0.1, 0.1, 0.1])
    return {
        "customer_id": text.ids("C", 8, people.number[all_person][order]),
        "occurred_at": text.times(moment[order]),
        "channel": text.pick(CONTACT_CHANNELS, rng.integers(0, 3, len(day))),
        "topic": text.pick(TOPICS, topic[order]),
        "case_id": text.ids("Q", 11, case[order]),
        "resolved": text.pick(("false", "true"), resolved[order].astype(int)),
        "note": text.pick(NOTES, note),
    }


def ratings(
    rng: np.random.Generator, people: People, lives: Lives, window: Window
) -> dict[str, pa.Array]:
    """Write one piece's ratings as text columns: answers from 1 to 5, by latent factors."""
    month = rng.integers(0, window.months, len(people))
    asked = lives.active[np.arange(len(people)), month] & (rng.random(len(people)) < RATES)
    person = np.flatnonzero(asked)
    day = _day(rng, people, window, person, month[person])
    moment = day.astype("datetime64[m]") + rng.integers(8 * 60, 22 * 60, len(day))
    answers = {}
    for place, items in enumerate(planted.RATING_FACTORS.values()):
        for item, loading in items.items():
            noise = rng.normal(size=len(person)) * np.sqrt(1 - loading**2)
            latent = loading * people.factors[person, place] + noise
            answers[item] = np.searchsorted(CUTS, latent) + 1
    weights = np.array(list(planted.FACTOR_WEIGHTS.values()))
    liking = people.factors[person] @ (weights / np.linalg.norm(weights))
    overall = 0.8 * liking + 0.6 * rng.normal(size=len(person))
    answers["overall"] = np.searchsorted(CUTS, overall) + 1
    scale = (None, "1", "2", "3", "4", "5")
    comment = rng.choice(len(COMMENTS), len(person), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    return {
        "customer_id": text.ids("C", 8, people.number[person]),
        "occurred_at": text.times(moment),
        **{name: text.pick(scale, values) for name, values in answers.items()},
        "comment": text.pick(COMMENTS, comment),
    }


def _day(
    rng: np.random.Generator,
    people: People,
    window: Window,
    person: np.ndarray,
    month: np.ndarray,
) -> np.ndarray:
    """Draw a day of the month, not before joining."""
    first = np.maximum(window.first_day(month), people.joined[person])
    room = (window.first_day(month + 1) - first).astype(int)
    return first + (rng.random(len(person)) * room).astype(int)
