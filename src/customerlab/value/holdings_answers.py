"""What is said about the products that customers hold."""

from __future__ import annotations

import numpy as np

from customerlab.churn.curves import FEW_EVENTS, status_of
from customerlab.churn.hazard import Z
from customerlab.findings import Finding
from customerlab.messages import say
from customerlab.value.holdings import Holdings


def holdings_findings(holdings: Holdings) -> tuple[Finding, ...]:
    """Return what a customer holds, and where most like customers hold what many lack.

    Returns
    -------
    tuple of Finding
        ``customer_value.products_held`` (mean number, 95 % interval of a mean) and
        ``customer_value.cross_sell_gap``: the pair with the largest gap (share of like customers
        that hold what is missing); in words where fewer than 30 customers are in any.
    """
    return _mean(holdings), _gap(holdings)


def _mean(holdings: Holdings) -> Finding:
    n, id_ = holdings.customers, "customer_value.products_held"
    if status_of(n) == "not_enough_data":
        text = say("Too few customers to say how many products they hold.")
        return Finding(id_, text, unit="number2", n=n, status="not_enough_data")
    held, many = (holdings.numbers[one].to_numpy(float) for one in ("products", "customers"))
    mean = held @ many / n
    wide = Z * np.sqrt(many @ (held - mean) ** 2 / (n - 1) / n)
    single = float(many[held == 1].sum() / n)
    facts = {"mean": mean, "low": mean - wide, "high": mean + wide, "single": single}
    if holdings.bought:
        text = say(
            "A customer buys from {mean:number2} categories ({low:number2} to {high:number2}); "
            "{single:percent0} from one only.",
            **facts,
        )
    else:
        text = say(
            "A customer holds {mean:number2} products ({low:number2} to {high:number2}); "
            "{single:percent0} one only.",
            **facts,
        )
    ends = (float(mean), float(mean - wide), float(mean + wide))
    return Finding(id_, text, *ends, unit="number2", n=n, status=status_of(n))


def _gap(holdings: Holdings) -> Finding:
    id_ = "customer_value.cross_sell_gap"
    top = holdings.pairs.head(1)
    if top.empty or top["gap"].item() < FEW_EVENTS:
        return _no_gap(holdings)
    row = top.iloc[0]
    facts = {"held": row["held"], "missing": row["missing"], "gap": int(row["gap"])}
    values = tuple(float(row[f"like_{one}"]) for one in ("share", "low", "high"))
    facts |= dict(zip(("share", "low", "high"), values, strict=True))
    text = say(
        "The largest gap: {gap:customers} customers with “{held}” lack “{missing}”, although "
        "{share:percent0} ({low:percent0} to {high:percent0}) of like customers with “{held}” "
        "hold it. Offer it to them first, and test whether the offer moves them.",
        **facts,
    )
    return Finding(
        id_, text, *values, unit="percent", n=int(row["like"]), status=status_of(row["like"])
    )


def _no_gap(holdings: Holdings) -> Finding:
    id_, n = "customer_value.cross_sell_gap", holdings.customers
    if status_of(n) == "not_enough_data" or not holdings.products["next_for"].sum():
        text = say("Too few customers are alike to say what those who lack a product miss.")
        return Finding(id_, text, unit="percent", n=n, status="not_enough_data")
    row = holdings.products.loc[holdings.products["next_for"].idxmax()]
    text = say(
        "No product is held by most customers and lacked by others like them. What comes "
        "next for most is “{product}”: {customers:customers} customers lack it, and "
        "{share:percent0} of their like hold it.",
        product=row["product"],
        customers=int(row["next_for"]),
        share=float(row["next_share"]),
    )
    return Finding(id_, text, say("No gap"), unit="percent", n=n, status=status_of(n))
