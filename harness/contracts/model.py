"""Validation by pydantic, told to the user in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.base.errors import UserError, bad


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises UserError where it is missing or not a mapping."""
    if not path.is_file():
        raise UserError(f"{path}: this file does not exist; create it or name another")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" in line {place.line + 1}" if place else ""
        raise UserError(f"{path}: this is not valid YAML{line}: {getattr(error, 'problem', error)}; mend it") from None
    if not isinstance(content, dict):
        raise bad(path, "the file", content, "write a mapping of keys to values")
    return content


def validate(model: type[Model], content: Any, where: Path | str, prefix: str = "") -> Model:
    """`content` as `model`; raises UserError with the first mistake in one sentence."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _sentence(model, error, where, prefix) from None


def _sentence(model: type[BaseModel], error: ValidationError, where: Path | str, prefix: str) -> UserError:
    first = error.errors()[0]
    # Pydantic adds the names of union branches to the place; only the user's own keys are shown.
    place = [
        str(part) for part in first["loc"] if not (isinstance(part, str) and part.startswith(("function-", "is-")))
    ]
    field = ".".join([prefix, *place] if prefix else place) or "the file"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        close = get_close_matches(str(first["loc"][-1]), known, 1)
        mend = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(sorted(known)) or 'no keys'}"
        return UserError(f"{where}: unknown key {field!r} (value {first['input']!r}); {mend}")
    if first["type"] == "missing":
        return UserError(f"{where}: {field} is missing; add it")
    return bad(where, field, first["input"], first["msg"][0].lower() + first["msg"][1:])


def _keys_at(model: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """The keys that the model nested at `place` knows."""
    current: Any = model
    for part in place:
        fields = getattr(current, "model_fields", {})
        if part in fields:
            annotation = fields[part].annotation
            inner = [kind for kind in (annotation, *_arguments(annotation)) if hasattr(kind, "model_fields")]
            if inner:
                current = inner[0]
        elif hasattr(current, "model_fields") and isinstance(part, str):
            continue
    return list(getattr(current, "model_fields", {}))


def _arguments(annotation: Any) -> list[Any]:
    found = []
    for argument in getattr(annotation, "__args__", ()):
        found += [argument, *_arguments(argument)]
    return found


def one_of(name: str, known: Mapping[str, Any] | list[str], where: Path | str, field: str) -> None:
    """Raise UserError unless `name` is among `known`, suggesting the nearest."""
    if name not in known:
        close = get_close_matches(name, list(known), 1)
        mend = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(sorted(known))}"
        raise bad(where, field, name, mend)
