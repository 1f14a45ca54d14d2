"""The contract of an adaptation: what is trained on the target domain's k examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from harness.contracts.model import Strict

if TYPE_CHECKING:
    from torch import Tensor

    from harness.backbone.backbone import Backbone


Targets = Literal["query_value", "attention", "ffn", "all"]  # the dense layers that an adaptation changes
Encoded = list[dict[str, list[Any]]]  # of one example: each window that a model reads of it, as its kind encodes it


class Adaptation(Strict):
    """Modules and parameters that learn the target domain. Subclass it in `methods/<id>/method.py`.

    Annotated fields are the options that `adapt:` in method.yaml may set. The body of the backbone is
    frozen and a new head trains before `attach` is called; `attach` adds modules and unfreezes. That is
    usually all: the other functions are for adaptations that look at their examples, add to the loss,
    or leave something else than what was trained.
    """

    sized_by: ClassVar[str | None] = None  # the option that sets how many parameters train, as a rank or a width

    @property
    def leaks(self) -> bool:
        """Whether a token can see later ones, so that no causal leaderboard may show it."""
        return False

    @property
    def slower(self) -> float:
        """How many times as long a layer that it changes takes, about, against fine-tuning: for the plan's estimate."""
        return 1.0

    def leaves(self, layers: int) -> int:
        """How many of `layers` layers, from the first that reads a text on, it leaves as the backbone has them.

        They are not run at each step. For the plan's estimate, which knows no model: what is computed is read off it.
        """
        return 0

    def trained_for(self, steps: int) -> Self:
        """Itself, with what follows from a training of `steps` steps filled in.

        Raises ValueError where it cannot be trained so: the option, its value and the mend, in one sentence.
        """
        return self

    def attach(self, backbone: Backbone) -> None:
        """Put modules into `backbone` and say what trains. Called once, before training."""
        raise NotImplementedError(f"{type(self).__name__} must define attach")

    def observe(self, backbone: Backbone, batches: list[dict[str, Tensor]]) -> None:
        """See all k examples, once, before training; what is kept goes into a buffer of an added module."""

    def penalty(self, backbone: Backbone) -> Tensor | None:
        """What is added to the loss of each training step."""
        return None

    def after_step(self, backbone: Backbone, step: int, steps: int) -> None:
        """Called after each training step, `step` of `steps` being done: for training in more than one phase.

        The step's gradients, clipped, still stand.
        """

    def finish(self, backbone: Backbone) -> None:
        """Called once, after training and before predicting."""

    def report(self, backbone: Backbone) -> dict[str, Any]:
        """Facts about what was trained, for the record."""
        return {}


def sizes_of(parts: Sequence[Adaptation | Control]) -> list[str]:
    """The options that set how many parameters train, a part at a time; parts without one are left out."""
    return [part.sized_by for part in parts if isinstance(part, Adaptation) and part.sized_by]


class Control(Strict):
    """A bound on the leaderboard that needs no model. Subclass it in `methods/<id>/method.py`."""

    def predict(self, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[Any]:
        """A prediction for each of `test`, in the form that the task's kind scores, from the k of `train`."""
        raise NotImplementedError(f"{type(self).__name__} must define predict")


class TokenControl(Control):
    """A control that reads texts as the tokens of the task's backbone, whose model it leaves alone."""

    def predict_tokens(self, train: list[Encoded], test: list[Encoded], vocabulary: int) -> list[Any]:
        """As `predict`, of encoded examples; the tokenizer tells `vocabulary` tokens apart."""
        raise NotImplementedError(f"{type(self).__name__} must define predict_tokens")


def needed(part: type[Adaptation | Control]) -> str:
    """The function that a plug-in has to define."""
    if issubclass(part, TokenControl):
        return "predict_tokens"
    return "predict" if issubclass(part, Control) else "attach"
