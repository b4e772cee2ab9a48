"""What the peers of benchmarks/rfm.py share: the days, and what the segments are called.

Needs nothing but Python, so that it works in a peer's own environment.
"""

from __future__ import annotations

import datetime as dt

#: The last day that is known; frequency and money are of the twelve months up to it.
DAY, SINCE = dt.date(2025, 12, 31), dt.date(2024, 12, 31)

#: The segment by ten times R, and the mean of F and M with halves rounded up.
SEGMENTS = {
    **{51: "new", 52: "potential_loyal", 53: "potential_loyal", 54: "champions", 55: "champions"},
    **{41: "promising", 42: "potential_loyal", 43: "potential_loyal", 44: "loyal", 45: "loyal"},
    **{31: "about_to_sleep", 32: "about_to_sleep", 33: "need_attention", 34: "loyal", 35: "loyal"},
    **{21: "hibernating", 22: "hibernating", 23: "at_risk", 24: "at_risk", 25: "cannot_lose"},
    **{11: "hibernating", 12: "hibernating", 13: "at_risk", 14: "at_risk", 15: "cannot_lose"},
}
#: Without a purchase in the twelve months: of those who bought before, and of all others.
LAPSED, REGISTERED = "lapsed", "registered"
