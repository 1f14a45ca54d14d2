"""A method's parts, built as its method.yaml says."""

from __future__ import annotations

from harness.base.errors import bad
from harness.contracts.adaptation import Adaptation, Control, needed
from harness.contracts.discover import Method, plugs
from harness.contracts.model import one_of, validate
from harness.contracts.preparation import Preparation
from harness.parts.offered import adaptations, preparations


def adaptations_of(method: Method) -> list[Adaptation | Control]:
    """The method's adaptations with their options, in the order that method.yaml names them."""
    where, code = method.folder / "method.yaml", method.folder / "method.py"
    own = plugs(code, Adaptation) | plugs(code, Control)
    known: dict[str, type[Adaptation | Control]] = {**own}
    if set(method.spec.adapt) - set(own):  # those of the harness import torch, which a control does without
        known = {**adaptations(), **own}
    built: list[Adaptation | Control] = []
    for name, options in method.spec.adapt.items():
        one_of(name, list(known), where, "adapt")
        built.append(validate(known[name], options, where, f"adapt.{name}"))
    if len(built) > 1 and any(isinstance(part, Control) for part in built):
        raise bad(where, "adapt", list(method.spec.adapt), "a control stands alone; remove the others")
    for part in built:
        lacking = needed(type(part))
        if getattr(type(part), lacking).__module__ == Adaptation.__module__:
            raise bad(code, "the class", type(part).__name__, f"it lacks {lacking}; define it")
    return built


def preparation_of(method: Method) -> Preparation | None:
    """The method's preparation with its options, None for `none`."""
    name, options = method.spec.preparation
    if name == "none":
        return None
    known, where = preparations(), method.folder / "method.yaml"
    one_of(name, [*known, "none"], where, "prepare")
    return validate(known[name], options, where, f"prepare.{name}")


def leaks(method: Method) -> bool:
    """Whether one of the method's adaptations lets a token see later ones."""
    return any(isinstance(part, Adaptation) and part.leaks for part in adaptations_of(method))
