"""Arrays to text, the way a warehouse exports them, without a Python loop over rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
GIVEN_NAMES = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
#: A prime, so that consecutive customers get scattered telephone numbers, none of them twice.
PHONE_STEP = 48_271_133


def money(cents: np.ndarray) -> pa.Array:
    """Write integer hundredths as plain decimals: ``-5`` becomes ``-0.05``."""
    low = np.ascontiguousarray(cents, dtype=np.int64)
    # A decimal128 is a 128-bit integer and a scale: fill its two halves, no parsing needed.
    halves = np.column_stack([low, low >> 63])
    array = pa.Array.from_buffers(pa.decimal128(18, 2), len(low), [None, pa.py_buffer(halves)])
    return array.cast(pa.string())


def ids(prefix: str, width: int, numbers: np.ndarray) -> pa.Array:
    """Write whole numbers as keys of equal length: ``C00000012``."""
    digits = pc.utf8_lpad(pa.array(numbers, pa.int64()).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def full_names(numbers: np.ndarray) -> pa.Array:
    """Name customers; like their telephone numbers, names must never reach a report."""
    surname = pick(list(SURNAMES), numbers % len(SURNAMES))
    given = pick(list(GIVEN_NAMES), numbers // len(SURNAMES) % len(GIVEN_NAMES))
    second = pick(list(GIVEN_NAMES), numbers // 7 % len(GIVEN_NAMES))
    return pc.binary_join_element_wise(surname, given, second, "")


def phones(numbers: np.ndarray) -> pa.Array:
    """Give every customer a telephone number of their own."""
    return ids("13", 9, numbers * PHONE_STEP % 10**9)


def pick(words: Sequence[str | None], codes: np.ndarray) -> pa.Array:
    """Take ``words[code]`` for each code; a code of -1 gives a null."""
    codes = np.asarray(codes)
    return pa.array(words, pa.string()).take(pa.array(codes, pa.int32(), mask=codes < 0))


def days(dates: np.ndarray) -> pa.Array:
    """Write days as ``2025-12-31``; NaT becomes a null."""
    return pa.array(dates.astype("datetime64[D]")).cast(pa.string())


def times(moments: np.ndarray) -> pa.Array:
    """Write moments as ``2025-12-31 09:00:00``."""
    return pa.array(moments.astype("datetime64[s]")).cast(pa.string())


def lines(columns: Iterable[pa.Array], separator: str) -> list[str]:
    """Join columns to one line of text per row; a null becomes an empty field."""
    joined = pc.binary_join_element_wise(
        *columns, separator, null_handling="replace", null_replacement=""
    )
    return joined.to_pylist()


def lists(table: Mapping[str, pa.Array]) -> dict[str, list]:
    """Return columns as lists, in which single values can be changed."""
    return {name: column.to_pylist() for name, column in table.items()}


def list_lines(columns: Mapping[str, list], separator: str) -> list[str]:
    """Join columns to lines; nothing in these tables holds a separator or a quote."""
    return lines([pa.array(values, pa.string()) for values in columns.values()], separator)
