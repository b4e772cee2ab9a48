"""Whether the factors that were found are those that a survey's authors designed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from customerlab.drivers.factors import Factors
from customerlab.findings import Check
from customerlab.messages import Message, listed, say

Designed = Mapping[str, Sequence[str]]


def find_homes(fitted: Factors, designed: Designed) -> dict[str, str]:
    """Return where each designed factor came out: the factor that most of its items belong to.

    An item belongs to the factor on which it loads most. Of two factors with as many items the one
    on which all of them load more. Items that are not analysed do not count; a designed factor
    with no other is not there.
    """
    size = np.abs(fitted.pattern)
    homes = {}
    for name, items in designed.items():
        on = [fitted.items.index(item) for item in items if item in fitted.items]
        if on and fitted.names:
            counts = np.bincount(size[on].argmax(axis=1), minlength=len(fitted.names))
            place = max(range(len(counts)), key=lambda i: (counts[i], size[on, i].sum()))
            homes[name] = fitted.names[place]
    return homes


def compare_design(
    fitted: Factors, designed: Designed, *, item_name: Callable[[str], Message | str] = str
) -> tuple[Check, ...]:
    """Judge whether each item loads most on the factor that it was designed for.

    Parameters
    ----------
    fitted : Factors
    designed : mapping
        Name of a factor to its items, from the parameters; not all items need one.
    item_name : callable, optional
        What an item is called for readers.

    Returns
    -------
    tuple of Check
        None without a design. It fails where designed factors came out as one, or an item went
        elsewhere, and names them all.
    """
    if not designed:
        return ()
    name = say("The factors are those that were designed")
    homes = find_homes(fitted, designed)
    if not homes:
        return (Check(name, None, say("There is no factor to judge.")),)
    at_home: dict[str, list[str]] = {}
    for one, factor in homes.items():
        at_home.setdefault(factor, []).append(one)
    belongs = fitted.items_told.set_index("item")["factor"]
    wrong = [
        say("Designed as factors of their own, but found as one: {names}.", names=listed(ones))
        for ones in at_home.values()
        if len(ones) > 1
    ]
    compared = 0
    for one, home in homes.items():
        gone: dict[str, list[Message | str]] = {}
        for item in (item for item in designed[one] if item in fitted.items):
            compared += 1
            if belongs[item] != home:
                gone.setdefault(belongs[item], []).append(item_name(item))
        wrong += [_gone(one, items, at_home.get(factor)) for factor, items in gone.items()]
    if not wrong:
        text = say(
            "Items compared: {items:count}. Each loads most on the factor that it was designed "
            "for.",
            items=compared,
        )
        return (Check(name, True, text),)
    text = wrong[0]
    for more in (*wrong[1:], say("What is weighed here are the factors as they were found.")):
        text = say("{some} {more}", some=text, more=more)
    # the words for a factor promise more than it holds
    return (Check(name, False, text, ("repurchase_drivers.weight", "repurchase_drivers.top")),)


def _gone(designed: str, items: Sequence[Message | str], where: Sequence[str] | None) -> Message:
    found = {"designed": designed, "items": listed(items)}
    if where is None:
        return say(
            "Designed for {designed}, but loading most on a factor that was not designed: {items}.",
            **found,
        )
    return say(
        "Designed for {designed}, but loading most on {factor}: {items}.",
        factor=listed(where),
        **found,
    )
