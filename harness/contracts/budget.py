"""The number of training examples that adaptation may use, or all of a domain's train split.

A domain's train split is as long as it is, so `all` is another number in each. In plans it is WHOLE, which is more
than any split holds and so stands at the end of every order; records hold each domain's own number. Tables call it
`whole`: their `all` is all budgets together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from harness.contracts.model import Word

WHOLE = Word(2**31 - 1)
BEYOND = 4.0  # how far behind the largest number `all` is drawn, in an axis of ratios


def _read(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """`all` beside numbers."""
    if value == "all":
        return WHOLE
    if isinstance(value, str) and not value.isdigit():
        raise ValueError("write a number of examples, or all")
    return handler(value)


Budget = Annotated[int, Field(ge=1), WrapValidator(_read)]


def budget_of(word: str) -> int:
    """A budget as it is written in a command; raises ValueError where it is none."""
    return int(WHOLE) if word == "all" else int(word)


def told(budget: int) -> int | str:
    """A budget for a reader, and in the names of files."""
    return "whole" if budget == WHOLE else budget


def told_all(budgets: Iterable[int], between: str = ", ") -> str:
    """Budgets for a reader, one after the other."""
    return between.join(str(told(budget)) for budget in budgets)


def in_words(budget: int) -> str:
    """A budget in a title."""
    return "All training examples of each domain" if budget == WHOLE else f"{budget} training examples"


def positions(budgets: Sequence[int]) -> list[float]:
    """Where budgets stand on an axis: numbers at themselves, `all` behind the largest."""
    largest = max((budget for budget in budgets if budget != WHOLE), default=1)
    return [BEYOND * largest if budget == WHOLE else float(budget) for budget in budgets]
