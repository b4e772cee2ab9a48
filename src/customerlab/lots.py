"""Drawing customers by lot, the same on every engine and in every run."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir


def drawn(seed: int, purpose: str, key: ir.StringValue, share: float) -> ir.BooleanValue:
    """Say who is among a share of the customers that is drawn by lot.

    Parameters
    ----------
    seed : int
    purpose : str
        What is drawn: another purpose draws others.
    key : string expression
        The customer's number.
    share : float
        From 0 to below 1.

    Notes
    -----
    By the first 32 bits of the MD5 of ``<seed>:<purpose>:<key>``: the same on every engine, and
    whoever else is on the list.
    """
    digest = (ibis.literal(f"{seed}:{purpose}:") + key).hexdigest("md5")
    # hexadecimal digits of one length order as numbers
    return digest.substr(0, 8) < f"{int(share * 2**32):08x}"


def count_arms(proposed: ir.Table) -> dict[str, int]:
    """Return how many customers a list of proposed actions gives each arm.

    Not both together: less the one, that would tell how few are in the other.
    """
    counted = proposed.group_by("arm").aggregate(n=proposed.count()).to_pandas()
    arms = dict(zip(counted["arm"], counted["n"], strict=True))
    return {arm: int(arms.get(arm, 0)) for arm in ("contact", "control")}
