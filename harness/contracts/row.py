"""The name of a row of a run: a method's own, or that of a variant of it, as `tarp_dynamic@rank=8`."""

from __future__ import annotations

from typing import NamedTuple


class RowName(NamedTuple):
    """Its method, and of a variant the option and the value; empty of the method itself."""

    method: str
    option: str
    value: str


def row_name(name: str) -> RowName:
    """A row's name, taken apart."""
    method, _, chosen = name.partition("@")
    option, _, value = chosen.partition("=")
    return RowName(method, option, value)


def is_variant(name: str) -> bool:
    """Whether a row is a variant of a method."""
    return "@" in name
