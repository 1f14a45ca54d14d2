"""The run configuration: which cells a run is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from harness.base.errors import bad
from harness.base.lines import Layers, Where
from harness.base.paths import check_plain, expanded
from harness.base.yaml_file import read_value, read_yaml
from harness.contracts.folders import asked, included
from harness.contracts.method import Share
from harness.contracts.model import Sparing, Strict
from harness.contracts.task import (
    Budgets,
    Commit,
    GenerationSettings,
    LabellingSettings,
    Overlap,
    Points,
    Role,
    RunMetrics,
    Seeds,
    Shares,
    SourceName,
    different,
)

DEFAULT = "config/default.yaml"
Precision = Literal["float32", "bfloat16"]


class Pretrained(Strict):
    """A backbone that the DAG pretrains on the unlabeled text of tasks, on one's own text, or on both."""

    source: Literal["pretrain"]
    architecture: str = Field(description="one that anatomy.yaml describes")
    corpora: dict[str, list[Role]] = Field({}, description="task to the roles whose unlabeled text is read")
    texts: list[str] = Field([], description="folders of .txt files with a document a line, which are read too")
    layers: int = Field(3, ge=1)
    width: int = Field(128, ge=8)
    heads: int = Field(4, ge=1)
    vocabulary: int = Field(4000, ge=300)
    max_length: int = Field(128, ge=16)
    steps: int = Field(1000, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(1e-3, gt=0)
    seed: int = 0

    @field_validator("heads")
    @classmethod
    def _divide_the_width(cls, value: int, info: ValidationInfo) -> int:
        width = info.data.get("width", value)  # absent where the width itself is bad
        if width % value:
            raise ValueError(f"choose a number that divides the width {width}")
        return value


class LocalBackbone(Strict):
    """A checkpoint directory on this machine."""

    source: Literal["local"]
    path: str


class HubBackbone(Strict):
    """A checkpoint of the Hugging Face hub at a pinned revision."""

    source: Literal["hub"]
    id: str
    revision: Commit
    parameters: float | None = Field(
        None, gt=0, description="of its layers, as 85e6: for `headstart plan` alone, until the checkpoint is here"
    )


BackboneSpec = Annotated[Pretrained | LocalBackbone | HubBackbone, Field(discriminator="source")]


Rates = Literal["search", "given"]
Methods = Literal["all", "papers"] | list[str]
Names = Annotated[list[str], Field(min_length=1), AfterValidator(different)]


class Settings(Sparing):
    """What a configuration may say of methods' settings, for the whole run and below a task.

    A key of `train` is a field of it, for every method, or a method's name with such fields; a key of `prepare` is a
    preparation's name, for every method that has it, or a method's. A name that is both is the former. A key of `adapt`
    is a method's name.
    """

    train: dict[str, Any] = Field({}, description="replaces fields of `train`, of every method or by a method's name")
    prepare: dict[str, dict[str, Any]] = Field(
        {}, description="replaces options of preparations, by their name or a method's"
    )
    adapt: dict[str, dict[str, dict[str, Any]]] = Field(
        {}, description="by a method's name, replaces options of its adaptations"
    )
    match_parameters: Share | None = Field(
        None, description="the share of the backbone that every method with a size trains; the nearest word counts"
    )
    rates: Rates | None = Field(
        None,
        description="search: rates that were not tuned on the backbone, those of preparations among them, are searched "
        "first; given: they are taken as they stand. search if absent, but for backbones that are pretrained on "
        "embedded text",
    )
    evaluate_at: Points | None = Field(
        None, description="steps, or epochs where `train` has epochs, after which the test split is scored too"
    )
    variants: dict[str, dict[str, Annotated[list[Any], Field(min_length=1), AfterValidator(different)]]] = Field(
        {},
        description="of methods, other values of an option of theirs, each a row of its own; what a task says of a "
        "method's is in the place of what the run says",
    )

    sparing: ClassVar[frozenset[str]] = frozenset({"adapt", "evaluate_at", "variants", "show_variants"})


class TaskRun(Settings):
    """How one task takes part in a run."""

    source: SourceName = "embedded"
    backbone: str | None = None
    backbones: Names | None = Field(None, description="in the place of `backbone`: every method runs on each of them")
    budgets: Budgets | None = None
    domains: dict[str, Role] | None = Field(None, description="replaces the source's own domains and roles")
    roles: Shares | None = Field(None, description="replaces the source's own shares, by which roles are drawn")
    scored_domains: int | None = Field(
        None, ge=1, description="of domains that roles are drawn for, score so many of meta_test; all if absent"
    )
    generates: bool = Field(False, description="replies of dialogues are generated too, and scored by their texts")
    methods: Methods | None = Field(None, description="the methods for this task; the run's where absent")
    overlap_allowed: bool = Field(False, description="meta_train and meta_test may share examples; tables are marked")
    overlap: Literal["refuse", "drop"] | None = Field(
        None, description="drop: meta_train is read without the test examples of meta_test; as task.yaml says if absent"
    )
    test_examples: int | None = Field(None, ge=1, description="score the first so many test examples; all if absent")
    max_length: int | None = Field(None, ge=8)
    target_length: int | None = Field(None, ge=4)
    generation: GenerationSettings = Field(GenerationSettings(), description="replaces fields of the task's own")
    labelling: LabellingSettings = Field(LabellingSettings(), description="replaces fields of the task's own")
    metrics: RunMetrics = Field(RunMetrics(), description="options of metrics, in the place of the task's own")

    sparing: ClassVar[frozenset[str]] = Settings.sparing | {"backbones"}

    @field_validator("backbones")
    @classmethod
    def _stand_alone(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if value and info.data.get("backbone"):
            raise ValueError(f"`backbone` says {info.data['backbone']} beside it; remove one of the two")
        return value

    @field_validator("overlap")
    @classmethod
    def _says_one_thing(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("overlap_allowed"):
            raise ValueError("`overlap_allowed: true` says the opposite; remove one of the two")
        return value

    def overlap_of(self, allowed_by_task: bool) -> Overlap:
        """What is done with examples that meta_train and meta_test share."""
        return self.overlap or ("allow" if self.overlap_allowed or allowed_by_task else "refuse")


class RunConfig(Settings):
    """What a file under `config/` may say."""

    output: str
    include: list[str] = Field([], description="folders with methods/, tasks/ or papers/ that are looked into too")
    seeds: Seeds
    methods: Methods = Field(
        "all", description="papers: on each task what a table, figure or claim of a paper names there, and the controls"
    )
    leave_out: list[str] = Field([], description="of `all` or `papers`, the methods that this run does without")
    tasks: dict[str, TaskRun]
    backbones: dict[str, BackboneSpec]
    show_variants: bool = Field(False, description="whether tables, boards and curves show the variants, too")
    claims: list[str] = Field([], description="PAPER/NAME that this run is to answer; `check` refuses what it cannot")
    allow_failures: bool = False
    cell_minutes: float | None = Field(None, gt=0, description="a cell that takes longer is a `timeout`")
    memory_gib: float | None = Field(
        None, gt=0, description="a cell or a preparation that takes more is an `out_of_memory`"
    )
    precision: Precision = Field(
        "float32", description="in which the frozen dense layers of cells multiply; what trains is always in float32"
    )


def located(config: RunConfig, where: Where) -> RunConfig:
    """The configuration with its paths written out; raises UserError where one cannot be, or cannot be used."""
    output = expanded(config.output, where, "output")
    if not output:
        raise bad(where, "output", output, "name a folder")
    check_plain(output, where, "output")
    said = [included(folder, where, f"include.{place}", _beside(where)) for place, folder in enumerate(config.include)]
    include = list(dict.fromkeys([*said, *asked()]))
    for name in config.backbones:
        check_plain(name, where, "backbones")
    backbones = {name: _located(spec, where, f"backbones.{name}") for name, spec in config.backbones.items()}
    return config.model_copy(update={"output": output, "include": include, "backbones": backbones})


def _located(spec: BackboneSpec, where: Where, field: str) -> BackboneSpec:
    """A backbone with its paths written out."""
    if isinstance(spec, LocalBackbone):
        return spec.model_copy(update={"path": expanded(spec.path, where, f"{field}.path")})
    if isinstance(spec, Pretrained):
        texts = [expanded(folder, where, f"{field}.texts.{place}") for place, folder in enumerate(spec.texts)]
        return spec.model_copy(update={"texts": texts})
    return spec


def _beside(where: Where) -> Path:
    """The folder of the configuration that says what is included; the current one where the command line does."""
    place = Path(where.of("include") if isinstance(where, Layers) else where)
    return place.parent if place.is_file() else Path()


def read_config(files: Sequence[Path], changes: Sequence[str] = ()) -> tuple[dict[str, Any], Layers]:
    """What configuration files say together, and where: each changes those before it, and `KEY=VALUE` all of them.

    A change reaches into mappings. Snakemake merges in the same way, but reads YAML as version 1.1 has it, in which
    `no` is a truth value, and of `KEY=VALUE` every number as a text; so nothing is taken from it but the words.
    """
    *earlier, last = files
    own = read_yaml(last)
    base = _base(last, own)
    layers = [*((str(file), _alone(file)) for file in earlier), (str(last), own)]
    written: dict[str, Any] = reduce(merged, (content for _, content in layers), {})
    if base:  # a file's own top keys replace those of the one that it extends
        kept = {key: value for key, value in base[1].items() if key not in written}
        layers.insert(0, (base[0], kept))
        written = kept | written
    said = [(f"--config {change}", _change(change)) for change in changes]
    return reduce(merged, (content for _, content in said), written), Layers(layers, said)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with changes, which reach into its mappings."""
    both = {
        name: merged(base[name], change) if isinstance(change, dict) and isinstance(base.get(name), dict) else change
        for name, change in changes.items()
    }
    return {**base, **both}


def _change(word: str) -> dict[str, Any]:
    key, _, text = word.partition("=")
    return {key: read_value(text, f"--config {key}")}


def _alone(file: Path) -> dict[str, Any]:
    content = read_yaml(file)
    if "extends" in content:
        raise bad(file, "extends", content["extends"], "only the last configuration file may extend another")
    return content


def _base(file: Path, content: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The file that `extends: OTHER.yaml` names beside this one, and what it says; the key is taken out."""
    if "extends" not in content:
        return None
    name = content.pop("extends")
    if not isinstance(name, str):
        raise bad(file, "extends", name, "name a configuration file beside this one")
    base = read_yaml(file.parent / name)
    if "extends" in base:
        raise bad(file, "extends", name, "it extends another file itself; name one that does not")
    return str(file.parent / name), base
