"""How good the response model is, in sentences, and its tables as a report may show them."""

from __future__ import annotations

import pandas as pd

from customerlab.findings import STATUSES, Check, Finding
from customerlab.messages import say
from customerlab.response.judged import MEASURES, Judgement
from customerlab.uplift.to_show import hide, rounded

#: A mean distance of a chance from the truth up to this is none that a decision would feel.
CLOSE = 0.01


def gains_to_show(judged: Judgement, min_cell: int) -> pd.DataFrame:
    """Return the table ``gains.csv`` of a report; contacts rounded to multiples of `min_cell`.

    Rates and shares are of so many responders that none tells of few; where the responders of a
    row, or those beyond it, are fewer than `min_cell`, its numbers read ``hidden``.
    """
    table = judged.gains
    held = table["held"].astype(float) * judged.responders
    few = held.between(0.5, min_cell - 0.5) | (judged.responders - held).between(
        0.5, min_cell - 0.5
    )
    shown = hide(table, [c for c in table if c not in {"share", "contacts"}], few.to_numpy())
    return shown.assign(contacts=rounded(table["contacts"], min_cell))


def judged_to_show(judged: Judgement) -> pd.DataFrame:
    """Return the measures in words, for ``calibration.csv``: no counts."""
    return judged.table.assign(
        measure=[MEASURES[one] for one in judged.table["measure"]],
        status=STATUSES[judged.status],
    )


def tell_judged(judged: Judgement) -> tuple[Finding, ...]:
    """Return ``response_model.auc``, ``response_model.better_half`` and ``response_model.ici``.

    Only ``response_model.better_half`` where too few responded, or did not.
    """
    if judged.status == "not_enough_data":
        few = say("Too few responded, or did not, to judge how well the model foretells that.")
        name = "response_model.better_half"
        return (Finding(name, few, unit="percent", n=judged.n, status=judged.status),)
    values = {name: judged.value(name) for name in ("auc", "better_half", "ici")}
    texts = {
        "auc": say(
            "Of a customer who responds and one who does not, the model gives the first the higher "
            "chance in {value:percent0} of the cases; a coin would in half.",
            value=values["auc"][0],
        ),
        "better_half": say(
            "Whoever calls only the better half of the customers reaches {value:percent0} of those "
            "who respond.",
            value=values["better_half"][0],
        ),
        "ici": say(
            "A chance that the model tells is off by {value:percent1} on average, on contacts that "
            "it had not seen.",
            value=values["ici"][0],
        ),
    }
    return tuple(
        Finding(f"response_model.{name}", text, *values[name], "percent", judged.n, judged.status)
        for name, text in texts.items()
    )


def check_chances(judged: Judgement) -> Check:
    """Judge whether the chances are true enough to put money on them."""
    name = say("The chances of a response come true")
    if judged.status == "not_enough_data":
        return Check(name, None, say("Too few responses to compare the chances with."))
    value, low, high = judged.value("ici")
    text = say(
        "On average a chance is {value:percent2} from the share that responded (95 % interval "
        "{low:percent2} to {high:percent2}); up to {most:percent0} is close enough.",
        value=value,
        low=low,
        high=high,
        most=CLOSE,
    )
    return Check(name, bool(value <= CLOSE), text, ("response_model.cutoff",))


def tell_drift(in_time: Judgement, shuffled: Judgement) -> Finding:
    """Return ``response_model.drift``: how much worse later contacts are foretold than mixed ones.

    Parameters
    ----------
    in_time : Judgement
        Of models that learnt only from earlier contacts.
    shuffled : Judgement
        Of models that learnt from earlier and later ones.
    """
    id_ = "response_model.drift"
    if "not_enough_data" in (in_time.status, shuffled.status):
        text = say("Too few responses to tell whether customers change over time.")
        return Finding(id_, text, unit="percent", status="not_enough_data")
    value, low, high = in_time.value("auc")
    mixed = shuffled.value("auc")[0]
    text = say(
        "On later contacts than it learnt from the model ranks {later:percent0} of the pairs "
        "right, on contacts of the same time {mixed:percent0}: customers' behaviour moves, so fit "
        "it again often.",
        later=value,
        mixed=mixed,
    )
    if low <= mixed <= high:
        text = say(
            "On later contacts than it learnt from the model ranks {later:percent0} of the pairs "
            "right, about as on contacts of the same time ({mixed:percent0}).",
            later=value,
            mixed=mixed,
        )
    return Finding(id_, text, value, low, high, "percent", in_time.n, in_time.status)
