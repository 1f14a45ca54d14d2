"""What a job computes, in seconds of one core, before anything of the run was measured: products, and what is beside.

A pass over a batch costs the products of its tokens with the parameters, and what is beside them: a share a layer, a
share that grows with the tokens and the width, and one of its own. Layers that an adaptation leaves as they are take
part in no gradient, and cells read each sentence once through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from statistics import fmean
from typing import Any

from harness.contracts.adaptation import Adaptation
from harness.contracts.discover import methods
from harness.contracts.method import LABELLING, Kind, Train
from harness.contracts.model import validate
from harness.contracts.plan import BackboneJob, Block, Plan, PrepareJob, TuneJob
from harness.contracts.preparation import Preparation
from harness.parts.build import adaptations_of
from harness.parts.offered import preparations
from harness.parts.variants import method_of
from harness.plan.lengths import LETTERS, Lengths
from harness.plan.sizes import Size, size_of
from harness.tune.space import TRIALS

# A product costs 2 operations a parameter and token, its gradients 4 (Kaplan et al., 2020, section 2.1).
TRAINED, READ = 6, 2
RATE = 5e10  # operations a second of one core
STEP, LEFT = 1e-3, 1e-3  # seconds of a pass with gradients, and for each layer, computed in it or left as it is
LAYER, ELEMENT = 2e-3, 8.6e-8  # more for each that is computed, and for each token and unit of its width there
FORWARD = 1 / 3  # of what is beside the products, what a pass without gradients has
TEXT, TOKEN = 1e-4, 2e-6  # of a sentence that is made tokens, and for each of them
BATCH = 32  # sentences of a pass that only reads
# A text that is generated costs so many that are read.
GENERATED: dict[Kind, float] = {"summarization": 16.0, "data-to-text": 16.0}


@dataclass(frozen=True)
class Changed:
    """What adaptations change of a backbone: from which layer on, and how many times as long a layer then takes."""

    leaves: int = 0
    slower: float = 1.0


class Work:
    """Seconds of one core for what a plan's jobs compute."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.lengths = plan, Lengths(plan)
        self._sizes = {job.name: size_of(job) for job in plan.backbones}
        self._methods = methods()
        self._parts: dict[str, list[Adaptation]] = {}  # by method and what the run says of its adaptations

    def training(self, block: Block | TuneJob) -> float:
        """What the training of one cell takes, the mean over its budgets; of a search, over its trials."""
        settings, tokens = Train(**block.train), self.lengths.tokens(block.task)
        size, changed = self._sizes[block.backbone], self._changed(block)
        seconds = []
        for budget in self._budgets(block):
            sentences = self._learned(block.task, budget)
            over = settings.over(sentences)
            once = min(sentences, over.steps * over.read_at_once)  # through the layers that are left as they are
            shared = TRIALS if isinstance(block, TuneJob) and not block.prepare else 1  # from the same checkpoint
            seconds.append(
                over.steps * over.accumulate * self._pass(size, changed, over.batch_size * tokens, block.task)
                + self._reading(size, changed.leaves, once, tokens, 0.0) / shared
            )
        return fmean(seconds)

    def predicting(self, block: Block | TuneJob) -> float:
        """What the predictions of one cell take."""
        task, tokens, size = block.task, self.lengths.tokens(block.task), self._sizes[block.backbone]
        many: float = self.lengths.tests(task)
        if isinstance(block, TuneJob):
            many = self.lengths.tried(task, block.held_out, block.budgets)
        kind: Kind = self.plan.tasks[task].kind  # type: ignore[assignment]
        many *= 1.0 if kind in GENERATED else self.lengths.sentences(task)  # one text an example is generated
        slower = self._changed(block).slower
        once = self._reading(size, size.layers, many, tokens, self._table(size, task))
        return slower * once * GENERATED.get(kind, 1.0)

    def preparing(self, job: PrepareJob) -> float:
        """What one checkpoint of a preparation takes."""
        preparation: Preparation = validate(preparations()[job.name], job.options, "plan.json", f"prepare.{job.name}")
        size = self._sizes[job.backbone]
        changed = self._changed(job) if job.method else Changed()
        read = preparation.reads(self.plan.data_of(job.task).roles, job.parts[0].target)
        seconds = self._encoding(job.task, read)
        for its in preparation.passes(len(read)):
            now = Changed(0, changed.slower) if its.everything else changed
            table = size.table if preparation.pretrains else None
            tokens = self.lengths.padded(job.task, its.sentences if its.mixed else 1)
            seconds += its.count * (
                self._pass(size, now, its.sentences * tokens, job.task, table)
                + self._reading(size, now.leaves, its.sentences, tokens, 0.0)
            )
        return seconds

    def pretraining(self, job: BackboneJob) -> float:
        """What a backbone takes that the run pretrains."""
        spec, size = job.spec, self._sizes[job.name]
        tokens = spec["batch_size"] * spec["max_length"] / LETTERS
        return float(spec["steps"] * self._pass(size, Changed(), tokens, "", size.table))

    def sentences(self, block: Block | TuneJob) -> float:
        """The sentences that a cell trains on, the mean over its budgets."""
        settings = Train(**block.train)
        sizes = [self._learned(block.task, budget) for budget in self._budgets(block)]
        return fmean(settings.over(size).steps * settings.read_at_once for size in sizes)

    def _pass(self, size: Size, changed: Changed, tokens: float, task: str, table: float | None = None) -> float:
        """A pass with gradients over so many tokens, through the layers above those that are left as they are."""
        above = size.layers - changed.leaves
        beside = LAYER + ELEMENT * tokens * size.width
        products = TRAINED * tokens * size.body / size.layers / RATE
        most = self._table(size, task) if table is None else table
        idle = STEP + LEFT * size.layers
        return idle + changed.slower * above * (beside + products) + TRAINED * tokens * most / RATE

    def _reading(self, size: Size, layers: int, sentences: float, tokens: float, table: float) -> float:
        """A pass without gradients of sentences through so many layers, in batches."""
        beside = layers * (ceil(sentences / BATCH) * LAYER + ELEMENT * sentences * tokens * size.width)
        products = READ * sentences * tokens * (size.body * layers / size.layers + table)
        return FORWARD * beside + products / RATE

    def _encoding(self, task: str, domains: Sequence[str]) -> float:
        """What it takes until the train splits of some domains are tokens."""
        sentences = self.lengths.examples(task, domains) * self.lengths.sentences(task)
        return sentences * (TEXT + TOKEN * self.lengths.tokens(task))

    def _learned(self, task: str, budget: int) -> int:
        """How many sentences a budget of examples is."""
        return round(self.lengths.learned(task, budget) * self.lengths.sentences(task))

    def _table(self, size: Size, task: str) -> float:
        """The parameters that a task's answers are products with: those of the vocabulary, but for labels."""
        return 0.0 if self.plan.tasks[task].kind in LABELLING else size.table

    def _changed(self, job: Block | TuneJob | PrepareJob) -> Changed:
        """What the adaptations of a job's method change of its backbone."""
        layers = self._sizes[job.backbone].layers
        parts = self._adaptations(str(job.method), job.adapt)
        leaves = min((max(0, part.leaves(layers)) for part in parts), default=0)
        return Changed(leaves, prod(part.slower for part in parts))

    def _adaptations(self, method: str, adapt: dict[str, Any]) -> list[Adaptation]:
        key = f"{method} {adapt}"
        if key not in self._parts:
            parts = adaptations_of(method_of(method, adapt, self._methods))
            self._parts[key] = [part for part in parts if isinstance(part, Adaptation)]
        return self._parts[key]

    @staticmethod
    def _budgets(block: Block | TuneJob) -> list[int]:
        """The budgets of a block's cells, each of which as many have."""
        return block.budgets if isinstance(block, TuneJob) else sorted({cell.budget for cell in block.cells})
