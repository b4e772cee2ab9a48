"""What may be said about a rule for invalid customers: findings and checks in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from customerlab.findings import Check, Finding
from customerlab.messages import Message, say
from customerlab.privacy import HIDDEN, round_counts
from customerlab.validity.consensus import Demand, holds
from customerlab.validity.judgement import QUIET_MONTHS, Judgement
from customerlab.validity.tables import outcomes_table, over_time_table

_SECTION = "invalid_customers"
#: Above this share of customers whom no cut can judge, what is said of cuts is weak.
MUCH_UNKNOWN = 0.05
#: The share removed may differ by so much between landmarks.
MUCH_CHANGE = 0.05


def describe_consensus(judgement: Judgement | Message, min_cell: int) -> tuple[Finding, ...]:
    """Say which rule the departments can agree on, and what it would have done.

    Parameters
    ----------
    judgement : Judgement or Message
        A message says why nothing could be judged.
    min_cell : int
        Counts are rounded to a multiple of it.

    Returns
    -------
    tuple of Finding
        ``consensus_cut``, ``quiet``, ``share_removed``, ``came_back``, and what is lost:
        ``assets_lost``, ``spend_lost``.
    """
    if isinstance(judgement, Message):
        return (_unanswered(judgement),)
    found = [_consensus_cut(judgement), _quiet(judgement, min_cell)]
    subject = judgement.subject
    if subject is None:
        return tuple(found)
    outcomes, place = judgement.judged.outcomes, judgement.place(subject)
    shown = outcomes_table(outcomes, min_cell).iloc[place]
    history = judgement.history
    rule = _BY_PROPOSED if judgement.proposed else _BY_IN_FORCE
    total = int(round_counts(pd.Series([outcomes.customers]), min_cell).iloc[0])
    texts = {
        "share_removed": say(
            "{rule}, {share:percent} of the customers of {landmark:date} would have left the "
            "count: about {removed:count} of {total:count}.",
            rule=rule,
            share=shown["share_removed"],
            landmark=history.landmark,
            removed=int(shown["customers"]),
            total=total,
        ),
        "came_back": say(
            "{rule}, {share:percent2} of those removed came back within {months:count} months.",
            rule=rule,
            share=shown["came_back"],
            months=history.months,
        ),
        "assets_lost": say(
            "{rule}, those removed held {share:percent2} of all assets {months:count} months "
            "later.",
            rule=rule,
            share=shown["assets_lost"],
            months=history.months,
        ),
        "spend_lost": say(
            "{rule}, those removed made {share:percent2} of all spend in the {months:count} "
            "months that followed.",
            rule=rule,
            share=shown["spend_lost"],
            months=history.months,
        ),
    }
    for measure in ("share_removed", "came_back", *judgement.losses):
        value = shown[measure]
        known = not isinstance(value, str) and bool(np.isfinite(value))
        text = texts[measure]
        if not known:
            text = say(
                "{rule}, too few customers would have been removed, or came back, or did not, to "
                "say more.",
                rule=rule,
            )
        ends = [shown[f"{measure}_{end}"] for end in ("low", "high")]
        found.append(
            Finding(
                f"{_SECTION}.{measure}",
                text,
                float(value) if known else None,
                *([float(end) for end in ends] if known else [None, None]),
                unit="percent2" if measure != "share_removed" else "percent",
                n=total if measure == "share_removed" else int(shown["customers"]),
                status="supported" if known else "not_enough_data",
            )
        )
    return tuple(found)


_BY_PROPOSED = say("By the proposed rule")
_BY_IN_FORCE = say("By the rule in force")


def _unanswered(why: Message) -> Finding:
    return Finding(
        f"{_SECTION}.consensus_cut",
        why,
        say("not known"),
        status="not_enough_data",
    )


def pair_in_words(worth: str, cut: float, idle_months: int) -> Message:
    """Return a pair of cuts as people say it."""
    return Message(_PAIRS[worth].text, {"cut": cut, "months": idle_months})


_PAIRS = {
    "assets": say("assets of at most {cut:number} and no movement in {months:count} months"),
    "spend_12m": say(
        "spend of at most {cut:number} in a year and no movement in {months:count} months"
    ),
}


def _consensus_cut(judgement: Judgement) -> Finding:
    consensus, surface = judgement.consensus, judgement.surface
    n = surface.outcomes.customers
    if not consensus.demands:
        return _unanswered(
            say(
                "No department states what a rule may cost, so there is no consensus to look for: "
                "write their tolerances under departments."
            )
        )
    if consensus.chosen is None:
        return Finding(
            f"{_SECTION}.consensus_cut",
            say(
                "No cut meets the demands of all departments. {clashes}",
                clashes=_clashes(consensus.clashes),
            ),
            say("no common cut"),
            n=n,
        )
    row, column = consensus.chosen
    cut, months = float(surface.cuts[row]), int(surface.idle[column])
    place = judgement.place(judgement.proposed)
    confidence = float(holds(judgement.judged.outcomes, consensus.demands)[place])
    pair = pair_in_words(surface.worth, cut, months)
    text = say(
        "Every department can accept this rule: {pair}. All demands together are met in "
        "{confidence:percent0} of the resamples.",
        pair=pair,
        confidence=confidence,
    )
    if consensus.best != consensus.chosen and consensus.best is not None:
        best_row, best_column = consensus.best
        text = say(
            "Every department can accept this rule: {pair}. All demands together are met in "
            "{confidence:percent0} of the resamples. The cut that removes most: {best}; the "
            "round one is nearly as good.",
            pair=pair,
            confidence=confidence,
            best=pair_in_words(
                surface.worth, float(surface.cuts[best_row]), int(surface.idle[best_column])
            ),
        )
    return Finding(
        f"{_SECTION}.consensus_cut",
        text,
        say("{cut:number} and {months:count} months", cut=cut, months=months),
        n=n,
    )


def _quiet(judgement: Judgement, min_cell: int) -> Finding:
    """Say how many there are among whom a rule could find anybody."""
    history, total = judgement.history, judgement.surface.outcomes.customers
    idle = history.customers.idle_months
    quiet = int((idle >= QUIET_MONTHS).sum().fill_null(0).execute())
    shown, all_ = round_counts(pd.Series([quiet, total]), min_cell)
    share = min(shown / total, 1.0)
    return Finding(
        f"{_SECTION}.quiet",
        say(
            "{share:percent} of the customers of {landmark:date}, about {quiet:count} of "
            "{total:count}, had made no movement for {months:count} months.",
            share=share,
            landmark=history.landmark,
            quiet=int(shown),
            total=int(all_),
            months=QUIET_MONTHS,
        ),
        *(share,) * 3,
        unit="percent",
        n=int(all_),
    )


def _clashes(clashes: tuple[tuple[Demand, ...], ...]) -> Message:
    """Name the demands that no cut meets together."""
    sentences: list[Message] = []
    for clash in clashes:
        if len(clash) == 1:
            sentences.append(say("No cut can meet “{demand}”.", demand=clash[0].text))
            continue
        joined: Message = say("“{demand}”", demand=clash[0].text)
        for demand in clash[1:]:
            joined = say("{some} and “{demand}”", some=joined, demand=demand.text)
        sentences.append(say("These clash: {demands}.", demands=joined))
    text = sentences[0]
    for one in sentences[1:]:
        text = say("{some} {more}", some=text, more=one)
    return text


def describe_region(judgement: Judgement | Message) -> tuple[Message, ...]:
    """Say how far the proposed cut could move and be nearly as good."""
    if isinstance(judgement, Message) or judgement.consensus.chosen is None:
        return ()
    surface, region = judgement.surface, judgement.consensus.region
    rows, columns = np.nonzero(region)
    return (
        say(
            "Nearly as good, as far as these data tell, are {count:count} of the {all:count} pairs "
            "of cuts tried: between {low:number} and {high:number}, and between {least:count} and "
            "{most:count} months.",
            count=len(rows),
            all=region.size,
            low=float(surface.cuts[rows.min()]),
            high=float(surface.cuts[rows.max()]),
            least=int(surface.idle[columns.min()]),
            most=int(surface.idle[columns.max()]),
        ),
    )


def compare_agreed(judgement: Judgement | Message, min_cell: int) -> tuple[Finding, ...]:
    """Say how far what people agreed on lies from the proposed cut, and what that costs."""
    if isinstance(judgement, Message) or judgement.settings.agreed is None:
        return ()
    agreed, proposed = judgement.in_force, judgement.proposed
    if proposed is None or agreed not in judgement.judged.rules:
        return ()
    outcomes = judgement.judged.outcomes
    at, there = judgement.place(agreed), judgement.place(proposed)
    resampled = outcomes.resampled["share_removed"]
    low, high = np.quantile(resampled[:, at] - resampled[:, there], [0.025, 0.975])
    shown = outcomes_table(outcomes, min_cell)
    shares = shown["share_removed"]
    if HIDDEN in (shares[at], shares[there]):
        return ()
    difference = float(shares[at] - shares[there])
    decided = judgement.settings.agreed
    column = "spend_12m" if decided.assets is None else "assets"
    direction = "more" if difference > 0 else "fewer" if difference < 0 else "as many"
    text: Message = Message(
        _AGREED[direction].text,
        {
            "by": decided.by,
            "pair": pair_in_words(column, getattr(decided, column), decided.idle_months),
            "difference": abs(difference),
        },
    )
    back = shown["came_back"]
    if HIDDEN not in (back[at], back[there]) and not pd.isna([back[at], back[there]]).any():
        text = say(
            "{some} {more}",
            some=text,
            more=say(
                "Of those removed {agreed:percent2} came back, against {proposed:percent2}.",
                agreed=back[at],
                proposed=back[there],
            ),
        )
    saved = shown["cost_saved"]
    if judgement.settings.contact_cost is not None and HIDDEN not in (saved[at], saved[there]):
        text = say(
            "{some} {more}",
            some=text,
            more=say(
                "It saves {agreed:money} of contact cost a year, against {proposed:money}.",
                agreed=saved[at],
                proposed=saved[there],
            ),
        )
    return (
        Finding(
            f"{_SECTION}.agreed_instead",
            text,
            difference,
            min(float(low), difference),  # of rounded counts, it may lie a little outside
            max(float(high), difference),
            unit="percent2",
            n=outcomes.customers,
        ),
    )


_AGREED = {
    "more": say(
        "{by} agreed on {pair}. It removes more customers than the proposed rule: "
        "{difference:percent2} of all."
    ),
    "fewer": say(
        "{by} agreed on {pair}. It removes fewer customers than the proposed rule: "
        "{difference:percent2} of all."
    ),
    "as many": say(
        "{by} agreed on {pair}. It removes about as many customers as the proposed rule."
    ),
}


def check_judgement(judgement: Judgement | Message, min_cell: int) -> tuple[Check, ...]:
    """Judge whether what the past says of the rules can be trusted."""
    about = tuple(
        f"{_SECTION}.{name}"
        for name in (
            "consensus_cut",
            "quiet",
            "share_removed",
            "came_back",
            "assets_lost",
            "spend_lost",
        )
    )
    if isinstance(judgement, Message):
        return (Check(say("There is a past to judge by"), None, judgement, about),)
    unknown, total = judgement.surface.unknown, judgement.surface.outcomes.customers
    share = unknown / total if total else 0.0
    return (
        Check(
            say("Few customers of the landmark could not be judged"),
            share <= MUCH_UNKNOWN,
            say(
                "The assets, spend or idle months of {unknown:customers} of {total:customers} "
                "customers ({share:percent}) are not known on that day; up to {limit:percent0} "
                "passes.",
                unknown=unknown,
                total=total,
                share=share,
                limit=MUCH_UNKNOWN,
            ),
            about,
        ),
        _holds_over_time(judgement, about, min_cell),
    )


def _holds_over_time(judgement: Judgement, about: tuple[str, ...], min_cell: int) -> Check:
    name = say("The rule does the same at other landmarks")
    if len(judgement.over_time) < 2:
        return Check(name, None, say("The data are too short for a second landmark."), about)
    table = over_time_table(judgement, min_cell)
    if (table == HIDDEN).any(axis=None) or table["came_back"].isna().any():
        text = say(
            "At one or more of {count:count} landmarks too few of those removed came back to "
            "compare.",
            count=len(table),
        )
        return Check(name, None, text, about)
    low, high = table["share_removed"].min(), table["share_removed"].max()
    # a share that came back differs for certain where two intervals do not touch
    same = bool(table["came_back_low"].max() <= table["came_back_high"].min())
    return Check(
        name,
        bool(round(high - low, 4) <= MUCH_CHANGE) and same,  # 0.2 - 0.15 is above 0.05
        say(
            "At {count:count} landmarks it removes {low:percent} to {high:percent} of the "
            "customers, and {least:percent2} to {most:percent2} of those came back within "
            "{months:count} months. Passes when the first differ by at most {limit:percent0} and "
            "the intervals of the second touch.",
            count=len(table),
            low=float(low),
            high=float(high),
            least=float(table["came_back"].min()),
            most=float(table["came_back"].max()),
            months=int(table["months"].iloc[0]),
            limit=MUCH_CHANGE,
        ),
        about,
    )
