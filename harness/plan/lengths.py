"""How many examples a run's data have, of how many sentences and how long: as data that stand say, else as is usual.

A sentence is what a model reads at once. Most examples are one; a dialogue has one for each reply, with all that was
said before, and a record one for each of its references.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import ceil
from pathlib import Path
from statistics import fmean, median

from harness.contracts.budget import WHOLE
from harness.contracts.discover import TaskFolder, tasks
from harness.contracts.method import LABELLING, Kind
from harness.contracts.plan import Plan
from harness.data.splits import HELD
from harness.plan.checkpoints import examples_of
from harness.tune.space import EXAMPLES

LETTERS = 4  # a token, about, where there is no tokenizer yet
LABELLED, WRITTEN = 0.25, 0.6  # of the longest input, what a sentence has where no data stand: one to label, and others
TESTS, TRAINS = 300, 1000  # examples of a split that does not stand yet
SENTENCES: dict[Kind, float] = {"dialogue": 5.0}  # of an example, where no data stand; of other kinds one
SAMPLED = 200  # examples of a task that are counted
TOKENIZER = "tokenizer.json"


class Lengths:
    """The examples and the tokens of a plan's tasks."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def tests(self, task: str) -> int:
        """How many test examples of a domain are scored."""
        many = self._tests[task]
        return min(many, self.plan.tasks[task].test_examples or many)

    def tried(self, task: str, held_out: bool, budgets: list[int]) -> float:
        """How many examples a cell of a search is scored on: a share of its budget, or some of the test split."""
        if held_out:
            return fmean(max(1, self.learned(task, budget) // HELD) for budget in budgets)
        return min(EXAMPLES, self.tests(task))

    def learned(self, task: str, budget: int) -> int:
        """How many examples a budget is: no more than there are."""
        many = self._trains[task]
        return many if budget == WHOLE else min(budget, many)

    def sentences(self, task: str) -> float:
        """How many sentences an example has."""
        examples, its = self._tokens[task]
        return len(its) / examples

    def examples(self, task: str, domains: Sequence[str]) -> float:
        """How many examples the train splits of some domains have."""
        return len(domains) * self._trains[task]

    def tokens(self, task: str) -> float:
        """How many tokens a sentence has, at most as many as are read."""
        return fmean(self._tokens[task][1])

    def padded(self, task: str, sentences: int) -> float:
        """How many tokens a sentence has in a batch of so many of any length: the mean of the longest."""
        ordered = sorted(self._tokens[task][1])
        shares = [(place / len(ordered)) ** sentences for place in range(len(ordered) + 1)]
        return sum(many * (shares[place + 1] - shares[place]) for place, many in enumerate(ordered))

    @cached_property
    def _tokens(self) -> dict[str, tuple[float, list[float]]]:
        """Some examples of each task: how many they are, and the tokens of their sentences."""
        return {name: self._sampled(name) for name in self.plan.tasks}

    def _sampled(self, name: str) -> tuple[float, list[float]]:
        its = self.plan.tasks[name]
        kind: Kind = its.kind  # type: ignore[assignment]
        task, examples = examples_of(self.plan, name)
        if not examples:
            usual = its.max_length * (LABELLED if kind in LABELLING else WRITTEN)
            return 1 / SENTENCES.get(kind, 1.0), [usual]
        sampled = examples[:: ceil(len(examples) / SAMPLED)]
        texts = [text for example in sampled for text in task.texts(example)]
        return len(sampled), [min(many, its.max_length) for many in self._counted(its.backbone, texts)]

    def _counted(self, backbone: str, texts: list[str]) -> list[float]:
        """The tokens of texts, by the backbone's tokenizer where it stands."""
        file = Path(self.plan.backbone(backbone).checkpoint) / TOKENIZER
        if not file.is_file():
            return [len(text) / LETTERS for text in texts]
        from tokenizers import Tokenizer  # not every command that plans needs it

        reader = Tokenizer.from_file(str(file))
        reader.no_truncation()
        reader.no_padding()
        return [float(len(reader.encode(text).ids)) for text in texts]

    @cached_property
    def _tests(self) -> dict[str, int]:
        return {name: self._lines(name, "test", TESTS) for name in self.plan.tasks}

    @cached_property
    def _trains(self) -> dict[str, int]:
        return {name: self._lines(name, "train", TRAINS) for name in self.plan.tasks}

    def _lines(self, name: str, split: str, guess: int) -> int:
        """How many examples a scored domain of a task has in a split."""
        task = self.plan.tasks[name]
        folders = [Path(self.plan.data_of(name).folders[domain]) for domain in task.domains]
        files = [folder / f"{split}.jsonl" for folder in folders]
        lines = [len(file.read_bytes().splitlines()) for file in files if file.is_file()]
        sizes = self._folders[task.base].spec.sources[task.source].sizes
        return round(median(lines)) if lines else getattr(sizes, split, guess)

    @cached_property
    def _folders(self) -> dict[str, TaskFolder]:
        return tasks()
