"""Roles of domains that are one of many: drawn by shares, from the domains' names alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import get_args

from harness.contracts.task import Role, Shares


def drawn(domains: Iterable[str], shares: Shares) -> dict[str, Role]:
    """The role of each domain, in the order of their hashes: whatever order they come in, the draw is the same.

    Counts are those nearest to the shares: each is rounded down, and what is left goes to the largest remainders.
    A role with a share has at least one domain, where there are enough.
    """
    ordered = sorted(domains, key=_place)
    parts = {role: float(getattr(shares, role)) for role in get_args(Role)}
    counts = _counts(len(ordered), [*parts.values()])
    roles = [role for role, count in zip(parts, counts, strict=True) for _ in range(count)]
    return dict(zip(ordered, roles, strict=True))


def as_told(roles: dict[str, Role]) -> dict[str, Role]:
    """Roles that the files themselves say, in the order in which drawn ones stand."""
    return {domain: roles[domain] for domain in sorted(roles, key=_place)}


def limited(roles: dict[str, Role], scored: int | None) -> dict[str, Role]:
    """The roles, less the meta_test domains after the first `scored` in their order."""
    tested = [domain for domain, role in roles.items() if role == "meta_test"]
    left = set(tested[scored:]) if scored is not None else set()
    return {domain: role for domain, role in roles.items() if domain not in left}


def _place(domain: str) -> str:
    return hashlib.sha256(f"role\x1f{domain}".encode()).hexdigest()


def _counts(total: int, shares: list[float]) -> list[int]:
    """Whole numbers that sum to `total`, as near to the shares as they can be."""
    wanted = [total * share / sum(shares) for share in shares]
    counts = [int(its) for its in wanted]
    by_remainder = sorted(range(len(shares)), key=lambda place: (counts[place] - wanted[place], place))
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    for place, share in enumerate(shares):
        if share and not counts[place] and max(counts) > 1:
            counts[counts.index(max(counts))] -= 1
            counts[place] = 1
    return counts
