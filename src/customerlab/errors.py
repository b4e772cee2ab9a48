"""The one exception that a person can mend, and the nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CustomerlabError(Exception):
    """A problem with what the user gave: parameters, files, or the order of things.

    The text is one clear message for a person. The command line prints it without a
    traceback and exits with 2; any other exception is a fault of ours and keeps its traceback.
    """


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a hint ``' (did you mean "x"?)'`` with the nearest of `words`, or ``''``."""
    close = get_close_matches(str(word), [str(w) for w in words], n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""
