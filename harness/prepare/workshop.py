"""What a preparation works with: the backbone, the task's domains, and a place to save."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file

from harness.backbone.anatomy import anatomies, architecture_of
from harness.backbone.backbone import Backbone
from harness.backbone.load import CLASSES, Checkpoint
from harness.backbone.matching import match
from harness.base.files import read_lines, whole_file
from harness.base.seeds import derive, generator
from harness.contracts.adaptation import Adaptation
from harness.contracts.method import Train
from harness.contracts.task import Role
from harness.data.task import Example, Features, Task
from harness.learn.resume import Resume
from harness.learn.save import ADAPTATION, attach


@dataclass
class Workshop:
    """Given to `Preparation.prepare`. `target` is the target domain where the preparation is per domain.

    `readable` are the domains that the preparation may read, and `adaptations` the method's where the
    preparation uses them, resized to train the share `match_parameters` where it is set. `drawn` are the parameters
    that the backbone's checkpoint lacks, which begin as `init` draws them.
    """

    task: Task
    backbone: Path
    folders: dict[str, Path]
    roles: dict[str, Role]
    readable: Sequence[str]
    target: str | None
    seed: int
    max_length: int
    target_length: int
    saved_to: Path
    resumed_from: Path
    name: str
    adaptations: Sequence[Adaptation] = ()
    match_parameters: float | None = None
    cost: dict[str, Any] = field(default_factory=dict)
    drawn: frozenset[str] = frozenset()

    def examples(self, domain: str, split: str) -> list[Example]:
        """A split of a domain. The test split is for scoring and is refused, and so is a domain kept back."""
        if split == "test":
            raise ValueError("a preparation never reads test examples")
        if domain not in self.readable:
            raise ValueError(f"the preparation did not say that it reads domain {domain!r}")
        return read_lines(self.folders[domain] / f"{split}.jsonl")

    def domains(self, role: Role) -> list[str]:
        """The task's domains with `role`."""
        return [domain for domain, its in self.roles.items() if its == role]

    def order(self) -> Any:
        """The random generator of the order of examples."""
        return generator("preparation", self.name, self.target or "all", self.seed)

    def init(self) -> int:
        """The seed of new parameters."""
        return derive("init", self.name, self.seed)

    def noise(self) -> int:
        """The seed of what training draws, as dropout."""
        return derive("noise", self.name, self.target or "all", self.seed)

    def train_settings(self, steps: int, batch_size: int, lr: float) -> Train:
        """A preparation's training: AdamW with linear decay."""
        return Train(steps=steps, batch_size=batch_size, lr=lr, weight_decay=0.01)

    def checkpoint(self) -> Checkpoint:
        """The backbone's checkpoint, read for the task."""
        read = Checkpoint(self.backbone, self.task.kind, self._met_in([*self.readable, *self.roles][0]).labels)
        self.drawn = read.fresh
        return read

    def attached(self, random_start: bool = False) -> tuple[Backbone, Any]:
        """The backbone with the method's adaptations, and its tokenizer; with random weights if asked for."""
        checkpoint = self.checkpoint()
        if random_start:
            torch.manual_seed(self.init())
            drawn = CLASSES[checkpoint.kind].from_config(checkpoint.model.config)
            checkpoint.model.load_state_dict(drawn.state_dict())
        return self.attached_to(checkpoint), checkpoint.tokenizer

    def attached_to(self, checkpoint: Checkpoint) -> Backbone:
        """A backbone from a checkpoint that was read, with the method's adaptations."""
        backbone = checkpoint.backbone(self.init())
        if self.match_parameters is not None:
            self.adaptations = match(self.adaptations, self.match_parameters, checkpoint.outline).adaptations
        attach(backbone, self.adaptations, self.init())
        return backbone

    def features(self, domain: str, tokenizer: Any, documents: Literal["unlabeled", "train"]) -> list[Features]:
        """A domain's examples as the model reads them; of language modelling those that `documents` names."""
        split = documents if self.task.kind == "causal-lm" else "train"
        its = self._met_in(domain)
        encoded = its.encode(self.examples(domain, split), tokenizer, self.max_length, self.target_length)
        return [window for windows in encoded for window in windows]

    def _met_in(self, domain: str) -> Task:
        """The task as the model meets it in a domain: one head serves all domains that are read."""
        model = anatomies()[architecture_of(self.backbone)].model_for(self.task.kind)
        return self.task.at(domain, among=self.readable).read_by(model)

    def resume(self) -> Resume:
        """Where the state of the training is kept until it ends."""
        return Resume(self.resumed_from)

    def save(self, model: Any, tokenizer: Any, tokens: int, flops: int | None, without: Iterable[str] = ()) -> None:
        """Write the prepared checkpoint, less the parameters named, and note what was read and computed."""
        left_out = set(without)
        state = {name: value for name, value in model.state_dict().items() if name not in left_out}
        model.save_pretrained(self.saved_to, state_dict=state)
        tokenizer.save_pretrained(self.saved_to)
        self.cost |= {"tokens": tokens, "flops": flops}

    def save_adaptation(self, backbone: Backbone) -> None:
        """Write the initial values of what the adaptations added, for the cells to begin with."""
        tensors = {name: value.detach().contiguous() for name, value in backbone.added.named_parameters()}
        if tensors:
            with whole_file(self.saved_to / ADAPTATION) as beside:
                save_file(tensors, beside)
