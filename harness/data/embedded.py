"""Splits made from a grammar: distinct, deterministic, test frames and entities held out from train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, get_args

from harness.base.errors import bad
from harness.base.seeds import generator
from harness.contracts.task import Sizes
from harness.data.grammar import Grammar, Part
from harness.data.rows import numbered

if TYPE_CHECKING:
    from harness.data.task import Splits

Draw = Callable[[Grammar, Random, Part], dict[str, Any]]
TRIES = 50  # draws for each distinct example before the grammar is called too small


def generate(
    file: Path, task: str, domain: str, sizes: Sizes, draw: Draw, key: Callable[[dict[str, Any]], str]
) -> Splits:
    """Splits of `sizes`, all examples distinct by `key`, each split from a seed of its own."""
    if not file.is_file():
        raise bad(file, "the domain", domain, "write its grammar there, or name a domain that has one")
    grammar = Grammar.load(file)
    splits: Splits = {}
    held_out: set[str] = set()
    for part in get_args(Part):
        rng = generator("embedded", task, domain, part)
        rows: dict[str, dict[str, Any]] = {}
        wanted = getattr(sizes, part)
        for _ in range(TRIES * wanted):
            if len(rows) == wanted:
                break
            row = draw(grammar, rng, part)
            if part != "unlabeled" or key(row) not in held_out:
                rows.setdefault(key(row), row)
        if len(rows) < wanted:
            mend = f"the grammar makes only {len(rows)} distinct examples; add frames or words"
            raise bad(file, f"sizes.{part}", wanted, mend)
        splits[part] = numbered(domain, part, rows.values())
        held_out |= set(rows) if part in ("dev", "test") else set()
    return splits
