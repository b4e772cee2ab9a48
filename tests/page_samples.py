"""Frames and a notebook with every kind of piece that a page may hold, in either language."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from customerlab import plots, report
from customerlab.findings import Check, Finding
from customerlab.messages import Words, say
from customerlab.privacy import HIDDEN

LEDGER = pd.DataFrame(
    [
        ("customers", "read", 100),
        ("customers", "clean", 100),
        ("transactions", "read", 4000),
        ("transactions", "quarantined", 900),
        ("transactions", "quarantined", 100),
        ("transactions", "clean", 3000),
    ],
    columns=["table", "action", "rows"],
).assign(
    reason=[
        say("rows in the files"),
        say("clean rows"),
        say("rows in the files"),
        say("{column}: missing", column="customer_id"),
        say(
            "rule: {rule}", rule="取消 <C%> & $5 or $6, and a name too long for one line of a phone"
        ),
        say("clean rows"),
    ]
)
LAYERS = pd.DataFrame(
    {
        "layer": ["all", "invalid", "not_invalid", "valid", "potential", "lifetime_value"],
        "customers": [20000, 12580, 7420, 7412, "hidden", "<10"],
        "share": [1, 0.629, 0.371, 0.3706, math.nan, math.nan],
    }
)
HAZARD = pd.DataFrame(
    [
        ("payroll", "no", 1.0, math.nan, math.nan),
        ("payroll", "yes", 2.31, 2.02, 2.64),
        ("age", "30-39", 1.0, math.nan, math.nan),
        ("age", "20-29", 1.1, 0.9, 1.3),
        ("second complaint left open in six months", "", 0.5, 0.4, 0.6),
    ],
    columns=["term", "level", "hazard_ratio", "low", "high"],
)
LEAVERS = pd.DataFrame(
    [
        ("Men over 50", 3, 0.010, 0.008, 0.012),
        ("Men over 50", 5, 0.016, 0.014, 0.018),
        ("女，20–30 岁，代发，东部", 3, 0.142, 0.129, 0.156),
        ("女，20–30 岁，代发，东部", 5, 0.218, 0.205, 0.231),
    ],
    columns=["group", "horizon_months", "share", "low", "high"],
)


#: Two departments, the second of which accepts less; 500 and 6 months is all that both accept.
SURFACE = pd.DataFrame(
    [
        {
            "kind": "grid",
            "cut": cut,
            "idle_months": months,
            "share_removed": 0.1 + 0.05 * row - 0.02 * months,
            "accepted_by": ("零售部", "IT") if (row, months) == (2, 6) else ("零售部",) * (row < 3),
        }
        for row, cut in enumerate([0.0, 100.0, 500.0, 20_000.0])
        for months in range(1, 7)
    ]
    + [
        {
            "kind": "department",
            "name": "零售部",
            "demand": say("at most {limit} of those removed come back", limit="1 %"),
        },
        {"kind": "department", "name": "IT", "demand": None},
        {"kind": "own", "name": "零售部", "cut": 50.0, "idle_months": 6},
        {"kind": "own", "name": "IT", "cut": math.nan, "idle_months": 3},
        {"kind": "own", "name": "Finance & Co", "cut": 100.0, "idle_months": math.nan},
        {"kind": "agreed", "cut": 100.0, "idle_months": 6},
        {"kind": "proposed", "cut": 500.0, "idle_months": 6, "share_removed": 0.08},
    ]
).assign(worth="assets")
BINS = pd.DataFrame(
    {
        "measure": [say("assets")] * 3 + [say("months without a movement")] * 2,
        "level": [
            *(say("all"), say("up to {high:number}", high=100), say("above {low:number}", low=100)),
            *(say("up to {high:number}", high=8), say("above {low:number}", low=8)),
        ],
        "came_back": [0.03, HIDDEN, 0.12, 0.15, 0.02],
        "came_back_low": [0.02, HIDDEN, 0.10, 0.11, 0.01],
        "came_back_high": [0.04, HIDDEN, 0.14, 0.20, 0.03],
        "is_bin": [False, True, True, True, True],
        "cut": [100.0, math.nan, math.nan, math.nan, math.nan],
        "cut_low": [80.0, math.nan, math.nan, math.nan, math.nan],
        "cut_high": [120.0, math.nan, math.nan, math.nan, math.nan],
    }
)


_BANDS = (
    say("up to {high:number}", high=100),
    say("{low:number} to {high:number}", low=100, high=10_000),
    say("above {low:number}", low=10_000),
)
ACCOUNTS = pd.DataFrame(
    {
        "account_band": [band for band in _BANDS for _ in range(3)],
        "customer_band": [*_BANDS] * 3,
        "accounts": [23_569, 1_702, "<10", 0, 2_589, HIDDEN, 0, 0, 21],
    }
)
PREFERENCES = pd.DataFrame(
    [
        (say("channel"), "手机银行 & app", "valid", 120.0, 110.0, 131.0),
        (say("channel"), "手机银行 & app", "dormant", 80.0, 70.0, 91.0),
        (say("channel"), "branch", "valid", HIDDEN, HIDDEN, HIDDEN),
        (say("channel"), "branch", "dormant", 149.0, 140.0, 159.0),
        (say("time of day"), say("night, 0 to 6 o'clock"), "valid", 100.0, 95.0, 105.0),
    ],
    columns=["dimension", "value", "layer", "index", "low", "high"],
)


def survival(*groups: str) -> pd.DataFrame:
    """Return curves that lose 1 %, 2 % ... of those at risk each month, for two years."""
    rows = []
    for number, group in enumerate(groups, start=1):
        for month in range(1, 25):
            share = (1 - number / 100) ** month
            at_risk = round(5000 * share / number**4)
            rows.append((group, month, at_risk, share, share - 0.02, min(share + 0.02, 1)))
    columns = ["group", "month", "at_risk", "survival", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


#: The cube: all customers first, one group with a long name of several parts.
RETENTION = pd.DataFrame(
    [
        (group, horizon, 1 - share * horizon / 5)
        for group, share in [
            (say("all customers"), 0.07),
            (say("“{feature}: {level}”", feature=say("gender"), level=say("women")), 0.09),
            (
                say(
                    "{first} and {rest}",
                    first=say("“{feature}: {level}”", feature=say("gender"), level=say("men")),
                    rest=say(
                        "“{feature}: {level}”",
                        feature=say("assets against three months earlier"),
                        level=say("lower by a tenth or more"),
                    ),
                ),
                0.21,
            ),
            ("零售部 & co, a client's own group with a name too long for one line", 0.05),
            ("East", 0.0),
        ]
        for horizon in (3, 5, 12)
    ],
    columns=["group", "horizon_months", "retention_rate"],
)
SILENCES = pd.DataFrame(
    [(days, 0.9 * math.exp(-days / 40)) for days in range(30, 190, 10)],
    columns=["silent_days", "returns"],
)
SILENCES = SILENCES.assign(
    low=SILENCES["returns"] - 0.01,
    high=SILENCES["returns"] + 0.01,
    chosen=SILENCES["silent_days"] == 120,
)


def calendar(years: int) -> pd.DataFrame:
    """Return chances of leaving by months, quarters and years, some too small to be shown."""
    rows = [
        (band, dt.date(2022 + begins // 12, begins % 12 + 1, 1), months, 0.01 + 0.002 * at)
        for at, band in enumerate(["60+", "12-23", "1-2", "0"])
        for months in (1, 3, 12)
        for begins in range(0, 12 * years, months)
    ]
    table = pd.DataFrame(rows, columns=["tenure_band", "begins", "months", "hazard"])
    table["begins"] = pd.to_datetime(table["begins"])
    table.loc[::11, "hazard"] = math.nan
    return table


ASSETS = pd.DataFrame(
    [
        (month, who, share, share - 0.03, share + 0.03)
        for month in range(13)
        for who, share in (
            ("leavers", 1 - 0.8 * math.exp(-month / 3)),
            ("stayers", 1.02 - 0.001 * month),
        )
    ],
    columns=["months_before", "who", "assets_share", "low", "high"],
)
STAGES = pd.DataFrame(
    [
        ("none", 7200, 0.9, math.nan, math.nan, math.nan, math.nan, 5, 0.031, 0.028, 0.034),
        ("balance_falling", 480, 0.06, 3.0, 2.0, 6.0, 0.41, 5, 0.12, 0.10, 0.15),
        ("products_closing", "<10", HIDDEN, 2.0, 1.0, 4.0, 0.22, 5, HIDDEN, HIDDEN, HIDDEN),
        ("payroll_moved", 320, 0.04, 4.0, 2.0, 8.0, 0.35, 5, 0.31, 0.27, 0.36),
    ],
    columns=[
        *("stage", "here", "here_share", "months_median", "months_q1", "months_q3", "seen_share"),
        *("horizon_months", "gone_share", "gone_low", "gone_high"),
    ],
)
PAY = pd.DataFrame(
    [
        (who, days, use, share)
        for who, stay in (("leavers", 0.2), ("stayers", 0.7))
        for days in (1, 3, 7, 30)
        for use, share in (
            ("moved", (1 - stay) * 0.6 * days / 30),
            ("withdrawn", (1 - stay) * 0.01 * days / 30),
            ("spent", (1 - stay) * 0.39 * days / 30),
            ("kept", 1 - (1 - stay) * days / 30),
        )
    ],
    columns=["who", "days", "use", "share"],
)
CALIBRATION = pd.DataFrame(
    [
        (h, "all", kind, p, p * 1.1, p, p * 1.2, n)
        for h in (3, 5)
        for kind, p, n in [
            *(("smooth", h * i / 300, math.nan) for i in range(1, 20)),
            *(("tenth", h * i / 160, 1200) for i in range(1, 11)),
            *(("bar", h * (i + 0.5) / 200, 3000 // (i + 1)) for i in range(12)),
        ]
    ],
    columns=[
        *("horizon_months", "group", "kind", "predicted", "observed", "low", "high", "customers"),
    ],
)
EXITS = pd.DataFrame(
    [
        (
            say("all customers"),
            name,
            float(month),
            5000 - 60 * month,
            share * (1 - 0.97**month),
            share * (1 - 0.97**month) * 0.95,
            share * (1 - 0.97**month) * 1.05,
        )
        for name, share in (
            (say("payroll moved away"), 0.5),
            ("关闭最后账户", 0.3),
            ("no movement, told in a client's own long words", 0.28),
        )
        for month in range(37)
    ],
    columns=["group", "exit", "month", "at_risk", "incidence", "low", "high"],
)
PAIR = pd.DataFrame(
    [
        (say("payroll"), a, say("gender"), b, ratio, product, ratio / product)
        for a, b, ratio, product in [
            (say("never paid through us"), say("women"), 1.0, 1.0),
            (say("never paid through us"), say("men"), 1.2, 1.2),
            (say("no longer paid through us"), say("women"), 2.0, 2.0),
            (say("no longer paid through us"), say("men"), 4.9, 2.4),
            (say("paid through us last month"), say("women"), 0.3, 0.9),
            (say("paid through us last month"), say("men"), math.nan, 1.1),
        ]
    ],
    columns=["term_a", "level_a", "term_b", "level_b", "hazard_ratio", "product", "beyond"],
)
PAIR = PAIR.assign(
    low=PAIR["hazard_ratio"].where(PAIR["hazard_ratio"] != 1) * 0.8,  # a reference has no range
    high=PAIR["hazard_ratio"].where(PAIR["hazard_ratio"] != 1) * 1.25,
    beyond_low=PAIR["beyond"] * 0.8,
    beyond_high=PAIR["beyond"] * 1.25,
)


def charts(words: Words) -> list[plots.Chart]:
    """Return every figure once."""
    return [
        plots.cleaning_flow(LEDGER, words),
        plots.layer_funnel(LAYERS, words),
        plots.survival_curves(survival("Payroll customers", "非代发客户", "Unknown"), words),
        plots.survival_curves(survival("all"), words),
        plots.hazard_ratios(HAZARD, words),
        plots.leavers_by_group(LEAVERS, words),
        plots.cut_surface(SURFACE, words),
        plots.cut_surface(SURFACE[SURFACE["kind"] == "grid"], words),  # without departments
        plots.came_back_by_level(BINS, words),
        plots.account_bands(ACCOUNTS, words),
        plots.preferences(PREFERENCES, words),
        plots.silences(SILENCES, words),
        plots.cumulative_incidence(EXITS, words),
        plots.interaction_heat(PAIR, words),
        plots.hazard_calendar(calendar(1), words),
        plots.hazard_calendar(calendar(6), words),
        plots.asset_path(ASSETS, words),
        plots.stages(STAGES, words),
        plots.payroll_use(PAY, words),
        plots.retention_map(RETENTION, words),
        plots.not_yet_back(survival("all"), words),
        plots.calibration_curve(CALIBRATION, words),
    ]


FINDINGS = (
    Finding(
        "churn_timing.leave",
        say(
            "After {months:count} months {share:percent} of the customers are still here.",
            months=12,
            share=0.949,
        ),
        0.051,
        0.048,
        0.054,
        "percent",
        742000,
    ),
    Finding("a.count", say("All customers"), 742000, 742000, 742000, "count", 742000),
    Finding("a.weak", say("All customers"), 0.012, -0.03, 0.05, "percent", 180, "weak"),
    Finding("a.none", say("All customers"), None, None, None, "percent", 8, "not_enough_data"),
)
CHECKS = (
    Check(say("Every row is accounted for"), True, say("All customers")),
    Check(say("Every row is accounted for"), False, say("All customers")),
    Check(say("Every row is accounted for"), None, say("All customers")),
)
GROUPS = pd.DataFrame(
    {
        "group": ["East <1st>", "West"],
        "customers": ["<10", 18204],
        "share": [math.nan, 0.142],
        "low": [math.nan, 0.129],
        "high": [math.nan, 0.156],
        "reason": [say("unknown"), "few ties"],
    }
)


@dataclass(frozen=True)
class PlainWords(Words):
    """Words that leave Markdown as it is: a sample notebook is in no catalogue."""

    def markdown(self, notebook: str, cell_id: str, text: str) -> str:
        """Return the text itself."""
        return text


def shown(piece: object, *tags: str) -> nbformat.NotebookNode:
    """Return a code cell whose output is this piece."""
    data = {"text/html": piece._repr_html_(), "text/plain": "<a piece>"}
    output = new_output("execute_result", data=data, execution_count=1)
    return new_code_cell("secret_code()", outputs=[output], metadata={"tags": list(tags)})


def printed(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    """Return a code cell that printed a text."""
    return new_code_cell("secret_code()", outputs=[new_output("stream", name=name, text=text)])


def groups_table(words: Words) -> report.ShownTable:
    """Return a table with an interval in a cell, a masked count and a message."""
    return report.show_table(
        GROUPS,
        words,
        headings={
            "group": say("Group"),
            "customers": say("Customers"),
            "share": say("Share"),
            "reason": say("Reason"),
        },
        formats={"customers": "count", "share": "percent"},
        intervals={"share": ("low", "high")},
        caption=say("All customers"),
    )


def notebook(words: Words) -> nbformat.NotebookNode:
    """Return an executed notebook with every kind of piece."""
    hidden = printed("hidden text")
    hidden.metadata.tags = ["hide"]
    return new_notebook(
        cells=[
            new_markdown_cell("# When will customers leave?\n\nAsked by the head of retention."),
            new_code_cell("client = 'x'", metadata={"tags": ["parameters"]}),
            new_code_cell("client = 'y'", metadata={"tags": ["injected-parameters"]}),
            hidden,
            new_markdown_cell("## Data\n\n| a | b |\n|---|---|\n| 1 | `x` |"),
            *[shown(chart) for chart in charts(words)],
            printed("a warning", "stderr"),
            shown(report.note(say("All customers"), words)),
            shown(groups_table(words)),
            shown(
                report.answers(
                    FINDINGS,
                    words,
                    {"a.count": say("Which customers are real?")},
                    {"a.count": "02.html"},
                ),
                "answer",
            ),
            shown(report.checks_table(CHECKS, words)),
            shown(
                report.page_links(
                    [
                        report.PageLink(say("When will customers leave?"), "04.html"),
                        report.PageLink(
                            say("Which customers are real?"),
                            text=say("It would need {tables}.", tables="transactions"),
                        ),
                    ],
                    words,
                )
            ),
            shown(
                report.definitions(
                    {say("Valid"): "assets > 1000 AND idle_months < 6", "f" * 64: "a" * 64},
                    words,
                    summary=say("Condition"),
                )
            ),
            shown(pd.DataFrame([[1.5] * 30])),
        ]
    )
