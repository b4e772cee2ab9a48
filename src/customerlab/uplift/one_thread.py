"""Boosted trees of a page learn on one thread: notebooks run side by side, and tables are small.

Two threads for each of several processes wait for one another longer than they compute: the same
page took ten times as long on two busy cores.
"""

from __future__ import annotations

from contextlib import AbstractContextManager


def one_thread() -> AbstractContextManager:
    """Return a context in which scikit-learn's trees use one thread."""
    import sklearn.ensemble  # noqa: F401, only what is loaded can be held back
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    return threadpool_limits(limits=1)
