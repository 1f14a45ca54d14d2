"""Which layers a tuner of PEFT changes in an architecture that PEFT does not know."""

from __future__ import annotations

from typing import Any

from peft.utils import constants

from harness.backbone.anatomy import Anatomy, DenseRole, anatomies
from harness.backbone.backbone import ROLES, Backbone


def targets_of(backbone: Backbone, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options that PEFT would ask for: the layers of the roles that the tuner changes where PEFT knows them.

    Nothing where PEFT knows the architecture, the user names layers, or the tuner changes none, or others than dense
    layers.
    """
    known: dict[str, Any] = getattr(constants, f"TRANSFORMERS_MODELS_TO_{kind}_TARGET_MODULES_MAPPING", {})
    if backbone.transformer.config.model_type in known or options.get("target_modules") is not None:
        return {}
    translated = (
        roles_of(known[name], anatomy)
        for name, anatomy in anatomies().items()
        if isinstance(known.get(name), (list, tuple))
    )
    roles = next((found for found in translated if found), ())
    names = {id(module): name for name, module in backbone.model.named_modules()}
    return {"target_modules": [names[id(dense.module)] for dense in backbone.dense_layers(roles)]} if roles else {}


def scaled_inputs_of(backbone: Backbone) -> list[str]:
    """The layers whose input, not output, IA3 scales: those that end an FFN."""
    names = {id(module): name for name, module in backbone.model.named_modules()}
    return [names[id(dense.module)] for dense in backbone.dense_layers(("down",))]


def roles_of(names: list[str], anatomy: Anatomy) -> tuple[DenseRole, ...]:
    """The roles of the layers that `names` end; none where a name ends others too, or those of several roles."""
    found: set[DenseRole] = set()
    for name in names:
        its = {role for role, path in _paths(anatomy) if path == name or path.endswith(f".{name}")}
        if len(its) != 1:
            return ()
        found |= its
    return tuple(role for role in ROLES["all"] if role in found)


def _paths(anatomy: Anatomy) -> list[tuple[DenseRole, str]]:
    """Every dense layer's role and path."""
    found: list[tuple[DenseRole, str]] = []
    for stack in anatomy.stacks.values():
        found += [(role, getattr(its, role)) for its in stack.attention.values() for role in ROLES["attention"]]
        for role in ROLES["ffn"]:
            paths = getattr(stack.ffn, role) or ()
            found += [(role, path) for path in ((paths,) if isinstance(paths, str) else paths)]
    return found
