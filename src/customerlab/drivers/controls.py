"""Whether controls can be taken out of an outcome: known, varying, and no item once more."""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir

from customerlab.drivers.behaviour import driver_name
from customerlab.findings import Check
from customerlab.messages import Message, say

_WEIGHTS = ("repurchase_drivers.weight", "repurchase_drivers.top_driver")


def judge_controls(
    table: ir.Table, controls: Sequence[str], items: Sequence[str]
) -> tuple[tuple[str, ...], tuple[Check, ...]]:
    """Return the controls that can be used, and checks in words.

    Parameters
    ----------
    table : table
        `controls` and `items` are numbers, null where not known.
    controls, items : sequence of str

    Returns
    -------
    controls : tuple of str
        Those that are known and vary.
    checks : tuple of Check
        One for each control that is left out or is an item once more; a passed one where there
        is none such; none without controls.
    """
    if not controls:
        return (), ()
    value = {name: table[name].cast("float64") for name in {*controls, *items}}
    asked: dict[str, ir.Scalar] = {}
    for i, control in enumerate(controls):
        asked |= {f"n_{i}": value[control].count()}
        asked |= {f"low_{i}": value[control].min(), f"high_{i}": value[control].max()}
        for j, item in enumerate(items):
            asked[f"same_{i}_{j}"] = (value[control] == value[item]).sum()
            asked[f"other_{i}_{j}"] = (value[control] != value[item]).sum()
    seen = table.aggregate(**asked).to_pandas().astype(float).fillna(0).iloc[0]
    kept, said = [], []
    for i, control in enumerate(controls):
        name = driver_name(control)
        if not seen[f"n_{i}"]:
            said.append(say("“{name}” is no control: it holds no number.", name=name))
        elif seen[f"low_{i}"] == seen[f"high_{i}"]:
            said.append(say("“{name}” is no control: it is the same for all.", name=name))
        else:
            kept.append(control)
            twins = [
                item
                for j, item in enumerate(items)
                if seen[f"same_{i}_{j}"] and not seen[f"other_{i}_{j}"]
            ]
            said += [_twin(name, driver_name(item)) for item in twins[:1]]
    name = say("Controls vary, and are no items")
    if not said:
        return tuple(kept), (Check(name, True, say("Every control varies, and none is an item.")),)
    return tuple(kept), tuple(Check(name, False, text, _WEIGHTS) for text in said)


def _twin(control: Message | str, item: Message | str) -> Message:
    return say(
        "The control “{control}” is the item “{item}” once more: what the item's factor explains "
        "is taken out with it.",
        control=control,
        item=item,
    )
