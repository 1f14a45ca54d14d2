"""What a meta-iteration reads: domains, and of each a support set and a query set drawn apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch

from harness.base.errors import UserError
from harness.data.task import Features
from harness.learn.batches import Batch, collate


@dataclass(frozen=True)
class Episode:
    """One domain's part of a meta-iteration; each inner batch is in `support`."""

    domain: str
    support: list[list[Features]]
    query: list[Features]


def draw(
    domains: Mapping[str, Sequence[Features]], count: int, steps: int, size: int, queried: int, rng: Random
) -> list[Episode]:
    """`count` episodes from different domains as far as there are so many, support and query without overlap.

    A support set has one batch of `size` for each inner step as far as the domain reaches; then its examples
    come again, in another order.
    """
    names = list(domains)
    chosen = [name for _ in range(-(-count // len(names))) for name in rng.sample(names, len(names))][:count]
    episodes = []
    for name in chosen:
        examples = domains[name]
        places = rng.sample(range(len(examples)), min(len(examples), queried + steps * size))
        query, support = places[:queried], places[queried:]
        batches = [[examples[place] for place in _batch(support, step, size, rng)] for step in range(steps)]
        episodes.append(Episode(name, batches, [examples[place] for place in query]))
    return episodes


def _batch(support: list[int], step: int, size: int, rng: Random) -> list[int]:
    """The places of an inner step's batch."""
    fresh = support[step * size : (step + 1) * size]
    return fresh if len(fresh) == size else rng.sample(support, size)


def check_size(name: str, examples: Sequence[Features], queried: int, size: int) -> None:
    """Raise UserError where a domain has too few examples for a query set and one support batch."""
    if len(examples) < queried + size:
        raise UserError(
            f"domain {name!r}: it has {len(examples)} examples, and meta-learning draws {queried} for the query and "
            f"{size} for a support batch; lower `outer.query` or `inner.batch_size`, or use a larger domain"
        )


def batches_of(episodes: Sequence[Episode], pad: int, device: torch.device) -> tuple[list[Batch], Batch]:
    """The support batches, one an inner step, and the query batch, each with all episodes' rows in order."""
    steps = len(episodes[0].support)
    support = [[row for episode in episodes for row in episode.support[step]] for step in range(steps)]
    query = [row for episode in episodes for row in episode.query]
    return [collate(rows, pad, device) for rows in support], collate(query, pad, device)


def tokens_in(batches: Sequence[Batch]) -> int:
    """The tokens that are read, padding left out."""
    return sum(int(batch["attention_mask"].sum()) for batch in batches)
