"""The contract of a claim: a sentence written so that the records can support or contradict it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.contracts.model import Strict
from harness.contracts.task import Budgets

Kind = Literal["better", "not_worse", "equal", "order", "interaction", "trend", "cost", "number"]
Status = Literal["seen", "recalled", "ours"]  # only what was seen is printed as the paper's
Matched = Literal["steps", "data", "share"]
METHODS = {"better": 2, "not_worse": 2, "equal": 2, "interaction": 2, "trend": 1, "cost": 2, "number": 1}


class Place(Strict):
    """Where a claim is from: a place in the paper, and whether that was read."""

    place: str
    status: Status


class Effect(Strict):
    """Two reported numbers whose difference is the paper's effect, or one number."""

    table: str
    column: str
    more: str | None = Field(None, description="the row that the claim says is better")
    less: str | None = None
    row: str | None = Field(None, description="kinds number and trend: the row of the number")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Effect:
        if (self.row is None) == (self.more is None) or (self.more is None) != (self.less is None):
            raise ValueError("name `more` and `less`, or `row` alone")
        return self


class On(Strict):
    """The cells that a claim is about."""

    task: str
    metric: str
    budgets: Literal["all"] | Budgets = "all"
    domains: Annotated[list[str], Field(min_length=1)] | None = Field(None, description="all scored ones where absent")


class Needs(Strict):
    """What must hold of the cells before a claim is answered."""

    complete: Literal[True] = True
    no_leak: bool = True
    matched: list[Matched] = Field([], description="what both methods must have had alike")


Level = str | Annotated[list[str], Field(min_length=1)]


class Claim(Strict):
    """A sentence of a paper, or of ours, as a comparison over records. D > 0 speaks for it."""

    says: str
    where: Place
    reported: list[Effect] = []
    kind: Kind
    methods: Annotated[list[Level], Field(min_length=1)] = Field(
        description="best first; of an order, a level may be a list of methods that are not compared"
    )
    on: On
    scale: Literal["difference", "log_ratio"]
    smallest: float = Field(gt=0, description="the smallest effect of interest on that scale; of not_worse the margin")
    why: str = Field(description="why that is the smallest effect of interest")
    needs: Needs = Needs()
    family: str = Field("main", description="claims of a family are corrected together")
    costs: list[str] = Field([], description="kind cost: the columns of the records; each must hold")
    option: str | None = Field(None, description="kind trend: `budget`, or an option whose variants are compared")
    backbones: int = Field(
        1,
        ge=1,
        le=2,
        description="kind trend: 2 says that the larger of the task's first two backbones has its best "
        "value of `option` at a smaller one; `smallest` counts steps of the values that both ran",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Claim:
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError("a method stands twice; name another method")
        if self.kind == "order":
            if len(self.methods) < 2:
                raise ValueError("an order has at least two levels")
        elif len(names) != METHODS[self.kind] or len(self.methods) != len(names):
            raise ValueError(f"a claim of kind {self.kind} names {METHODS[self.kind]} methods")
        if (self.kind == "cost") != bool(self.costs):
            raise ValueError("`costs` belongs to kind cost, which needs it")
        if (self.kind == "trend") != (self.option is not None):
            raise ValueError("`option` belongs to kind trend, which needs it")
        if self.backbones > 1 and self.option in (None, "budget"):
            raise ValueError("`backbones` belongs to kind trend over an option; remove it, or write each as a claim")
        if self.kind == "interaction" and self.on.budgets != "all" and len(self.on.budgets) < 2:
            raise ValueError("an interaction needs two budgets")
        return self

    @property
    def levels(self) -> list[list[str]]:
        """The methods by level, best first."""
        return [[level] if isinstance(level, str) else list(level) for level in self.methods]

    @property
    def names(self) -> list[str]:
        """Every method that the claim names."""
        return [name for level in self.levels for name in level]

    @property
    def name_of_reported(self) -> str:
        """The places of the reported numbers, for a sentence."""
        return ", ".join(dict.fromkeys(f"{effect.table} {effect.column}" for effect in self.reported))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every pair that it compares, the better one first: all of two levels that follow each other."""
        following = zip(self.levels[:-1], self.levels[1:], strict=True)
        return [(better, worse) for upper, lower in following for better in upper for worse in lower]
