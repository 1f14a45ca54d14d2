"""The mark of the job that a rule's wildcards name, as the Snakefile's outputs have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Mark = Callable[[Any], str]


class Marks:
    """The marks of the jobs of a run, by the wildcards of their rules."""

    def __init__(self, output: str) -> None:
        self.output = output

    def backbone(self, wildcards: Any) -> str:
        """That of a backbone."""
        return f"{self.output}/backbones/{wildcards.name}-{wildcards.key}/backbone.json"

    def prepare(self, wildcards: Any) -> str:
        """That of a preparation in a seed."""
        return f"{self.output}/prepared/{wildcards.task}/{wildcards.name}-{wildcards.key}.json"

    def tune(self, wildcards: Any) -> str:
        """That of a search."""
        return f"{self.output}/tune/{wildcards.task}/{wildcards.name}-{wildcards.key}.json"

    def adapt(self, wildcards: Any) -> str:
        """That of some seeds of a block."""
        return f"{self.output}/blocks/{wildcards.task}/{wildcards.method}-{wildcards.key}.json"
