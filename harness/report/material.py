"""What all sections of the report read, made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.contracts.paper import PaperSpec
from harness.contracts.plan import Plan
from harness.paper.answers import Answer, answer_paper
from harness.paper.evidence import Evidence
from harness.paper.sheet import Sheet
from harness.paper.tables import paper_sheets
from harness.table.leaderboard import task_board
from harness.table.rows import Row


@dataclass(frozen=True)
class Material:
    """A run with its boards, answers and tables."""

    evidence: Evidence
    papers: dict[str, PaperSpec]

    @property
    def plan(self) -> Plan:
        """The run's plan."""
        return self.evidence.plan

    @cached_property
    def boards(self) -> dict[str, list[Row]]:
        """Each task's board."""
        evidence = self.evidence
        return {task: task_board(self.plan, evidence.records, task, evidence.scores(task)) for task in self.plan.tasks}

    @cached_property
    def answers(self) -> dict[str, list[Answer]]:
        """Each paper's answers."""
        return {name: answer_paper(self.evidence, name, paper) for name, paper in self.papers.items()}

    @cached_property
    def sheets(self) -> dict[str, list[Sheet]]:
        """Each paper's tables."""
        return {name: paper_sheets(self.evidence, paper) for name, paper in self.papers.items()}

    @cached_property
    def by_use(self) -> list[str]:
        """The papers: first those of which the run answers a claim, then those with a number of ours, then the rest."""

        def place(name: str) -> tuple[bool, bool]:
            ours = [line for sheet in self.sheets[name] for line in sheet.lines if line.whose == "ours"]
            answered = any(answer.verdict != "not run" for answer in self.answers[name])
            return not answered, not any(entry.kind == "number" for line in ours for entry in line.entries)

        return sorted(self.papers, key=place)

    def label(self, method: str) -> str:
        """A method's name for readers."""
        return str(self.plan.methods[method]["label"])
