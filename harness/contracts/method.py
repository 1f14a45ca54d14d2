"""The contract of a method: a preparation and an adaptation with their hyperparameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from harness.contracts.model import Strict

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


class Train(Strict):
    """The training procedure of an adaptation. Rates are per step of the optimizer."""

    steps: int = Field(100, ge=0)
    batch_size: int = Field(16, ge=1)
    lr: float = Field(1.0e-3, gt=0)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["constant", "linear"] = "linear"
    warmup: float = Field(0.06, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")


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
        return not (self.control and self.train.steps == 0)

    @property
    def searched(self) -> tuple[str, float, float]:
        """The rate that is searched, the smallest value and the largest."""
        ((name, (low, high)),) = self.search.items()
        return name, low, high

    @property
    def preparation(self) -> tuple[str, dict[str, Any]]:
        """The preparation's name and options."""
        return next(iter(self.prepare.items()))
