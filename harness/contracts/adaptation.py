"""The contract of an adaptation: what is trained on the target domain's k examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.contracts.model import Strict

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Adaptation(Strict):
    """Modules and parameters that learn the target domain. Subclass it in `methods/<id>/method.py`.

    Annotated fields are the options that `adapt:` in method.yaml may set. The body of the backbone is
    frozen and a new head trains before `attach` is called; `attach` adds modules and unfreezes.
    """

    def attach(self, backbone: Backbone) -> None:
        """Put modules into `backbone` and say what trains. Called once, before training."""
        raise NotImplementedError(f"{type(self).__name__} must define attach")


class Control(Strict):
    """A bound on the leaderboard that needs no model. Subclass it in `methods/<id>/method.py`."""

    def predict(self, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> list[Any]:
        """A prediction for each of `test`, in the form that the task's kind scores, from the k of `train`."""
        raise NotImplementedError(f"{type(self).__name__} must define predict")
