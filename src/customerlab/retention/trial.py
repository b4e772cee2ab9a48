"""The test that would tell: how many customers to draw by lot, and what to compare."""

from __future__ import annotations

import math

from customerlab.messages import Message, say

#: The smallest effect worth having: this share of the leavers kept.
WORTH = 0.2
#: A test is to find it with this chance, at 5 % two-sided.
POWER, LEVEL = 0.8, 0.05


def customers_per_arm(base: float | None, kept: float = WORTH) -> int | None:
    """Return how many customers each of two arms needs to show that contact keeps leavers.

    With a chance of 80 %, in a two-sided test at 5 % (Cohen 1988, arcsine differences).

    Parameters
    ----------
    base : float or None
        The share who leave without contact; None is returned where nobody does, or all.
    kept : float
        The share of leavers kept that the test is to find.
    """
    from statsmodels.stats.power import NormalIndPower  # slow to import
    from statsmodels.stats.proportion import proportion_effectsize  # slow to import

    if base is None or not 0 < base < 1:
        return None
    effect = proportion_effectsize(base, base * (1 - kept))
    return math.ceil(NormalIndPower().solve_power(effect, alpha=LEVEL, power=POWER))


def trial_for(question: str, n: int | None, base: float | None, months: int) -> Message:
    """Say which test would tell, with `n` customers in each arm."""
    if n is None:
        return say(
            "Draw customers by lot into contact and none, and compare how many left; how many it "
            "takes cannot be told without the share who leave."
        )
    told = {"n": n, "base": base, "months": months, "worth": WORTH, "power": POWER}
    if question == "product":
        return say(
            "Draw {n:count} customers who do not hold it by lot to be offered it and as many not "
            "to be; after {months:count} months it shows with a chance of {power:percent0} if the "
            "offer keeps {worth:percent0} of the leavers ({base:percent} leave in that time).",
            **told,
        )
    if question == "channel":
        return say(
            "Draw {n:count} customers by lot for each channel and as many for no contact; after "
            "{months:count} months it shows with a chance of {power:percent0} if one keeps "
            "{worth:percent0} of the leavers ({base:percent} leave in that time).",
            **told,
        )
    if question == "window":
        return say(
            "Draw {n:count} customers by lot to be contacted in the window and as many at another "
            "time; {months:count} months later it shows with a chance of {power:percent0} if "
            "{worth:percent0} fewer leave than at the other time ({base:percent} leave in that "
            "time).",
            **told,
        )
    return say(
        "Draw {n:count} customers by lot into contact and as many into none; after {months:count} "
        "months it shows with a chance of {power:percent0} if contact keeps {worth:percent0} of "
        "the leavers ({base:percent} leave in that time).",
        **told,
    )
