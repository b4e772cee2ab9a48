"""How many of each arm stay, as the months go by."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customerlab.messages import ENGLISH, Message, Words, say
from customerlab.plots.chart import Chart, draw
from customerlab.plots.curves import Curve
from customerlab.plots.drivers import draw_nothing
from customerlab.plots.panels import known_rows
from customerlab.plots.survival import Wording, draw_falling, still_there
from customerlab.plots.units import headed


def kept_by_arm(
    table: pd.DataFrame, words: Words = ENGLISH, *, title: Message | str | None = None
) -> Chart:
    """Draw the share of each arm that is still a customer, month by month, with its band.

    Parameters
    ----------
    table : DataFrame
        ``arm`` (text or message), ``month`` (since the assignment), ``survival``, ``low``,
        ``high``; ``at_risk``, if there, may hold masked counts and stands below the axis.
    words : Words
    title : Message or str, optional
    """
    shown = known_rows(table, ["month", "survival", "low", "high"])
    # who was there at the assignment is everybody: a curve begins with the month after it
    if not shown["month"].gt(0).any():
        return draw(
            draw_nothing,
            words,
            title=title or say("Too few customers left to show how many stay."),
            alt=say("Falling curves. {ends}.", ends=say("none")),
        )

    def ends(curves: Sequence[Curve], feature: Message | str | None) -> Message:
        return headed(still_there(curves, feature), table)

    wording = Wording(ends, _of_each_arm, since=say("Months since the assignment"))
    return draw_falling(shown.rename(columns={"arm": "group"}), words, title, wording)


def _of_each_arm(bottom: float) -> Message:
    if not bottom:
        return say("Share still customers, in % of each arm; the band is the 95 % range")
    return say(
        "Share still customers, in % of each arm; the band is the 95 % range; the axis begins at "
        "{bottom:percent0}",
        bottom=bottom,
    )
