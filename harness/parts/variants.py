"""Variants: a method at another value of one of its options, a row of its own, as `tarp_dynamic@rank=8`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.base.errors import UserError, bad
from harness.base.lines import Where
from harness.base.paths import PLAIN
from harness.base.yaml_file import read_value
from harness.contracts.adaptation import Control
from harness.contracts.config import merged
from harness.contracts.discover import Method, methods
from harness.contracts.model import one_of, validate
from harness.contracts.row import is_variant, row_name
from harness.parts.build import adaptations_of, preparation_of

PREPARATION = "prepare"  # no adaptation is called so


def method_of(
    name: str, adapt: Mapping[str, Mapping[str, Any]] | None = None, known: Mapping[str, Method] | None = None
) -> Method:
    """A discovered method, or a variant of one, by its name, with what a run says of its adaptations.

    `known` are methods that were discovered already.
    """
    its = row_name(name)
    method = (methods() if known is None else known)[its.method]
    if adapt:
        spec = method.spec.model_copy(update={"adapt": merged(method.spec.adapt, adapt)})
        method = replace(method, spec=spec, adapt=merged({}, adapt))
    return variant(method, its.option, read_value(its.value, name)) if is_variant(name) else method


def variant(method: Method, option: str, value: Any) -> Method:
    """The method with another value of an option of its adaptation, or of its preparation."""
    owner = next(name for name, fields in _options(method).items() if option in fields)
    label = f"{method.spec.label}, {option.replace('_', ' ')} {value}"
    name = f"{method.id}@{option}={value}"
    if owner == PREPARATION:
        return replace(method, id=name, spec=method.spec.model_copy(update={"label": label}), prepare={option: value})
    adapt = merged(method.spec.adapt, {owner: {option: value}})
    return replace(method, id=name, spec=method.spec.model_copy(update={"adapt": adapt, "label": label}))


def _options(method: Method) -> dict[str, list[str]]:
    """The options of each part of the adaptation, and of the preparation."""
    parts = zip(method.spec.adapt, adaptations_of(method), strict=True)
    found = {name: list(type(part).model_fields) for name, part in parts}
    preparation = preparation_of(method)
    return found | ({PREPARATION: list(type(preparation).model_fields)} if preparation else {})


def variants_of(
    said: Mapping[str, Mapping[str, Sequence[Any]]], known: Mapping[str, Method], where: Where, place: str = "variants"
) -> dict[str, list[Method]]:
    """The variants that a field of a configuration asks for, by their method; raises UserError where one cannot be."""
    found: dict[str, list[Method]] = {}
    for name, options in said.items():
        one_of(name, list(known), where, place)
        for option, values in options.items():
            field = f"{place}.{name}.{option}"
            _check_option(known[name], option, where, field)
            found.setdefault(name, []).extend(_checked(known[name], option, value, where, field) for value in values)
    return found


def _check_option(method: Method, option: str, where: Where, field: str) -> None:
    """Refuse an option that no part of the method has, or several."""
    if any(isinstance(part, Control) for part in adaptations_of(method)):
        raise bad(where, field, option, f"{method.id} is a control, which has one row; remove it")
    options = _options(method).values()
    one_of(option, sorted({name for fields in options for name in fields}), where, field)
    if sum(option in fields for fields in options) > 1:
        mend = f"several parts of {method.id} have it; write a method of your own for each value"
        raise bad(where, field, option, mend)


def _checked(method: Method, option: str, value: Any, where: Where, field: str) -> Method:
    """A variant whose value the method takes, and whose name can stand in a path and is read as it was written."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or not PLAIN.fullmatch(str(value)):
        mend = "it becomes a part of names of files; write a number or a word of letters, digits, _ . + and -"
        raise bad(where, field, value, mend)
    if read_value(str(value), field) != value:
        raise bad(where, field, value, "it would be read as another value; write it without quotes")
    found = variant(method, option, value)
    try:
        adaptations_of(found)
        if preparation := preparation_of(found):
            validate(type(preparation), merged(preparation.model_dump(), found.prepare), where, field)
    except UserError as error:
        told = str(error).rpartition("; ")[2]
        raise bad(where, field, value, told) from None
    return found
