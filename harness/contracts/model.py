"""Validation by pydantic, told to the user in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer
from pydantic.errors import PydanticUserError

from harness.base.errors import UserError, bad, reason
from harness.base.lines import Where, place_of
from harness.base.yaml_file import Odd


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class Word(int):
    """A number that a word of the user stands for."""


class Sparing(Strict):
    """One that does not tell the fields `sparing` where they say nothing; `instead` are those that replace another."""

    sparing: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[Mapping[str, str]] = {}

    def unused(self) -> set[str]:
        """The fields that are not told."""
        fields = type(self).model_fields
        idle = {name for name in self.sparing if name in fields and getattr(self, name) == fields[name].default}
        return idle | {other for name, other in self.instead.items() if name not in idle}

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unused = self.unused()
        return {name: value for name, value in handler(self).items() if name not in unused}


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], content: Any, where: Where, prefix: str = "", texts: bool = False) -> Model:
    """`content` as `model`; raises UserError with the first mistake in one sentence.

    `texts` says that numbers are written as texts too, as a CSV file has them.
    """
    try:
        read = model.model_validate(content)
    except ValidationError as error:
        raise _sentence(model, content, error, where, prefix) from None
    except PydanticUserError as error:  # a plug-in's own annotations cannot be read
        raise bad(where, prefix or "the file", model.__name__, f"mend the class's fields ({reason(error)})") from None
    if not texts and (found := _misread(content, read)):
        field, value, mend = found
        raise bad(where, f"{prefix}.{field}".lstrip("."), value, mend)
    return read


def _misread(content: Any, read: Any) -> tuple[str, Any, str] | None:
    """Where `content` holds a value that pydantic took for another kind of value, with the mend."""
    for key, value in content.items() if isinstance(content, Mapping) else enumerate(content):
        its = read[key] if isinstance(read, (Mapping, Sequence)) else getattr(read, str(key), value)
        if mend := _mend(value, its):
            return str(key), value, mend
        inner = _holds(value) and (_holds(its) or isinstance(its, BaseModel))
        if inner and (found := _misread(value, its)):
            return f"{key}.{found[0]}", *found[1:]
    return None


def _mend(value: Any, read: Any) -> str | None:
    """How to write what was given as `value` and read as `read`; None where it is well."""
    number = isinstance(read, (int, float)) and not isinstance(read, bool)
    if isinstance(value, bool) and not isinstance(read, bool):
        return "write a number"
    if isinstance(value, str) and number and not isinstance(read, Word):
        return f"write the number alone, as {read}: without quotes, a leading zero or underscores"
    if read is value and isinstance(value, Odd):  # a place that takes anything
        return "write true or false, or a decimal number, or put it in quotes: it can be read in several ways"
    return None


def _holds(value: Any) -> bool:
    return isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes))


def _sentence(model: type[BaseModel], content: Any, error: ValidationError, where: Where, prefix: str) -> UserError:
    mistakes = _most_exact(content, error)
    first = mistakes[0]
    lacking = first["type"] == "missing"
    place = _users_keys(content, first["loc"][:-1] if lacking else first["loc"])
    if lacking:
        place.append(str(first["loc"][-1]))
    field = ".".join([prefix, *place] if prefix else place) or "the file"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        close = get_close_matches(str(first["loc"][-1]), known, 1)
        mend = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(sorted(known)) or 'no keys'}"
        file = place_of(where, field, None)
        return UserError(f"{file}: unknown key {field!r} (value {first['input']!r}); {mend}")
    if lacking:
        return bad(where, field, None, "it is missing; add it")
    told = " or ".join(dict.fromkeys(_told(mistake) for mistake in mistakes))
    return bad(where, field, first["input"], told[0].lower() + told[1:])


def _told(mistake: Any) -> str:
    """What pydantic says of a mistake, and how to write it right where that is not said."""
    told = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    value, kind = mistake["input"], mistake["type"]
    if kind == "list_type" and not _holds(value):
        return f"it should be a valid list: write [{'' if value is None else value}]"
    if kind == "string_type" and not _holds(value):
        return "it should be a valid string: put it in quotes"
    if kind in ("int_parsing", "float_parsing") and isinstance(value, Odd):
        return f"it should be a valid {'integer' if kind == 'int_parsing' else 'number'}: write a decimal number"
    if kind in ("dict_type", "model_type"):
        return "it should be a valid dictionary: write keys with values"
    return str(told)


def _most_exact(content: Any, error: ValidationError) -> list[Any]:
    """The first mistake; where several branches of a union fail there, those that went deepest.

    A key that lacks because it is misspelt is told as the one that is not known.
    """
    mistakes: list[Any] = error.errors()
    *parent, name = mistakes[0]["loc"] or ("",)
    for mistake in mistakes if mistakes[0]["type"] == "missing" else ():
        beside = mistake["type"] == "extra_forbidden" and list(mistake["loc"][:-1]) == parent
        if beside and get_close_matches(str(mistake["loc"][-1]), [str(name)]):
            return [mistake]
    keys = [_users_keys(content, mistake["loc"]) for mistake in mistakes]
    if not keys[0]:
        return [mistakes[0]]
    same = [place for place in range(len(keys)) if keys[place][: len(keys[0])] == keys[0]]
    deepest = max(same, key=lambda place: len(keys[place]))
    return [mistakes[place] for place in same if keys[place] == keys[deepest]]


def _users_keys(content: Any, place: tuple[Any, ...]) -> list[str]:
    """The parts of `place` that stand in `content`; pydantic adds the names of union branches."""
    kept = []
    for part in place:
        items = range(len(content)) if isinstance(content, list) else content if isinstance(content, Mapping) else ()
        if part in items:
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


def one_of(name: str, known: Mapping[str, Any] | list[str], where: Where, field: str, told: str = "{}") -> None:
    """Raise UserError unless `name` is among `known`, suggesting the nearest; `told` may say more around that."""
    if name not in known:
        close = get_close_matches(name, list(known), 1)
        mend = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(sorted(known))}"
        raise bad(where, field, name, told.format(mend))
