"""From contacts to the model that is used, judged on contacts that it had not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from customerlab.churn.curves import FEW_EVENTS
from customerlab.findings import Check, Finding
from customerlab.messages import Message, say
from customerlab.response.boosted import Boosted, Choice, choose_model, fit_boosted, tell_choice
from customerlab.response.contacts import Contacts
from customerlab.response.judged import Judgement, judge
from customerlab.response.judged_answers import check_chances, tell_drift, tell_judged
from customerlab.response.leaks import Leaks
from customerlab.response.scorecard import Scorecard, fit_scorecard
from customerlab.response.splits import Split, foretell_unseen, split_by_customer, split_by_time
from customerlab.response.stability import (
    COLUMNS,
    SCORE,
    stability,
    stability_to_show,
    tell_stability,
)

#: Parts in which contacts are judged by what others teach.
FOLDS = 4
#: With fewer stretches of time to be foretold, models are judged on shuffled contacts.
LEAST_STRETCHES = 2
#: What is compared in :attr:`Model.stability`, in words.
COMPARED: dict[str, Message] = {
    "halves": say("later contacts with earlier ones"),
    "today": say("today's customers with those contacted"),
}


@dataclass(frozen=True)
class Model:
    """The response model.

    Attributes
    ----------
    chosen : {"scorecard", "boosted"}
    names : tuple of str
        The features that it may use; :data:`customerlab.features.PAIR` may stand for two.
    card : Scorecard
    boosted : Boosted
    choice : Choice
        How the two compare on the contacts of `chance`.
    chance : ndarray, shape (contacts,)
        By a model of the chosen kind that had not seen the contact: where `by_time`, of earlier
        contacts only, and missing for the first; otherwise of other customers.
    judged : Judgement
        Of `chance`.
    in_time, shuffled : Judgement
        Models that learnt from earlier contacts only, and from other customers' contacts of all
        times, on the same contacts; both are `judged` where there is no time to tell them apart.
    by_time : bool
    stability : DataFrame
        ``compared`` (a key of :data:`COMPARED`), and the columns of
        :func:`customerlab.response.stability.stability`.
    findings : tuple of Finding
        ``response_model.auc``, ``.better_half``, ``.ici``, ``.chosen``, ``.drift``, ``.stable``.
    checks : tuple of Check
    """

    chosen: str
    names: tuple[str, ...]
    card: Scorecard
    boosted: Boosted
    choice: Choice
    chance: np.ndarray
    judged: Judgement
    in_time: Judgement
    shuffled: Judgement
    by_time: bool
    stability: pd.DataFrame
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]

    def chance_of(self, features: pd.DataFrame) -> np.ndarray:
        """Return the chance of a response; what was never seen counts as the average."""
        if self.chosen == "boosted":
            return self.boosted.chance(features)
        return self.card.score(features).chance


def find_model(contacts: Contacts, leaks: Leaks, rng: np.random.Generator) -> Model:
    """Fit scorecard and boosted trees, take one, and judge it.

    Parameters
    ----------
    contacts : Contacts
    leaks : Leaks
        From :func:`customerlab.response.leaks.look_for_leaks`: what it holds out is not used.
    rng : Generator
        Draws folds and bootstraps.
    """
    x, y = contacts.modelled(leaks.keep(contacts.usable)), contacts.responded
    whom = contacts.customer
    everyone = np.arange(len(y)) if whom is None else whom
    folds = split_by_customer(everyone, y, rng, FOLDS)
    late = [] if contacts.when is None else _learnable(split_by_time(contacts.when, FOLDS), y)
    by_time = len(late) >= LEAST_STRETCHES
    unseen = {
        name: foretell_unseen(fit, x, y, late if by_time else folds) for name, fit in _FITS.items()
    }
    choice = choose_model(y, unseen["scorecard"], unseen["boosted"], customer=whom)
    chosen, chance = choice.chosen, unseen[choice.chosen]
    judged = judge(y, chance, rng, customer=whom)
    mixed = judged
    if by_time:
        others = foretell_unseen(_FITS[chosen], x, y, folds)
        mixed = judge(y, np.where(np.isnan(chance), np.nan, others), rng, customer=whom)
    card, boosted = fit_scorecard(x, y), fit_boosted(x, y)
    model = Model(
        chosen=chosen,
        names=tuple(x),
        card=card,
        boosted=boosted,
        choice=choice,
        chance=chance,
        judged=judged,
        in_time=judged,
        shuffled=mixed,
        by_time=by_time,
        stability=pd.DataFrame(columns=["compared", *COLUMNS]),
        findings=(),
        checks=(check_chances(judged),),
    )
    table = compare_times(contacts, model, x)
    now = table[table["compared"] == "today"].drop(columns="compared")
    findings = [*tell_judged(judged), tell_choice(choice)]
    findings += [tell_drift(judged, mixed)] if by_time else []
    findings += [tell_stability(now)] if contacts.today is not None else []
    return replace(model, stability=table, findings=tuple(findings))


def _learnable(splits: list[Split], responded: np.ndarray) -> list[Split]:
    """Return the splits from whose earlier contacts something can be learnt."""
    yes = [int(responded[learnt].sum()) for learnt, _ in splits]
    return [
        split
        for split, n in zip(splits, yes, strict=True)
        if min(n, len(split[0]) - n) >= FEW_EVENTS
    ]


def _by_scorecard(x: pd.DataFrame, y: np.ndarray) -> Callable[[pd.DataFrame], np.ndarray]:
    card = fit_scorecard(x, y)
    return lambda features: card.score(features).chance


def _by_trees(x: pd.DataFrame, y: np.ndarray) -> Callable[[pd.DataFrame], np.ndarray]:
    return fit_boosted(x, y).chance


_FITS = {"scorecard": _by_scorecard, "boosted": _by_trees}


def compare_times(contacts: Contacts, model: Model, x: pd.DataFrame) -> pd.DataFrame:
    """Compare later contacts with earlier ones, and today's customers with those contacted.

    Parameters
    ----------
    contacts : Contacts
    model : Model
    x : DataFrame
        What the model may use of the contacts.

    Returns
    -------
    DataFrame
        ``compared`` (a key of :data:`COMPARED`), and the columns of
        :func:`customerlab.response.stability.stability`: the score where it is known of both, and
        the features of customers that the model may use.
    """
    parts = {}
    if contacts.when is not None:
        when = pd.Series(contacts.when)
        later = (when > when.median()).to_numpy()
        scored = x.assign(**{SCORE: model.chance_of(x)}) if len(x) else x
        parts["halves"] = stability(scored[~later], scored[later])
    now = contacts.drawn_today
    if now is not None:
        same = [name for name in model.names if name in now]
        parts["today"] = stability(x[same], now[same])
    columns = ["compared", *COLUMNS]
    frames = [part.assign(compared=name) for name, part in parts.items() if len(part)]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def times_to_show(table: pd.DataFrame) -> pd.DataFrame:
    """Return :attr:`Model.stability` in words; it holds no counts."""
    shown = stability_to_show(table.drop(columns="compared"))
    shown.insert(0, "compared", [COMPARED[one] for one in table["compared"]])
    return shown
