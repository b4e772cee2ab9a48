"""The kinds of value that a parameter file holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

#: What a `margin` is of where one number is given: of the main outcome, or of all products.
MAIN, ANY_PRODUCT = "main outcome", "any product"

Text = Annotated[str, Field(min_length=1)]
#: A client's name makes folder names, so it is plain: no dots, slashes or blanks.
ClientName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the file: nothing unknown, nothing of another type, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def listed(value: Any) -> Any:
    """Read one text where a list of texts is meant."""
    return [value] if isinstance(value, str) else value


def number_of(name: str) -> Callable[[Any], Any]:
    """Return what reads one number, where numbers by name are meant, as that of `name`."""

    def read(value: Any) -> Any:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return {name: float(value)} if plain else value

    return read
