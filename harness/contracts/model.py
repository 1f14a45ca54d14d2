"""Validation by pydantic, told to the user in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.errors import PydanticUserError

from harness.base.errors import UserError, bad, reason


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


class _Twice(yaml.YAMLError):
    """A key stands twice in one mapping."""

    def __init__(self, key: str, value: str, line: int) -> None:
        super().__init__(f"{key!r} stands twice")
        self.key, self.value, self.line = key, value, line


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error; PyYAML keeps the last without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """The mapping, before merge keys are filled in: those may repeat a key."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _Twice(key.value, getattr(value, "value", ""), key.start_mark.line + 1)
            seen.add(str(key.value))
        return node


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises UserError where it is missing or not a mapping."""
    if not path.is_file():
        raise bad(path, "the file", path.name, "it does not exist; create it or name another")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except _Twice as error:
        value = error.value if isinstance(error.value, str) else "a second block"
        raise bad(
            f"{path}: line {error.line}", f"the key {error.key!r}", value, "it stands twice; remove one"
        ) from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f"{path}: line {place.line + 1}" if place else path
        raise bad(where, "the YAML", getattr(error, "problem", str(error)), "mend this line or the one above") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        odd = error.object[error.start : error.end]
        raise bad(f"{path}: line {line}", "the text", odd, "it is not UTF-8; save the file as UTF-8") from None
    if not isinstance(content, dict):
        raise bad(path, "the file", content, "write a mapping of keys to values")
    return content


def validate(model: type[Model], content: Any, where: Path | str, prefix: str = "") -> Model:
    """`content` as `model`; raises UserError with the first mistake in one sentence."""
    try:
        read = model.model_validate(content)
    except ValidationError as error:
        raise _sentence(model, content, error, where, prefix) from None
    except PydanticUserError as error:  # a plug-in's own annotations cannot be read
        raise bad(where, prefix or "the file", model.__name__, f"mend the class's fields ({reason(error)})") from None
    if truth := _truth(content, read):
        mend = "write a number, or a text in quotes: YAML reads yes, no, on and off as truth values"
        raise bad(where, f"{prefix}.{truth[0]}".lstrip("."), truth[1], mend)
    return read


def _truth(content: Any, read: Any) -> tuple[str, bool] | None:
    """Where `content` holds a truth value that was read as a number, which pydantic allows."""
    for key, value in content.items() if isinstance(content, Mapping) else enumerate(content):
        its = read[key] if isinstance(read, (Mapping, list)) else getattr(read, str(key), value)
        if isinstance(value, bool) and not isinstance(its, bool):
            return str(key), value
        inner = isinstance(value, (Mapping, list)) and isinstance(its, (BaseModel, Mapping, list))
        if inner and (found := _truth(value, its)):
            return f"{key}.{found[0]}", found[1]
    return None


def _sentence(
    model: type[BaseModel], content: Any, error: ValidationError, where: Path | str, prefix: str
) -> UserError:
    first = _most_exact(content, error)
    lacking = first["type"] == "missing"
    place = _users_keys(content, first["loc"][:-1] if lacking else first["loc"])
    if lacking:
        place.append(str(first["loc"][-1]))
    field = ".".join([prefix, *place] if prefix else place) or "the file"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        close = get_close_matches(str(first["loc"][-1]), known, 1)
        mend = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(sorted(known)) or 'no keys'}"
        return UserError(f"{where}: unknown key {field!r} (value {first['input']!r}); {mend}")
    if lacking:
        return bad(where, field, None, "it is missing; add it")
    told = first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    return bad(where, field, first["input"], told[0].lower() + told[1:])


def _most_exact(content: Any, error: ValidationError) -> Any:
    """The first mistake; where several branches of a union fail there, the one that went deepest."""
    mistakes = error.errors()
    keys = [_users_keys(content, mistake["loc"]) for mistake in mistakes]
    same = [place for place in range(len(keys)) if keys[place][: len(keys[0])] == keys[0]]
    return mistakes[max(same, key=lambda place: len(keys[place]))] if keys[0] else mistakes[0]


def _users_keys(content: Any, place: tuple[Any, ...]) -> list[str]:
    """The parts of `place` that stand in `content`; pydantic adds the names of union branches."""
    kept = []
    for part in place:
        if (isinstance(content, Mapping) and part in content) or (isinstance(content, list) and isinstance(part, int)):
            content = content[part]
            kept.append(str(part))
    return kept


def _keys_at(model: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """The keys that the model nested at `place` knows."""
    current: list[type[BaseModel]] = [model]
    for part in place:
        inside = [kind for one in current if part in one.model_fields for kind in _models(one.model_fields[part])]
        branch = [one for one in current if any(part in get_args(its.annotation) for its in one.model_fields.values())]
        current = inside or branch or current
    return sorted({key for one in current for key in one.model_fields})


def _models(field: Any) -> list[type[BaseModel]]:
    """The models that a field's annotation mentions."""
    return [kind for kind in (field.annotation, *_arguments(field.annotation)) if hasattr(kind, "model_fields")]


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
