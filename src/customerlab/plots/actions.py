"""The three groups of customers by what is done about them: their names and fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes

from customerlab.messages import Message, say
from customerlab.plots.chart import ACCENT, PAPER, WARN


@dataclass(frozen=True)
class Fill:
    """A colour and a hatching: told apart in grey by the hatching and the light."""

    color: str
    hatch: str = ""

    def bar(self, axes: Axes, at: float, width: float, *, height: float, left: float = 0.0) -> None:
        """Draw a bar across."""
        axes.barh(at, width, left=left, height=height, color=self.color)
        if self.hatch:  # over it: together they come out black
            style = {"facecolor": "none", "edgecolor": PAPER, "hatch": self.hatch, "lw": 0}
            axes.barh(at, width, left=left, height=height, **style)


#: The groups, in the order of tables; keys are those of :data:`customerlab.value.rfm.ACTIONS`.
GROUPS: dict[str, Message] = {
    "keep": say("Most valuable"),
    "win": say("Promising"),
    "spare": say("Low value"),
}
FILLS = {"keep": Fill(ACCENT), "win": Fill(WARN, "////"), "spare": Fill("#98a4ab")}


def key_of(names: Mapping[str, Message], given: object) -> str:
    """Return the key of a name; the text of what is no name of these."""
    found = [key for key, name in names.items() if given in (key, name)]
    return found[0] if found else str(given)
