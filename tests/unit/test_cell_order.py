"""A block's cells are run seed by seed, those of one checkpoint after another."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from harness.adapt.block import in_turn
from harness.contracts.plan import Cell


def test_the_first_seed_of_everything_comes_first() -> None:
    for checkpoints in (["base"] * 3, ["s0", "s1", "s2"]):  # one that all seeds share, and one of each
        cells = [
            Cell("ner", "lora", domain, budget, seed, "", "", f"{checkpoints[seed]}-{domain}")
            for domain in ("de", "fi")
            for budget in (8, 64)
            for seed in range(3)
        ]
        Random(0).shuffle(cells)
        order = in_turn(cells)
        assert sorted(order, key=cells.index) == cells
        assert [cell.seed for cell in order] == [0] * 4 + [1] * 4 + [2] * 4
        read = [cell.checkpoint for cell in order]
        assert sum(one != next_one for one, next_one in pairwise(read)) == 5  # each once a seed
