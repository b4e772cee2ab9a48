"""What a parameter file may say of the client's files, and of rows to set aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from customerlab.contract import Kind
from customerlab.params.fields import ColumnName, Section, Text, listed


class ColumnSource(Section):
    """Where one canonical column comes from: a column, a lookup in another file, or a formula."""

    source: Text | None = Field(None, alias="from", description="The name in the client's file.")
    lookup: Text | None = Field(
        None, description="A table under `sources` to look the value up in."
    )
    on: ColumnName | None = Field(
        None, description="The column, here and in the lookup, that joins the two."
    )
    keep: Text | None = Field(None, description="The column of the lookup to take.")
    count: bool = Field(
        False, description="Take the number of matching rows of the lookup instead."
    )
    where: Text | None = Field(None, description="Only these rows of the lookup are joined.")
    sql: Text | None = Field(None, description="One expression over the file's own columns.")
    format: Annotated[list[Text], BeforeValidator(listed)] | None = Field(
        None, description="One or more date formats such as %Y%m%d, tried in this order."
    )
    codes: dict[str, str] | None = Field(
        None, description="What the client's codes mean: {PRIJEM: deposit}."
    )
    kind: Kind | None = Field(
        None, description="Type of a column that the contract does not list; text if left out."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        # `gender: sex` says the same as `gender: {from: sex}`; YAML 1.1 reads the key `on` as true
        if isinstance(value, str):
            return {"from": value}
        if isinstance(value, Mapping):
            return {"on" if key in (True, "True") else key: item for key, item in value.items()}
        return value


class Source(Section):
    """One of the client's files, or many of one shape, or a table of Spark's own."""

    path: Annotated[list[Text], BeforeValidator(listed)] | None = Field(
        None, description="Files or globs; left out: data/<client>/raw/<table>.* ."
    )
    table: Annotated[str, Field(pattern=r"^\w+(\.\w+){0,2}$")] | None = Field(
        None, description="Instead of files a table that Spark knows: sales.transactions."
    )
    encoding: str = Field("utf-8", description="utf-8, gb18030, latin-1 ...")
    delimiter: str | None = Field(None, description="Found in the header line when left out.")
    null_values: list[str] = Field([""], description="Texts that mean: no value.")
    columns: dict[ColumnName, ColumnSource] = Field(
        {}, description="Canonical name to the client's; a name left out is taken as it is."
    )
    lookup_only: bool = Field(False, description="No table of its own: other tables look it up.")


class Rule(Section):
    """A condition over one table's columns, and what happens to the rows that meet it."""

    table: Text
    name: Text
    when: Text
    action: Literal["quarantine"] = "quarantine"


class DataCleaning(Section):
    """Notebook 01."""

    rules: list[Rule] = Field([], description="The client's own reasons to set a row aside.")
    drop_exact_repeats: list[Text] = Field(
        [], description="Tables without a key in which a row repeated exactly is an accident."
    )
