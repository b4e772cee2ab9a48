"""Text as it came to text that can be read: blanks, full-width characters, code lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from customerlab.sources.files import ADDED

_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
_NARROW = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F))
_ODD_BLANKS = "\u3000\u00a0"
_BLANKS = " \t\n\r\v\f"

# Escapes for the pattern, not characters: Spark reads a literal \v as the letter. Ibis' own
# strip() takes the letters v and f off there.
_EDGE = r"[\s\x0b]"
_IS_WIDE = "[\uff01-\uff5e]"
_IS_BLANK = f"[{_ODD_BLANKS}]|^{_EDGE}|{_EDGE}$"
_IS_EITHER = f"[\uff01-\uff5e{_ODD_BLANKS}]|^{_EDGE}|{_EDGE}$"

#: How the two sexes are written, when the parameters declare no codes. Compared in lower case.
GENDER_CODES: dict[str, str] = {
    **dict.fromkeys(("f", "female", "w", "woman", "女", "女性"), "female"),
    **dict.fromkeys(("m", "male", "man", "男", "男性"), "male"),
}


def plain(text: str) -> str:
    """Do to one text what :func:`repair_text` does to columns."""
    table = str.maketrans(_WIDE + _ODD_BLANKS, _NARROW + "  ")
    return text.translate(table).strip(_BLANKS)


def _plain(text: ir.StringValue) -> ir.StringValue:
    narrow = text.translate(_WIDE + _ODD_BLANKS, _NARROW + "  ")
    return narrow.re_replace(f"^{_EDGE}+|{_EDGE}+$", "")


def data_columns(raw: ir.Table) -> list[str]:
    """Return the client's own columns of a parsed source."""
    return [name for name in raw.columns if name not in ADDED]


def any_of(flags: Iterable[ir.BooleanValue]) -> ir.BooleanValue:
    """Return whether any flag is set; a null flag is not."""
    known = [flag.fill_null(False) for flag in flags]
    return reduce(or_, known) if known else ibis.literal(False)


def repair_text(raw: ir.Table, null_values: Sequence[str]) -> ir.Table:
    """Trim blanks, narrow full-width characters, and empty the cells that mean no value.

    All text columns are treated alike, names and free text too: the original stays in the
    parsed source and in quarantine.

    Parameters
    ----------
    raw : table
        A parsed source.
    null_values : sequence of str
        Texts that mean no value; the empty one with them, unless there are none.

    Returns
    -------
    table
        The same columns repaired, ``_file``, ``_row``, ``_fields`` (null where the source has
        none), ``_blanks`` and ``_wide``: whether the row had any.
    """
    names = data_columns(raw)
    texts = [name for name in names if raw[name].type().is_string()]
    # one search decides for most cells that nothing is to be done; translating is slow
    both = raw.mutate(
        **{f"_odd_{i}": raw[name].re_search(_IS_EITHER) for i, name in enumerate(texts)}
    )
    odd = [both[f"_odd_{i}"] for i in range(len(texts))]
    changed = any_of(odd)
    # an empty text is no value, unless the parameters name none at all; so the parse has it
    empty = sorted({"", *map(plain, null_values)}) if null_values else []
    cells = {name: both[name] for name in names}
    for name, is_odd in zip(texts, odd, strict=True):
        text = is_odd.ifelse(_plain(both[name]), both[name])
        cells[name] = text.isin(empty).ifelse(ibis.null("string"), text) if empty else text
    no_fields = ibis.null("string")
    return both.select(
        **cells,
        _file=both["_file"],
        _row=both["_row"],
        _fields=both["_fields"] if "_fields" in raw.columns else no_fields,
        _blanks=changed.ifelse(any_of(both[name].re_search(_IS_BLANK) for name in texts), False),
        _wide=changed.ifelse(any_of(both[name].re_search(_IS_WIDE) for name in texts), False),
    )


def recode(
    text: ir.StringValue, codes: Mapping[str, str], *, any_case: bool = False
) -> tuple[ir.StringValue, ir.BooleanValue]:
    """Replace codes by what they mean.

    Parameters
    ----------
    text : text expression
    codes : mapping of str to str
    any_case : bool
        The codes are given in lower case and compared so.

    Returns
    -------
    text expression
        A value outside the list stays as it came.
    boolean expression
        Whether the value is outside the list; what a code stands for is inside.
    """
    known = {plain(code): meaning for code, meaning in codes.items()}
    compared = text.lower() if any_case else text
    recoded = compared.cases(*known.items(), else_=text)
    outside = compared.notin(sorted({*known, *known.values()}))
    return recoded, outside & text.notnull()
