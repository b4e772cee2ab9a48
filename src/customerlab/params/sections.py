"""What a parameter file may say to the notebooks from 02 on: one section each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from customerlab.params.fields import (
    ANY_PRODUCT,
    MAIN,
    ColumnName,
    Money,
    Section,
    Share,
    Text,
    listed,
    number_of,
)

Exit = Literal["inactive", "payroll_moved", "money_gone", "closed"]


class LayerRule(Section):
    """A named condition over one row per customer."""

    name: Text
    when: Text


class Department(Section):
    """What one department calls invalid, and what a common rule may cost it."""

    name: Text
    when: Text | None = Field(None, description="Its own rule for invalid customers.")
    came_back_at_most: Share | None = Field(
        None, description="Of the customers removed, so many may come back."
    )
    assets_lost_at_most: Share | None = Field(
        None, description="Of all assets at the end, so much may belong to those removed."
    )
    spend_lost_at_most: Share | None = Field(
        None, description="Of all spend after the landmark, so much may be theirs."
    )
    removed_at_least: Share | None = Field(
        None, description="So many of the customers must be removed."
    )
    cost_saved_at_least: Money | None = Field(
        None, description="So much contact cost must be saved in a year."
    )


class Agreed(Section):
    """The cut that people decided on."""

    assets: Money | None = Field(None, description="Invalid with assets of at most so much ...")
    spend_12m: Money | None = Field(None, description="(a shop: spend of at most so much)")
    idle_months: int = Field(ge=1, description="... and no movement in so many months.")
    by: Text = Field(description="Who agreed, and when.")


class RoundTo(Section):
    """What counts as a round cut: a multiple of these."""

    assets: Annotated[float, Field(gt=0)] | None = None
    spend_12m: Annotated[float, Field(gt=0)] | None = None
    idle_months: int = Field(1, ge=1)


class InvalidCustomers(Section):
    """Notebook 02. A rule left out is ours and is printed as ours."""

    rules: list[LayerRule] | None = Field(
        None, description="A customer who meets any of them is invalid."
    )
    valid_when: Text | None = Field(None, description="What makes a customer valid.")
    potential_active_when: Text | None = Field(
        None, description="Which of the rest are counted with the valid."
    )
    lifetime_value_when: Text | None = Field(
        None, description="Which active customers have lifetime value: the end of the funnel."
    )
    not_movements: list[Text] = Field(
        ["interest", "fee"], description="Kinds of transaction that the customer did not make."
    )
    departments: list[Department] = Field(
        [], description="Who must be able to accept the rule: their own rules and tolerances."
    )
    agreed: Agreed | None = Field(None, description="The rule that they agreed on, if they did.")
    outcome_months: int = Field(
        12, ge=1, le=120, description="Rules are judged by what followed in so many months."
    )
    round_to: RoundTo = Field(RoundTo(), description="A proposed cut is a multiple of these.")
    contact_cost: Money | None = Field(
        None, description="What keeping one customer in contact costs in a year."
    )
    asset_bands: list[Annotated[float, Field(gt=0)]] = Field(
        [100, 1000, 10000, 100000],
        min_length=2,
        description="Limits of the bands of balances and assets; the first is a low account.",
    )
    well_off: Money = Field(10000, description="With more assets than this one is well off.")
    control_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="Of the dormant to be woken, so many are held back as a control."
    )


class CustomerValue(Section):
    """Notebook 03."""

    months: int = Field(
        12, ge=1, le=60, description="Frequency and money are those of so many months."
    )
    next_months: int = Field(
        3, ge=1, le=24, description="Who buys again is watched for so many months."
    )
    horizons_months: list[Annotated[int, Field(ge=1, le=12)]] = Field([3, 6, 12], min_length=1)
    margin: (
        Annotated[
            dict[Text, Annotated[float, Field(gt=0, le=1)]], BeforeValidator(number_of(ANY_PRODUCT))
        ]
        | None
    ) = Field(
        None,
        description="What is earned: a shop's share of what is paid, a bank's in a year of what a "
        "customer holds; one number, or one for each product.",
    )
    wallet_quantile: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.9, description="What so many like customers hold less than is taken for a whole wallet."
    )
    budget: Money | None = Field(None, description="What may be spent on contacts.")
    contact_cost: Money | None = Field(None, description="What one contact costs.")
    control_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="Of those to be contacted, so many are held back as a control."
    )


class ChurnTiming(Section):
    """Notebook 04."""

    event: Annotated[list[Exit], BeforeValidator(listed)] = Field(
        ["inactive"],
        min_length=1,
        description="What counts as leaving; several compete, and the first that comes counts.",
    )
    idle_days: int | None = Field(
        None,
        ge=1,
        description="So many days without a movement: left. Left out: chosen from the data.",
    )
    horizons_months: list[Annotated[int, Field(ge=1, le=60)]] = Field([3, 5], min_length=1)
    groups: list[ColumnName] | None = Field(
        None, description="Columns whose groups get a survival curve; left out: those at hand."
    )
    covariates: list[ColumnName] | None = Field(
        None, description="Columns of the hazard model; left out: those at hand."
    )
    confirmed: list[ColumnName] = Field(
        [], description="Columns that foretell leaving very well and were known before it."
    )
    retention_cost: Money | None = Field(
        None, description="What it costs to approach one customer who may leave."
    )
    margin: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="What the client earns in a year on what a customer holds or spends."
    )
    control_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="Of those to be approached, so many are held back as a control."
    )


class RepurchaseDrivers(Section):
    """Notebook 05."""

    items: list[ColumnName] | None = Field(
        None, min_length=3, description="Columns to make factors of; left out: all questions."
    )
    outcome: ColumnName | None = Field(
        None, description="What is to be explained: a column of the survey; without one a purchase."
    )
    controls: list[ColumnName] = Field(
        [], description="Columns whose part of the outcome is taken out first."
    )
    scale: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Lowest and highest answer; others are set aside."
    )
    factors: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None, description="How many factors; left out: by parallel analysis."
    )
    rotation: Literal["oblimin", "varimax", "promax"] = "oblimin"
    names: dict[Text, list[ColumnName]] = Field(
        {}, description="Name of a factor to the items that tell it."
    )
    missing: Literal["pairwise", "listwise", "mean"] = Field(
        "pairwise", description="What is done about missing answers."
    )
    segment: ColumnName | None = Field(
        None, description="Column of the survey or of the customers: the map of each of its values."
    )
    outcome_days: int = Field(90, ge=1, description="A purchase within so many days counts.")


class Response(Section):
    """One outcome of a test: what is measured of every customer."""

    kind: Literal["binary", "amount", "count", "months"] = Field(
        description="Yes or no, money, a number, or months until the customer leaves."
    )
    when: Text | None = Field(
        None, description="Which transactions count; left out: all that were bought."
    )
    days: int | None = Field(
        None, ge=1, le=1000, description="Within so many days of the assignment."
    )
    campaigns: list[Text] | None = Field(None, description="Only of these campaigns.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


class UpliftTests(Section):
    """Notebook 07."""

    control: Text | None = Field(
        None, description="The arm without contact; left out: the one called control."
    )
    outcomes: dict[ColumnName, Response] = Field(
        {}, description="What a test is judged by, the main outcome first: {visit: binary}."
    )
    outcome_days: int = Field(
        30, ge=1, le=1000, description="An outcome counts so many days from the assignment."
    )
    covariates: list[ColumnName] | None = Field(
        None, description="What was known before the draw; of campaigns left out: those at hand."
    )
    segments: list[ColumnName] = Field(
        [], description="Columns whose groups are told apart, declared before looking."
    )
    contact_cost: Money | None = Field(
        None, description="What one contact costs; left out: that of the campaign."
    )
    margin: Annotated[dict[Text, Money], BeforeValidator(number_of(MAIN))] | None = Field(
        None, description="Profit per unit of the main outcome, or of each outcome named."
    )
    budget: Money | None = Field(None, description="What may be spent on contacts.")
    monitored: bool = Field(
        False, description="Whether people look while the test runs: intervals then always hold."
    )
    multiplicity: Literal["holm", "benjamini_hochberg", "none"] = Field(
        "holm", description="How p-values allow for several arms and outcomes."
    )
    control_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Of those to be contacted next, so many are held back as a control."
    )


class ResponseModel(Section):
    """Notebook 06."""

    response: Response = Field(
        Response(kind="binary", days=30),
        description="Where responses are built from campaigns: which transactions are one.",
    )
    features: list[ColumnName] | None = Field(
        None, description="What the model may use; left out: what is at hand."
    )
    known_after_contact: list[ColumnName] = Field(
        [], description="Columns that are known only after the contact: never used."
    )
    confirmed: list[ColumnName] = Field(
        [], description="Columns that foretell a response very well and were known before it."
    )
    contact_cost: Money | None = Field(None, description="What one contact costs.")
    margin: (
        Annotated[
            dict[Text, Annotated[float, Field(gt=0)]], BeforeValidator(number_of(ANY_PRODUCT))
        ]
        | None
    ) = Field(None, description="What a response earns: one number, or one for each product.")
    capacity: int | None = Field(None, ge=0, description="How many customers can be contacted.")
    cutoff: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The bank's own cut-off, a chance; left out: the one that earns most."
    )
    control_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="Of those to be contacted, so many are held back as a control."
    )
