"""Whether a survey's answers can be read: numbers, few of them missing, on one scale."""

from __future__ import annotations

import pandas as pd

from customerlab.findings import Check
from customerlab.messages import listed, say

#: Above these shares, of all answers and of those given, an item is missing or read badly.
MUCH_MISSING, MUCH_ASIDE = 0.2, 0.05


def check_answers(answers: pd.DataFrame, scale: tuple[float, float] | None) -> tuple[Check, ...]:
    """Judge the table of answers; see ``survey.Survey``.

    Parameters
    ----------
    answers : DataFrame
        :attr:`customerlab.drivers.survey.Survey.answers` of the items.
    scale : (float, float) or None
        The lowest and the highest answer, where the parameters declare them.
    """
    if not answers["answered"].sum():
        name = say("There are answers to read")
        return (Check(name, False, say("No respondent answered any question with a number.")),)
    return (_check_read(answers), _check_missing(answers), _check_scale(answers, scale))


def _check_read(answers: pd.DataFrame) -> Check:
    aside = answers["not_a_number"] + answers["off_scale"]
    given = answers["respondents"] - answers["empty"]
    share = (aside / given.where(given > 0)).fillna(0)
    worst = share.idxmax()
    facts = {
        "words": int(answers["not_a_number"].sum()),
        "off": int(answers["off_scale"].sum()),
        "given": int(given.sum()),
        "item": answers["item"][worst],
        "share": float(share[worst]),
        "limit": MUCH_ASIDE,
    }
    name = say("Answers are numbers on the scale")
    if not aside.sum():
        return Check(name, True, say("All {given:count} answers given are.", **facts))
    text = say(
        "Of {given:count} answers given, {words:count} are no numbers and {off:count} are off the "
        "scale; they count as missing. Most of them stand in {item}: {share:percent} of its "
        "answers; up to {limit:percent0} of each passes.",
        **facts,
    )
    return Check(name, bool(share[worst] <= MUCH_ASIDE), text)


def _check_missing(answers: pd.DataFrame) -> Check:
    worst = answers["missing_share"].idxmax()
    name = say("Few answers are missing")
    if not answers["missing_share"].any():
        return Check(name, True, say("No answer is missing."))
    text = say(
        "{share:percent} of all answers are missing; most of them in {item}, of which "
        "{most:percent} are. Up to {limit:percent0} of each passes.",
        share=float(answers["missing_share"].mean()),
        item=answers["item"][worst],
        most=float(answers["missing_share"][worst]),
        limit=MUCH_MISSING,
    )
    passed = bool(answers["missing_share"][worst] <= MUCH_MISSING)
    return Check(name, passed, text)


def _check_scale(answers: pd.DataFrame, scale: tuple[float, float] | None) -> Check:
    """Look for codes such as 99 among answers from 1 to 5, where no scale is declared."""
    name = say("Questions have one scale")
    if scale is not None:
        text = say("It goes from {low:number} to {high:number}.", low=scale[0], high=scale[1])
        return Check(name, True, text)
    known = answers[answers["answered"] > 0]
    most = known["most"].mode()
    if known.empty or (known["most"] == most.iloc[0]).mean() <= 0.5:
        return Check(name, None, say("The highest answer differs from question to question."))
    beyond = known[known["most"] > most.iloc[0]]
    if beyond.empty:
        text = say("No answer is above {high:number}.", high=float(most.iloc[0]))
        return Check(name, True, text)
    text = say(
        "Most questions are answered up to {high:number}, and {items} up to {most:number}: a code "
        "for no answer? Declare the scale, so that what is off it counts as missing.",
        high=float(most.iloc[0]),
        items=listed(beyond["item"].to_list()),
        most=float(beyond["most"].max()),
    )
    return Check(name, False, text)
