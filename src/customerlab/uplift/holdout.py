"""How many customers to hold back by lot the next time, so that the effect can be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customerlab.messages import Message, say
from customerlab.uplift.power import power_of_means, power_of_shares

#: Looked for where no effect that pays is named: this part of today's level.
RELATIVE = 0.1


@dataclass(frozen=True)
class Holdout:
    """How many customers to contact and to hold back, drawn by lot.

    Attributes
    ----------
    customers : float
        To be drawn from.
    contact, hold_back : float
        How many of each; missing where no size would do, or the effect is not possible. Together
        more than `customers` where these are too few.
    effect : float
        To be found, in the outcome's unit (of a share: 0.01 is one point).
    pays : bool
        Whether that is the smallest effect that pays; else a tenth of today's level.
    target : float
        Chance to find it, by a test at the 5 % level, both sides.
    base : float
        Today's level without contact.
    share : bool
        Whether the outcome is 0/1.
    called : Message or str
        The outcome in words.
    """

    customers: float
    contact: float
    hold_back: float
    effect: float
    pays: bool
    target: float
    base: float
    share: bool
    called: Message | str

    @property
    def text(self) -> Message:
        """The advice in words."""
        if np.isnan(self.effect):
            return say(
                "Draw by lot next time who is contacted. How many to hold back cannot be told yet: "
                "too little is known of {outcome} without contact.",
                outcome=self.called,
            )
        effect = self._say_effect()
        if np.isnan(self.hold_back):
            return say("No test would find {effect}: so large an effect cannot be.", effect=effect)
        told = {"effect": effect, "contact": self.contact, "hold_back": self.hold_back}
        told |= {"target": self.target, "customers": self.customers}
        if self.contact + self.hold_back > self.customers:
            return say(
                "Next time hold back {hold_back:count} customers drawn by lot and contact "
                "{contact:count}: that finds {effect} with a chance of {target:percent0}. The "
                "{customers:customers} customers of this time are too few, so run it for longer "
                "or more widely.",
                **told,
            )
        return say(
            "Next time hold back {hold_back:count} of {customers:customers} customers drawn by "
            "lot and contact the others: that finds {effect} with a chance of {target:percent0}.",
            **told,
        )

    def _say_effect(self) -> Message:
        told = {"outcome": self.called, "effect": abs(self.effect) * (100 if self.share else 1)}
        if self.share and self.pays:
            return say(
                "the smallest effect on {outcome} that pays ({effect:number2} percentage points)",
                **told,
            )
        if self.share:
            return say(
                "a change of {outcome} by {effect:number2} percentage points from {base:percent}",
                base=self.base,
                **told,
            )
        if self.pays:
            return say("the smallest effect on {outcome} that pays ({effect:number2})", **told)
        return say(
            "a change of {outcome} by {effect:number2} from {base:number2} on average",
            base=self.base,
            **told,
        )


def recommend_holdout(
    base: float,
    customers: float,
    *,
    sd: float | None = None,
    pays: float | None = None,
    target: float = 0.8,
    called: Message | str | None = None,
) -> Holdout:
    """Tell how many of the customers to hold back, drawn by lot.

    As few as find the effect while all others are contacted; where even half of them is too few,
    two groups of the size that is needed.

    Parameters
    ----------
    base : float
        The outcome's mean, or share, without contact.
    customers : float
        That the next campaign could contact.
    sd : float, optional
        Standard deviation of an amount; a 0/1 outcome has none.
    pays : float, optional
        The smallest effect that pays, in the outcome's unit: the cost of a contact over what one
        more is worth. When left out a tenth of the mean, or of the rarer share.
    target : float
        Chance with which it shall be found.
    called : Message or str, optional
        The outcome in words.

    Raises
    ------
    ValueError
        If an effect that pays is 0.
    """
    called = say("the outcome") if called is None else called
    if pays == 0:
        raise ValueError("an effect that pays is not 0")
    level = base if sd is not None else min(base, 1 - base)
    effect = RELATIVE * abs(level) if pays is None else float(pays)
    nan = float("nan")
    named = {"pays": pays is not None, "target": target, "base": float(base), "called": called}
    named |= {"customers": float(customers), "share": sd is None}
    known = 0 < base < 1 if sd is None else sd > 0
    if not known or not effect or not np.isfinite(effect) or customers < 2:
        return Holdout(contact=nan, hold_back=nan, effect=nan, **named)
    if sd is None and not 0 <= base + effect <= 1:
        return Holdout(contact=nan, hold_back=nan, effect=effect, **named)

    def power(back: float):
        sizes = {"n_treated": customers - back, "n_control": back, "effect": effect}
        sizes |= {"target": target, "next_share": 0.5}
        if sd is None:
            return power_of_shares(control_share=base, **sizes)
        return power_of_means(sd_treated=sd, sd_control=sd, control_mean=base, **sizes)

    half = int(customers // 2)
    even = power(half)
    if even.power < target:
        contact, back = even.next_n_treated, even.next_n_control
        return Holdout(contact=contact, hold_back=back, effect=effect, **named)
    low, high = 0, half  # too few, enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle).power >= target else (middle, high)
    return Holdout(contact=customers - high, hold_back=float(high), effect=effect, **named)
