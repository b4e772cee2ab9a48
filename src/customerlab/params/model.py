"""One client's parameter file, as a Pydantic model: the one description of it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from customerlab.params.fields import ClientName, Section, Text
from customerlab.params.reading import DataCleaning, Source
from customerlab.params.sections import (
    ChurnTiming,
    CustomerValue,
    InvalidCustomers,
    RepurchaseDrivers,
    ResponseModel,
    UpliftTests,
)


def _day(value: Any) -> Any:
    """Read ISO text where a date is meant: Papermill hands dates over as text."""
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return value
    return value


class Engine(Section):
    """What computes."""

    backend: Literal["duckdb", "pyspark"] = "duckdb"
    threads: int | None = Field(None, ge=1)
    memory_limit: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?(MB|GB|MiB|GiB)$")] | None = Field(
        None, description="For instance 4GB; the engine spills to disk beyond it."
    )
    master: Annotated[
        str, Field(pattern=r"^(local(\[(\d+|\*)\])?|spark://[^\s/]+:\d+|yarn|k8s://\S+)$")
    ] = Field("local[*]", description="Where Spark computes: this machine, or a cluster.")
    spark: dict[Annotated[str, Field(pattern=r"^spark\.\S+$")], str | int | float | bool] = Field(
        {}, description="Settings of Spark: {spark.executor.cores: 4}."
    )

    @property
    def on_cluster(self) -> bool:
        """Whether others than this machine compute."""
        return self.backend == "pyspark" and not self.master.startswith("local")


class Privacy(Section):
    """What reports may show."""

    min_cell: int = Field(10, ge=1, description="Groups of fewer customers are not shown.")


class Params(Section):
    """One client's parameter file."""

    client: ClientName = Field(description="Names the folders under data/ and reports/.")
    title: Text | None = Field(None, description="Stands on top of the report.")
    language: Literal["en", "zh"] = "en"
    snapshot: Annotated[dt.date, BeforeValidator(_day)] = Field(
        description="Known up to and including this day."
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    seed: int = Field(1, ge=0)
    engine: Engine = Engine()
    privacy: Privacy = Privacy()
    sources: dict[str, Source] = Field({}, description="Canonical table to the client's file.")
    data_cleaning: DataCleaning = DataCleaning()
    invalid_customers: InvalidCustomers = InvalidCustomers()
    customer_value: CustomerValue = CustomerValue()
    churn_timing: ChurnTiming = ChurnTiming()
    repurchase_drivers: RepurchaseDrivers = RepurchaseDrivers()
    response_model: ResponseModel = ResponseModel()
    uplift_tests: UpliftTests = UpliftTests()
