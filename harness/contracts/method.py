"""The contract of a method: a preparation and an adaptation with their hyperparameters."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from harness.contracts.model import Sparing, Strict

Kind = Literal[
    "token-classification", "sequence-classification", "causal-lm", "summarization", "dialogue", "data-to-text"
]
LABELLING: tuple[Kind, ...] = ("token-classification", "sequence-classification")  # a head has a row for each label
# A token that sees later ones has read its answer.
CAUSAL: tuple[Kind, ...] = ("causal-lm", "summarization", "dialogue", "data-to-text")
# An answer in words to an input in words: a decoder alone reads both as one text, before an encoder-decoder they part.
ANSWERING: tuple[Kind, ...] = ("dialogue", "data-to-text")


def _share(value: Any) -> Any:
    """Refuse what is no share; a number in quotes is a text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ValueError("write a share of the backbone's parameters above 0 and at most 1, as 0.01")
    return value


Share = Annotated[float, BeforeValidator(_share)]


def _warmup(value: Any) -> Any:
    """Steps are a whole number, a share is none; 0 is both, and was always read as a share."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and isinstance(value, int) and value > 0:
        return value
    if not number or not 0 <= value < 1:
        raise ValueError("write a whole number of steps, as 500, or a share of them below 1, as 0.06")
    return float(value)


Warmup = Annotated[int | float, BeforeValidator(_warmup)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Train(Sparing):
    """The training procedure of an adaptation. Rates are per step of the optimizer.

    It is as long as `steps` says, or `epochs` where that is given. With `patience` it ends when so many checks in a row
    on dev examples found no smaller loss, and what was best is kept.
    """

    steps: int = Field(100, ge=0)
    epochs: int | None = Field(None, ge=1, description="passes over the sentences, in place of `steps`")
    batch_size: int = Field(16, ge=1)
    accumulate: int = Field(1, ge=1, description="batches of one step, which learns as from one batch of all")
    lr: float = Field(1.0e-3, gt=0)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), description="AdamW's, of the gradient's mean and of its square's")
    schedule: Literal["constant", "linear", "polynomial", "inverse_sqrt", "cosine"] = "linear"
    power: float = Field(1.0, gt=0, description="of `schedule: polynomial`; 1 falls as the linear one")
    warmup: Warmup = Field(0.06, description="steps in which the rate rises, or the share of the steps below 1")
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="the share of a label that goes evenly to all")
    patience: int | None = Field(None, ge=1, description="checks on dev examples without a better one before it ends")
    check_every: int | None = Field(None, ge=1, description="steps between checks; an epoch's where absent")
    dev: Literal["budget", "split"] = Field(
        "budget", description="a quarter of the budget's own examples, held out; or as many of the domain's dev split"
    )

    # What came later is told only where it is used, so that what stands keeps its fingerprint.
    sparing = frozenset({"epochs", "accumulate", "betas", "power", "label_smoothing", "patience", "check_every", "dev"})
    instead = {"epochs": "steps"}

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and "steps" in self.model_fields_set:
            raise ValueError("`steps` and `epochs` both say how long it trains; remove one of them")
        return self

    @property
    def idle(self) -> bool:
        """Whether nothing is trained."""
        return self.epochs is None and self.steps == 0

    @property
    def looks_at_split(self) -> bool:
        """Whether early stopping looks at the dev split of a domain."""
        return self.patience is not None and self.dev == "split"

    @property
    def read_at_once(self) -> int:
        """The sentences of one step of the optimizer."""
        return self.batch_size * self.accumulate

    def epoch(self, sentences: int) -> int:
        """The steps of one pass over so many sentences; its last step reads what is left."""
        return math.ceil(sentences / self.read_at_once)

    def over(self, sentences: int) -> Train:
        """The same for so many sentences, its length in steps."""
        if self.epochs is None:
            return self
        return self.model_copy(update={"steps": self.epochs * self.epoch(sentences), "epochs": None})

    def contradiction(self) -> tuple[str, Any, str] | None:
        """A field whose value another field makes idle, with the mend; None where all are at work."""
        if self.power != 1.0 and self.schedule != "polynomial":
            return "power", self.power, f"`schedule: {self.schedule}` has none; write `schedule: polynomial`"
        if self.betas != (0.9, 0.999) and self.optimizer != "adamw":
            return "betas", list(self.betas), f"`optimizer: {self.optimizer}` has none; write `optimizer: adamw`"
        for name in ("check_every", "dev"):
            if name not in self.unused() and self.patience is None:
                return name, getattr(self, name), "nothing is checked without `patience`; give it or remove this"
        if isinstance(self.warmup, int) and self.epochs is None and 0 < self.steps <= self.warmup:
            mend = f"the training takes {self.steps} steps, so the rate would never be reached; lower it"
            return "warmup", self.warmup, mend
        return None


class Tuned(Strict):
    """What `headstart tune` found for one task and backbone: the rates, and how they were chosen."""

    train: dict[str, float]
    source: str
    backbone: str = Field(description="the name that it had; what it is, its identity says")
    identity: str = Field(description="the fingerprint of the recipe or the files of the backbone")
    domains: list[str]
    budgets: list[int]
    seeds: int
    trials: dict[str, float | None] = Field(description="each candidate's score on the domains")


class MethodSpec(Strict):
    """What `methods/<id>/method.yaml` may say."""

    label: str
    summary: str
    paper: str | None = None
    control: bool = Field(False, description="a control bounds the leaderboard; it is not a contender")
    kinds: list[Kind] | None = Field(None, description="the kinds of task it is for; all where absent")
    texts_alone: bool = Field(False, description="it gives no likelihoods: it takes part where texts are asked for")
    adapt: dict[str, dict[str, Any]]
    prepare: dict[str, dict[str, Any]] = {"none": {}}
    train: Train = Train()
    search: dict[str, tuple[float, float]] = Field(
        {"lr": (1.0e-5, 1.0e-1)}, description="the rate that is searched, from the first value to the second"
    )
    match_parameters: Share | None = Field(
        None, description="the share of the backbone that trains; solves the option that the adaptation is sized by"
    )

    @field_validator("adapt", "prepare", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        """`adapt: finetune` is short for `adapt: {finetune: {}}`."""
        return {value: {}} if isinstance(value, str) else value

    @field_validator("prepare")
    @classmethod
    def _one_preparation(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(value) != 1:
            raise ValueError("name exactly one preparation")
        return value

    @field_validator("adapt")
    @classmethod
    def _some_adaptation(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value:
            raise ValueError("name at least one adaptation")
        return value

    @field_validator("search")
    @classmethod
    def _one_range(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        if len(value) != 1:
            raise ValueError("name exactly one rate")
        for name, (low, high) in value.items():
            if name not in Train.model_fields:
                raise ValueError(f"{name!r} is no field of `train`")
            if not 0 < 10 * low <= high:
                raise ValueError(f"write the smallest {name} and the largest, at least ten times as large")
            for one in (low, high):
                try:
                    Train.model_validate({name: one})
                except ValidationError as error:
                    told = error.errors()[0]["msg"].removeprefix("Input should be ")
                    raise ValueError(f"{name} {one:g} should be {told}") from None
        return value

    @property
    def trains(self) -> bool:
        """Whether it trains anything on the target; a control may train nothing."""
        return not (self.control and self.train.idle)

    @property
    def searched(self) -> tuple[str, float, float]:
        """The rate that is searched, the smallest value and the largest."""
        ((name, (low, high)),) = self.search.items()
        return name, low, high

    @property
    def preparation(self) -> tuple[str, dict[str, Any]]:
        """The preparation's name and options."""
        return next(iter(self.prepare.items()))
