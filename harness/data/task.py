"""The part of the task contract that is code: reading sources and encoding examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

from harness.base.errors import bad
from harness.base.fingerprint import hash_files
from harness.base.lines import Where
from harness.base.paths import own_files
from harness.contracts.discover import TaskFolder, load_module
from harness.contracts.method import Kind
from harness.contracts.model import one_of
from harness.contracts.reader import Tagging
from harness.contracts.task import HubSet, Role, Sizes, TaskSpec
from harness.data.embedded import generate
from harness.data.files import hub_rows
from harness.data.generation import Generation
from harness.data.grammar import Grammar, Part
from harness.data.labelling import Labelling
from harness.data.local import check_reader, read_rows
from harness.data.rows import numbered

Example = dict[str, Any]
Features = dict[str, list[Any]]  # lists of whole numbers; a label may be any number
Splits = dict[str, list[Example]]
SPLITS = ("train", "dev", "test", "unlabeled")


class Task:
    """A task's data, as its task.yaml describes them and its kind reads them.

    A `task.py` subclasses the kind for what YAML cannot say. The harness calls one of the `read_*` methods once
    for each domain, in the rule `data`, and `encode` whenever a model reads examples. An example is a mapping; its
    keys depend on the kind.
    """

    kind: ClassVar[Kind]
    generation: Generation | None = None  # how a model's answers are generated, where they are texts
    labelling: Labelling | None = None  # how words get their tags, in kinds that have them
    fields: ClassVar[tuple[str, ...]]  # of a labelled example, its `id` apart
    inputs: ClassVar[tuple[str, ...]]  # of an unlabeled one
    optional: ClassVar[tuple[str, ...]] = ()  # which either may have too
    lists: ClassVar[tuple[str, ...]] = ()  # the fields that are lists
    scores: ClassVar[dict[str, Literal["max", "min"]]]  # the metrics that can rank, and which way is better
    options: ClassVar[tuple[str, ...]] = ()  # the metrics that have options
    generates: ClassVar[bool] = False  # whether texts are generated where task.yaml asks for them, and only there
    types: tuple[str, ...] = ()  # the entity types, in kinds that have them
    sample: ClassVar[Example]  # an example to try a tokenizer and a model with, before there are data

    def __init__(self, spec: TaskSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder
        self.generate_by(spec.generation.said())
        self.label_by(spec.labelling.said())

    def at(self, domain: str, among: Sequence[str] = ()) -> Task:
        """The task as a model meets it in a domain, with a head that serves the domains `among` it as well.

        Raises UserError where the task does not know the domain; the task itself where all domains have one head.
        """
        return self

    def read_by(self, model: Kind) -> Task:
        """The task as a model made for tasks of kind `model` reads it; itself where all models read the same."""
        return self

    def longest(self, max_length: int, target_length: int) -> int:
        """How many tokens a model reads or writes at once, where inputs and outputs have at most so many."""
        return max(max_length, target_length)

    def generate_by(self, settings: Mapping[str, Any]) -> None:
        """Replace some of the settings by which texts are generated; there are none where a kind generates none."""
        if self.generation is not None:
            self.generation = replace(self.generation, **settings)

    def label_by(self, settings: Mapping[str, Any]) -> None:
        """Replace some of the settings by which words get their tags; there are none where a kind has no tags."""
        if self.labelling is not None:
            self.labelling = replace(self.labelling, **settings)

    def measure_by(self, options: Mapping[str, Any]) -> None:
        """Replace the options of some metrics."""
        metrics = self.spec.metrics.model_copy(update=dict(options))
        self.spec = self.spec.model_copy(update={"metrics": metrics})

    def metric_of(self, domain: str) -> str:
        """The metric that ranks methods on a domain."""
        return self.spec.metric

    def metric_options(self, domain: str) -> dict[str, dict[str, Any]]:
        """Options of metrics that depend on the domain, by metric."""
        return {}

    def read_embedded(self, domain: str, sizes: Sizes) -> Splits:
        """The domain's splits from its grammar `embedded/<domain>.yaml`; `draw` makes an example."""
        file = self.folder / "embedded" / f"{domain}.yaml"
        return generate(file, self.folder.name, domain, sizes, self.draw, self.text)

    def draw(self, grammar: Grammar, rng: Random, part: Part) -> dict[str, Any]:
        """One example of a grammar, less its id."""
        raise bad(self.folder / "task.py", "the source", "embedded", "the task cannot make examples; define draw")

    def read_local(self, domain: str, folder: Path) -> Splits:
        """The domain's splits, read from `folder`; raises UserError naming a bad file and line."""
        reader = self.spec.sources["local"].reader_of(domain)
        if reader is None:
            raise bad(
                self.folder / "task.yaml",
                "sources.local.reader",
                None,
                "describe the files there, or define read_local",
            )
        splits = {split: numbered(domain, split, read_rows(self, reader, split, domain, folder)) for split in SPLITS}
        return splits if splits["unlabeled"] else splits | {"unlabeled": splits["train"]}

    def local_content(self, domain: str, folder: Path) -> Any:
        """What `read_local` reads of a domain, in a form that a fingerprint takes: the files in its folder."""
        return hash_files(own_files(folder / domain, deep=True), folder / domain)

    def found(self, folder: Path) -> list[str] | dict[str, Role]:
        """The domains that there are in `folder`, where task.yaml says `domains: found`.

        With their roles where the files say them; else roles are drawn.
        """
        where, mend = self.folder / "task.yaml", "the task cannot find them; name them, or define `found` in task.py"
        raise bad(where, "sources.local.domains", "found", mend)

    def found_on_hub(self, hub: HubSet) -> list[str] | dict[str, Role]:
        """The domains that there are in a data set of the hub, as `found` has them."""
        where, mend = self.folder / "task.yaml", "the task cannot find them; name them, or define it in task.py"
        raise bad(where, "sources.hub.domains", "found", mend)

    def read_hub(self, domain: str, hub: HubSet) -> Splits:
        """The domain's splits, read from the hub; unlabeled text is the train split's."""
        splits: Splits = {
            split: numbered(domain, split, self.grouped(hub_rows(hub, name, self.from_hub)))
            for split, name in hub.splits.items()
        }
        return splits | {"unlabeled": splits["train"]}

    def from_hub(self, row: dict[str, Any]) -> dict[str, Any]:
        """An example from a row of the hub, whose columns have our names already; raises RowFault as `from_row`."""
        return self.from_row(row, Tagging())

    def from_row(self, row: dict[str, Any], tagging: Tagging) -> dict[str, Any]:
        """An example, less its id, from what a file holds of `fields` or `inputs`; raises RowFault where it is none."""
        raise NotImplementedError(f"{type(self).__name__} must define from_row")

    def grouped(self, examples: list[Example]) -> list[Example]:
        """The examples of a split, where several rows may be one."""
        return examples

    def check(self) -> None:
        """Raise UserError where task.yaml asks for what its kind cannot do."""
        where, spec = self.folder / "task.yaml", self.spec
        if spec.types and not self.types:
            raise bad(where, "kind", spec.kind, "`types` are for token-classification; mend one of the two")
        if (spec.labels or spec.labels_by_domain) and "label" not in self.fields:
            raise bad(where, "kind", spec.kind, "`labels` are for sequence-classification; mend one of the two")
        if spec.generation.said() and self.generation is None:
            raise bad(where, "kind", spec.kind, "`generation` is for kinds whose answers are texts; remove it")
        if spec.labelling.said() and self.labelling is None:
            raise bad(where, "kind", spec.kind, "`labelling` is for token-classification; remove it")
        if spec.generates and not self.generates:
            raise bad(where, "generates", True, f"{spec.kind} has no replies that could be left out; remove it")
        one_of(spec.metric, self.scores, where, "metric")
        if spec.direction != (better := self.scores[spec.metric]):
            raise bad(where, "direction", spec.direction, f"a better {spec.metric} is {better}; write {better}")
        self.check_metrics(spec.metrics.said(), where, "metrics")
        local = spec.sources.get("local")
        blocks = (
            {"reader": local.reader} | {f"readers.{name}": its for name, its in local.readers.items()} if local else {}
        )
        for block, reader in blocks.items():
            if reader and type(self).read_local is not Task.read_local:
                mend = "task.py defines read_local, which would not use it; remove one of the two"
                raise bad(where, f"sources.local.{block}", type(reader).__name__, mend)
            if reader:
                check_reader(self, reader, f"sources.local.{block}")

    def check_metrics(self, options: Mapping[str, Any], where: Where, field: str) -> None:
        """Raise UserError where options are said of a metric that has none, or that the task cannot have."""
        for name in options:
            one_of(name, list(self.options), where, field)

    def check_scored(self, domain: str, examples: list[Example]) -> None:
        """Raise UserError where a domain's test examples cannot be scored by the task's metric."""

    @property
    def measured(self) -> list[str]:
        """Every metric that its cells may have a score of, those that cannot rank among them."""
        return list(self.scores)

    @property
    def labels(self) -> list[str] | None:
        """The labels that a model needs a head for, in the order of its rows; None where the model's own serves."""
        return None

    def encode(
        self, examples: list[Example], tokenizer: Any, max_length: int, target_length: int
    ) -> list[list[Features]]:
        """For each example, what a model reads of it: one mapping of token ids, or several where it is cut."""
        raise NotImplementedError(f"{type(self).__name__} must define encode")

    def text(self, example: Example) -> str:
        """The plain text of an unlabeled or labelled example, for continued pretraining."""
        raise NotImplementedError(f"{type(self).__name__} must define text")

    def texts(self, example: Example) -> list[str]:
        """What a model learns from of an example, one text or several, about: for the plan's estimate of time alone."""
        return [self.text(example)]


def load_task(found: TaskFolder, generates: bool = False) -> Task:
    """The Task of a folder: its task.py's where that defines one, else its kind's; raises UserError at a mistake.

    `generates` asks for texts where task.yaml alone would not.
    """
    from harness.data.kinds import KINDS  # they refine Task, so their module imports this one

    file, spec = found.folder / "task.py", found.spec
    spec = spec.model_copy(update={"generates": True}) if generates else spec
    task = (_defined(file) or KINDS[spec.kind])(spec, found.folder)
    if task.kind != found.spec.kind:
        mend = f"the class in task.py is {task.kind!r}; mend one of the two"
        raise bad(found.folder / "task.yaml", "kind", found.spec.kind, mend)
    task.check()
    return task


def _defined(file: Path) -> type[Task] | None:
    """The subclass of Task that a task.py defines; None where it defines no class, or is absent."""
    if not file.is_file():
        return None
    module = load_module(file)
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    tasks = [kind for kind in own if issubclass(kind, Task)]
    if own and len(tasks) != 1:
        raise bad(file, "the number of subclasses of Task", len(tasks), "define exactly one")
    return tasks[0] if tasks else None
