"""The contract of a task: a distribution of domains with one metric."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.contracts.budget import Budget
from harness.contracts.method import Kind
from harness.contracts.model import Strict
from harness.contracts.reader import AnyReader

Role = Literal["meta_train", "meta_dev", "meta_test"]
SourceName = Literal["embedded", "local", "hub"]
Overlap = Literal["refuse", "drop", "allow"]  # what is done with examples that meta_train and meta_test share


def different(values: list[Any]) -> list[Any]:
    """Refuse a value that stands twice."""
    for place, value in enumerate(values):
        if value in values[:place]:
            raise ValueError(f"{value} stands twice; remove one")
    return values


Budgets = Annotated[list[Budget], Field(min_length=1), AfterValidator(different)]
Points = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(different)]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(different)]


class Sizes(Strict):
    """How many examples each split of a domain holds."""

    train: int = Field(ge=1)
    dev: int = Field(ge=1)
    test: int = Field(ge=1)
    unlabeled: int = Field(0, ge=0)


def _commit(value: str) -> str:
    """Refuse a branch or a tag: what they name can change."""
    if len(value) != 40 or set(value) - set("0123456789abcdef"):
        raise ValueError("write the 40 digits of a commit: a branch or tag can move")
    return value


Commit = Annotated[str, AfterValidator(_commit)]


class HubSet(Strict):
    """Where one domain stands on the hub."""

    id: str
    revision: Commit | None = Field(None, description="the commit to read; null: not pinned yet, refused when used")
    configuration: str | None = None
    columns: dict[str, str] = Field(description="our field names to the data set's, or `column.part`")
    splits: dict[Literal["train", "dev", "test"], str] = {"train": "train", "dev": "validation", "test": "test"}


class Shares(Strict):
    """What share of the domains has each role, as parts of their sum: {meta_train: 70, meta_dev: 10, meta_test: 20}."""

    meta_train: float = Field(0, ge=0)
    meta_dev: float = Field(0, ge=0)
    meta_test: float = Field(gt=0)


class Source(Strict):
    """Where a task's domains come from, and what each is for."""

    domains: dict[str, Role] | list[str] | Literal["found"] = Field(
        description="each with its role; or their names alone, or found in the files, roles being drawn by shares"
    )
    roles: Shares | None = Field(None, description="the share of the domains that has each role, drawn by their names")
    sizes: Sizes | None = Field(None, description="embedded only: how much is generated")
    folder: str | None = Field(None, description="local only: the folder below HEADSTART_DATA")
    reader: AnyReader | None = Field(None, description="local only: how its files are read; task.py does if absent")
    readers: dict[str, AnyReader] = Field(
        {}, description="local only: the reader of each domain with a layout of its own"
    )
    sets: dict[str, HubSet] | None = Field(None, description="hub only: the data set of each domain")
    verified: bool = Field(True, description="false where the source could not be reached when this was written")

    @property
    def named(self) -> list[str]:
        """The domains that task.yaml names; none where they are found in the files."""
        return [] if self.domains == "found" else list(self.domains)

    def set_of(self, domain: str) -> tuple[str, HubSet]:
        """The data set of a domain with its name in `sets`: one for all where the domains are found in it."""
        sets = self.sets or {}
        name = next(iter(sets)) if self.domains == "found" else domain
        return name, sets[name]

    def reader_of(self, domain: str) -> AnyReader | None:
        """How a domain's files are read; None where task.py reads them."""
        return self.readers.get(domain, self.reader)


# The one field that each kind of source needs, and no other kind may have.
NEEDED: dict[SourceName, str] = {"embedded": "sizes", "local": "folder", "hub": "sets"}


class Rouge(Strict):
    """How ROUGE reads words: `english` is rouge-score's own, a-z and 0-9 with Porter's stems; `unicode` any script."""

    tokenizer: Literal["english", "unicode"] = "english"


class Bleu(Strict):
    """The tokenizer of sacrebleu; Chinese and Japanese need `zh` or `char`.

    In small letters (`lowercase`), with `13a`, it counts as the script of the E2E challenge does.
    """

    tokenizer: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    lowercase: bool = False


class CScore(Strict):
    """The judge of replies: a model of natural language inference, in a folder or of the hub at a commit.

    It classifies two texts, and its labels are entailment, neutral and contradiction, in any order.
    """

    model: Annotated[str, Field(min_length=1)] = Field(description="a folder; with `revision` an id of the hub")
    revision: Commit | None = Field(None, description="the commit of a model of the hub")


JUDGED = ("c_score",)  # the metrics that a model judges for, which the run names: without one they are left out


class Metrics(Strict):
    """Options of the metrics that have any."""

    rouge: Rouge = Rouge()
    bleu: Bleu = Bleu()
    c_score: CScore | None = Field(None, description="who judges replies by the persona; nobody if absent")

    def said(self) -> dict[str, Any]:
        """The options that were written, by metric."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class RunMetrics(Strict):
    """Options of metrics that a run says in the place of a task's own."""

    rouge: Rouge | None = None
    bleu: Bleu | None = None
    c_score: CScore | None = None

    def said(self) -> dict[str, Any]:
        """The options that were written, by metric."""
        return {name: its for name in type(self).model_fields if (its := getattr(self, name)) is not None}


class GenerationSettings(Strict):
    """How texts are generated, in the names that transformers has; what is not said is the kind's own."""

    num_beams: int | None = Field(None, ge=1)
    length_penalty: float | None = Field(
        None, description="power of the length by which a beam's log-probability is divided"
    )
    no_repeat_ngram_size: int | None = Field(None, ge=0, description="no run of so many tokens comes twice; 0: any may")
    early_stopping: bool | None = Field(None, description="end as soon as there are as many ended texts as beams")

    def said(self) -> dict[str, Any]:
        """The settings that were written."""
        return self.model_dump(exclude_none=True)


Decoding = Literal["independent", "constrained"]
Pieces = Literal["first", "all"]


class LabellingSettings(Strict):
    """How a model that labels a word's pieces tags words; what is not said is `independent` and `first`."""

    decoding: Decoding | None = Field(
        None, description="constrained: a sentence's likeliest tags that are valid IOB2, and not each word's likeliest"
    )
    pieces: Pieces | None = Field(
        None, description="all: every piece of a word is learned from, and a word's logits are the mean of its pieces'"
    )

    def said(self) -> dict[str, str]:
        """The settings that were written."""
        return self.model_dump(exclude_none=True)


class Labels(Strict):
    """What sequence-classification predicts: one of `classes`, or a number of the range `numbers`, ends included."""

    classes: Annotated[list[str], Field(min_length=2)] | None = None
    numbers: tuple[float, float] | None = None
    metric: str | None = Field(None, description="the domain's own metric; the task's where absent")

    @model_validator(mode="after")
    def _are_one_of_two(self) -> Self:
        if (self.classes is None) == (self.numbers is None):
            raise ValueError("name the `classes`, or the range of `numbers`, and not both")
        for place, name in enumerate(self.classes or ()):
            if not name.strip() or name in (self.classes or ())[:place]:
                raise ValueError(f"the class {name!r} is empty or stands twice; remove it")
        if self.numbers and self.numbers[0] >= self.numbers[1]:
            raise ValueError("the range of `numbers` ends where it begins or before; write [lowest, highest]")
        return self


def _check_domains(name: SourceName, source: Source) -> None:
    """Raise ValueError where it is not clear what the domains are, or what role each has."""
    given = isinstance(source.domains, dict)
    if given == (source.roles is not None):
        why = "each domain has its own" if given else "say which share of the domains has each role"
        raise ValueError(f"{'remove' if given else 'add'} `roles` in the source {name!r}: {why}")
    if source.domains == "found" and name == "embedded":
        raise ValueError(f"name the domains of the source {name!r}: they are found in files alone")
    if source.domains == "found" and source.sets is not None and len(source.sets) != 1:
        raise ValueError(f"name one set under `sets` of the source {name!r}: all its domains are found in it")
    for place, domain in enumerate(source.named):
        if domain in source.named[:place]:
            raise ValueError(f"the domain {domain!r} stands twice in the source {name!r}; remove one")


def _types(value: list[str]) -> list[str]:
    """Refuse entity types that stand twice or cannot be told from a tag's prefix."""
    for place, name in enumerate(value):
        if name in value[:place]:
            raise ValueError(f"{name!r} stands twice; remove one")
        if not name.strip() or name == "O":
            raise ValueError(f"{name!r} is no entity type; remove it")
    return value


class TaskSpec(Strict):
    """What `tasks/<id>/task.yaml` may say."""

    label: str
    summary: str
    kind: Kind
    types: Annotated[list[str], Field(min_length=1), AfterValidator(_types)] | None = Field(
        None, description="the entity types of token-classification"
    )
    labels: Labels | None = Field(None, description="what sequence-classification predicts, the same in every domain")
    labels_by_domain: dict[str, Labels] = Field({}, description="the same of domains that have labels of their own")
    metric: str
    metrics: Metrics = Field(Metrics(), description="options of metrics")
    generation: GenerationSettings = Field(GenerationSettings(), description="how texts are generated")
    labelling: LabellingSettings = Field(LabellingSettings(), description="how words get their tags")
    direction: Literal["max", "min"]
    version: int = Field(ge=1)
    citation: str
    licence: str
    max_length: int = Field(ge=8, description="longest input in tokens")
    target_length: int = Field(64, ge=4, description="longest output in tokens, where there is one")
    backbone: str = Field(description="the backbone used where the configuration names none")
    budgets: Budgets = Field(description="the budgets used where the configuration names none")
    overlap_allowed: bool = Field(False, description="meta_train and meta_test may share examples, as the paper did")
    persona: Literal["read", "hidden"] = Field(
        "read", description="hidden: a dialogue's persona is not read, and to be learned from the examples"
    )
    generates: bool = Field(False, description="replies of dialogues are generated too, and scored by their texts")
    domains_are: Literal["fixed", "sample"] = Field(
        "fixed", description="sample: the domains stand for many (personas), and intervals speak of all of these"
    )
    sources: dict[SourceName, Source]

    @field_validator("sources")
    @classmethod
    def _are_whole(cls, value: dict[SourceName, Source]) -> dict[SourceName, Source]:
        for name, source in value.items():
            for kind, field in NEEDED.items():
                if (getattr(source, field) is None) == (kind == name):
                    raise ValueError(f"{'add' if kind == name else 'remove'} {field!r} in the source {name!r}")
            _check_domains(name, source)
            for field in ("reader", "readers"):
                if getattr(source, field) and name != "local":
                    raise ValueError(f"remove {field!r} in the source {name!r}: it reads local files")
            for domain in source.readers:
                if domain not in source.named:
                    raise ValueError(f"there is no domain {domain!r} in the source {name!r}; remove its reader")
            lacking = set(source.named) - set(source.sets or source.named)
            if lacking:
                raise ValueError(f"add the domain {min(lacking)!r} to the `sets` of the source {name!r}")
        return value
