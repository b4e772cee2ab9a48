"""Correlations of items that fit their scale, and what had to be done to have them.

Answers in few ordered classes are correlated by what stands behind them (polychoric), all others
as they are (Pearson). Rhemtulla, Brosseau-Liard & Savalei (2012, Psychological Methods 17) compare
two to seven classes: with fewer than five the polychoric correlations estimate loadings better,
with five to seven both serve. Beyond seven their study ends, and Pearson's are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.drivers.correlation_notes import (
    FEWEST_CLASSES,
    MOST_CLASSES,
    Kind,
    Missing,
    kind_note,
    limit_notes,
    missing_note,
)
from customerlab.drivers.left_out import (
    Names,
    following_exactly,
    not_together,
    without_spread,
)
from customerlab.drivers.moments import Moments, count_moments, draw_bags
from customerlab.drivers.pair_counts import PairCounts, count_pairs
from customerlab.drivers.positive import nearest_correlations
from customerlab.errors import CustomerlabError, nearest
from customerlab.messages import Message

#: More classes than these no table of a pair holds.
_MOST_COUNTED = 30

_DEALT = 20_000  # rows of unrelated answers at most
_AT_ONCE = 20  # resamples worked out together


@dataclass(frozen=True)
class Correlations:
    """Correlations of items.

    Attributes
    ----------
    items : tuple of str
        Those that can be correlated.
    matrix : ndarray of shape (items, items)
        Positive definite.
    kind : {"pearson", "polychoric"}
    treatment : {"pairwise", "listwise", "mean"}
        What was done about missing answers.
    n : int
        Rows that the correlations rest on; pairwise, those of the pair with fewest.
    rows : int
        All rows, with missing answers or without.
    missing : dict of str to int
        Missing answers of every item asked for.
    left_out : dict of str to Message
        The items that cannot be correlated, and why.
    repaired : bool
        Whether the matrix had to be replaced by the nearest positive definite one.
    change : float
        The largest change that this made.
    notes : tuple of Message
    counts : Moments or PairCounts
        The engine's, of `items`.
    table : table
        The rows that were counted: those with every answer, or with the mean for a missing one,
        where that was asked for.
    names : mapping of str to Message or str
        What readers call the items.
    """

    items: tuple[str, ...]
    matrix: np.ndarray
    kind: Kind
    treatment: Missing
    n: int
    rows: int
    missing: Mapping[str, int]
    left_out: Mapping[str, Message]
    repaired: bool
    change: float
    notes: tuple[Message, ...]
    counts: Moments | PairCounts = field(repr=False)
    table: ir.Table = field(repr=False)
    names: Names = field(default_factory=dict, repr=False)

    def name(self, item: str) -> Message | str:
        """Return what readers call the item."""
        return self.names.get(item, item)

    @property
    def attenuation(self) -> np.ndarray:
        """Correlation of each item's answers with what is correlated here, shape (items,).

        1 but for polychoric correlations, which are of something continuous behind the answers.
        """
        answers = isinstance(self.counts, Moments)
        return np.ones(len(self.items)) if answers else self.counts.attenuation

    def resamples(
        self, rng: np.random.Generator, times: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield how often each bag was drawn, with replacement, and the correlations that gives.

        A resample in which an item does not vary is drawn again; when hardly any resample will do,
        fewer than `times` come.
        """
        made = tried = 0
        while made < times and tried < 20 * times:
            some = min(_AT_ONCE, times - made)
            drawn = np.array([draw_bags(self.counts.bags, rng) for _ in range(some)])
            tried += some
            for bags, matrix in zip(drawn, self._of_resamples(drawn), strict=True):
                if np.isfinite(matrix).all():
                    made += 1
                    yield bags, nearest_correlations(matrix)

    def _of_resamples(self, drawn: np.ndarray) -> np.ndarray:
        if isinstance(self.counts, PairCounts) and self.items:
            return self.counts.resampled(drawn, self.matrix)
        return np.array([_matrix(self.counts.weighted(bags)) for bags in drawn])

    @property
    def null_matrix(self) -> Callable[[np.random.Generator], np.ndarray] | None:
        """Draw polychoric correlations of unrelated items; None for Pearson's: theirs are Wishart.

        As many rows, each item with its own answers, dealt apart from the others. Beyond 20,000
        rows so many are dealt, and the correlations brought nearer to zero in the ratio of the
        roots of the numbers.
        """
        return self._unrelated if isinstance(self.counts, PairCounts) else None

    def _unrelated(self, rng: np.random.Generator) -> np.ndarray:
        rows = min(self.n, _DEALT)
        drawn = _matrix(self.counts.unrelated(rng, rows), np.eye(len(self.items)))
        matrix = np.nan_to_num(drawn * np.sqrt(rows / self.n))
        np.fill_diagonal(matrix, 1)
        return nearest_correlations(matrix)


def correlate(
    table: ir.Table,
    items: Sequence[str],
    *,
    kind: Kind | None = None,
    missing: Missing = "pairwise",
    names: Names | None = None,
) -> Correlations:
    """Correlate items; the engine counts.

    Parameters
    ----------
    table : table
        One row per customer or answer, dealt into bags: see
        :func:`customerlab.drivers.moments.deal_bags`; `items` are numbers or booleans, null where
        not known.
    items : sequence of str
    kind : {"pearson", "polychoric"}, optional
        None: polychoric when every item has 2 to 7 different answers, all whole numbers.
    missing : {"pairwise", "listwise", "mean"}
        A correlation rests on the rows that have both items; or all on those that have every item;
        or a missing answer is the item's mean (for polychoric ones the nearest whole number).
    names : mapping, optional
        What readers call the items.

    Raises
    ------
    CustomerlabError
        For an unknown `kind` or `missing`, an item that is no column of `table`, and polychoric
        correlations of an item with more than 30 different answers.
    """
    _refuse_unknown(table, items, kind, missing)
    names = names or {}
    seen = _seen(table, items)
    rows = seen.attrs["rows"]
    left_out = without_spread(seen, names)
    rest = [item for item in items if item not in left_out]
    classes = seen.loc[rest]
    few = classes["levels"].between(FEWEST_CLASSES, MOST_CLASSES) & (classes["broken"] == 0)
    notes = [kind_note(kind, few, names)] if rest else []
    kind = kind or ("polychoric" if few.all() and rest else "pearson")
    many = classes.index[classes["levels"] > _MOST_COUNTED]
    if kind == "polychoric" and len(many):
        raise CustomerlabError(
            f'polychoric correlations: "{many[0]}" has {classes.loc[many[0], "levels"]} different '
            f"answers; at most {_MOST_COUNTED} can be classes"
        )
    ready = _prepared(table, rest, missing, seen["mean"], rounded=kind == "polychoric")
    count = count_pairs if kind == "polychoric" else count_moments
    # with nothing to count, the sums of nothing
    counts = count(ready, rest) if rest else _nothing()
    pearson = counts.correlation if rest else np.zeros((0, 0))
    dropped = not_together(rest, pearson, names)
    keep = [i for i, item in enumerate(rest) if item not in dropped]
    smallest = _smallest(counts.n, keep)
    dropped |= following_exactly(
        [rest[i] for i in keep], pearson[np.ix_(keep, keep)], smallest, names
    )
    left_out |= dropped
    used = [item for item in rest if item not in dropped]
    counts = counts.select(used)
    raw = _matrix(counts)
    n = _n(counts, missing, rows, ready)
    if used:
        notes += [missing_note(missing, n, seen.loc[used, "missing"], rows)]
    notes += [*left_out.values(), *limit_notes(raw, used, kind, names)]
    matrix = nearest_correlations(raw)
    change = float(np.abs(matrix - raw).max()) if used else 0.0
    return Correlations(
        items=tuple(used),
        matrix=matrix,
        kind=kind,
        treatment=missing,
        n=n,
        rows=rows,
        missing={item: int(seen.loc[item, "missing"]) for item in items},
        left_out=left_out,
        repaired=change > 0,
        change=change,
        notes=tuple(notes),
        counts=counts,
        table=ready,
        names=names,
    )


def _matrix(counts: Moments | PairCounts, start: np.ndarray | None = None) -> np.ndarray:
    if not counts.items:
        return np.zeros((0, 0))
    if isinstance(counts, PairCounts):
        return counts.polychoric(start)
    matrix = counts.correlation
    np.fill_diagonal(matrix, 1)
    return matrix


def _nothing() -> PairCounts:
    return PairCounts((), (), np.zeros((1, 0, 1, 1)))


def _refuse_unknown(
    table: ir.Table, items: Sequence[str], kind: Kind | None, missing: Missing
) -> None:
    for what, value, known in (
        ("kind of correlations", kind, (None, *get_args(Kind))),
        ("treatment of missing answers", missing, get_args(Missing)),
        *(("item", item, table.columns) for item in items),
    ):
        if value not in known:
            hint = nearest(str(value), [word for word in known if word])
            raise CustomerlabError(f'"{value}" is no {what}{hint}')


def _seen(table: ir.Table, items: Sequence[str]) -> pd.DataFrame:
    """Return what the answers to each item are like; ``attrs["rows"]`` is the number of rows."""
    asked: dict[str, ir.Scalar] = {"rows": table.count()}
    for i, item in enumerate(items):
        value = table[item].cast("float64")
        asked |= {
            f"known_{i}": value.count(),
            f"low_{i}": value.min(),
            f"high_{i}": value.max(),
            f"levels_{i}": value.nunique(),
            f"broken_{i}": (value % 1 != 0).sum(),
            f"mean_{i}": value.mean(),
        }
    got = table.aggregate(**asked).to_pandas().iloc[0]
    parts = ["known", "low", "high", "levels", "broken", "mean"]
    seen = pd.DataFrame(
        [[got[f"{part}_{i}"] for part in parts] for i in range(len(items))],
        index=list(items),
        columns=parts,
    ).astype(float)
    seen = seen.assign(missing=got["rows"] - seen["known"], levels=seen["levels"].astype("int64"))
    seen.attrs["rows"] = int(got["rows"])
    return seen


def _prepared(
    table: ir.Table, items: list[str], missing: Missing, means: pd.Series, *, rounded: bool
) -> ir.Table:
    if not items:
        return table
    if missing == "listwise":
        return table.filter([table[item].notnull() for item in items])
    if missing == "mean":
        digits = 0 if rounded else 6
        filled = {
            item: table[item].cast("float64").fill_null(ibis.literal(round(means[item], digits)))
            for item in items
        }
        return table.mutate(**filled)
    return table


def _smallest(n: np.ndarray, at: list[int]) -> float:
    whole = n.sum(axis=0) if n.ndim == 3 else n  # bag by bag
    pairs = [whole[i, j] for i in at for j in at if i < j]
    return min(pairs, default=0)


def _n(counts: Moments | PairCounts, missing: Missing, rows: int, ready: ir.Table) -> int:
    if len(counts.items) < 2:
        return rows if missing == "mean" else int(ready.count().execute())
    return int(_smallest(counts.n, list(range(len(counts.items)))))
