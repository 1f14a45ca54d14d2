"""The mark of rows whose rates were neither tuned on their backbone nor given."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contracts.plan import Block, Origin, Plan

RATES_MARK = "¶"


def untuned(plan: Plan, task: str) -> dict[str, list[str]]:
    """For each method whose rates are method.yaml's alone: whether that are its own, its preparation's, or both."""
    found = {block.method: _untuned(block) for block in plan.blocks if block.task == task}
    return {method: whose for method, whose in found.items() if whose}


def _untuned(block: Block) -> list[str]:
    whose = {"adaptation": block.rates, "preparation": block.preparation_rates}
    return [name for name, origin in whose.items() if origin == "method"]


def origins(plan: Plan, task: str) -> dict[str, dict[str, Origin]]:
    """Where the rates of each method come from, as columns of a table."""
    return {
        block.method: {"rates": block.rates, "preparation_rates": block.preparation_rates}
        for block in plan.blocks
        if block.task == task
    }


def note_of(found: Mapping[str, list[str]], labels: Mapping[str, str]) -> str:
    """What the mark says of these methods."""
    said = "; ".join(f"{labels[method]} ({' and '.join(whose)})" for method, whose in found.items())
    return (
        f"{RATES_MARK} Rates as the method's folder has them, neither tuned on this backbone nor given by the "
        f"configuration, so that another backbone or task may be what they suit: {said}."
    )
