"""What one job of the rule `adapt` computes: the cells of a block in some of its seeds."""

from __future__ import annotations

from dataclasses import dataclass

from harness.base.wording import seeds_in_words


@dataclass(frozen=True)
class AdaptJob:
    """The cells of a block in some of its seeds, which one job runs in one process."""

    task: str
    method: str
    backbone: str
    seeds: list[int]
    needs: list[str]  # the marks of what its cells begin with, and of their rates; none: data alone
    done: str

    @property
    def title(self) -> str:
        """The job for a person."""
        return f"{self.task} {self.method} {seeds_in_words(self.seeds)}"
