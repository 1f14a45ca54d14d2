"""The training of one adapter for each source domain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from harness.adaptations.adapter_fusion import AdapterFusion
from harness.adaptations.fused_adapters import FusedAdapters
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.learn.batches import collate, shuffled
from harness.learn.flops import Flops
from harness.learn.loop import Trained, train
from harness.learn.resume import Resume
from harness.learn.save import attach
from harness.prepare.workshop import Workshop

if TYPE_CHECKING:
    from harness.prepare.fusion import Fusion

Values = dict[str, Tensor]


def train_sources(fusion: Fusion, workshop: Workshop) -> None:
    """Train every domain's adapters, put them side by side, and save them."""
    checkpoint = workshop.checkpoint()
    flops, stages = Flops(), _Stages(workshop.resumed_from)
    for domain in workshop.readable[len(stages.finished) :]:
        backbone, done = _adapter(fusion, workshop, checkpoint, domain, stages, flops)
        stages.finish({name: value.detach().clone() for name, value in backbone.trained().items()}, done.tokens)
    checkpoint.model.config.adapter_sources = list(workshop.readable)
    fused = workshop.attached_to(checkpoint)
    _gather(fused, stages.finished)
    if fusion.head == "keep":
        _put_head(fused, stages.finished)
    without = fused.head if fusion.head == "fresh" else ()
    workshop.save(fused.model, checkpoint.tokenizer, stages.tokens, flops.of(stages.tokens), without)
    workshop.save_adaptation(fused)


def _adapter(
    fusion: Fusion, workshop: Workshop, checkpoint: Checkpoint, domain: str, stages: _Stages, flops: Flops
) -> tuple[Backbone, Trained]:
    """A backbone with the domain's adapters; every draw depends on the domain alone, so a stop changes nothing."""
    axes = workshop.name, domain, workshop.seed
    backbone = checkpoint.backbone(workshop.init())
    attach(backbone, [_fusion(workshop).adapter()], derive("init", *axes))
    if fusion.head == "keep":
        _put_head(backbone, stages.finished)
    features = workshop.features(domain, checkpoint.tokenizer, fusion.documents)
    rows = shuffled(features, fusion.batch_size, generator("preparation", *axes))
    batches = (collate(row, checkpoint.tokenizer.pad_token_id, backbone.device) for row in rows)
    settings = workshop.train_settings(fusion.steps, fusion.batch_size, fusion.lr)
    with bar(fusion.steps, f"{workshop.name} {domain} seed {workshop.seed}") as progress:
        done = train(
            backbone,
            batches,
            settings,
            watcher(progress),
            resume=stages,
            noise=derive("noise", *axes),
            flops=flops,
        )
    return backbone, done


class _Stages(Resume):
    """Keeps the state of one domain's training together with what the domains before it gave.

    `finished` are, of each finished domain, its adapters and the head by name; `tokens` were read for them.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        state = super().found() or {"finished": [], "tokens_before": 0}
        self.finished: list[Values] = state["finished"]
        self.tokens: int = state["tokens_before"]

    def finish(self, values: Values, tokens: int) -> None:
        """A domain is done."""
        self.finished.append(values)
        self.tokens += tokens

    def found(self) -> dict[str, Any] | None:
        state = super().found()
        return state if state and len(state["finished"]) == len(self.finished) else None

    def keep(self, **state: Any) -> None:
        super().keep(**state, finished=self.finished, tokens_before=self.tokens)


def _put_head(backbone: Backbone, finished: list[Values]) -> None:
    """Go on with the head of the last finished domain, if there is one."""
    if finished:
        parameters = dict(backbone.named_parameters())
        for name in backbone.head:
            parameters[f"model.{name}"].data.copy_(finished[-1][f"model.{name}"])


def _gather(fused: Backbone, finished: list[Values]) -> None:
    """Put the domains' adapters side by side at each place, in the order of the places."""
    modules = [module for module in fused.added.values() if isinstance(module, FusedAdapters)]
    for source, values in enumerate(finished):
        places = dict.fromkeys(name.split(".")[1] for name in values if name.startswith("added."))
        for place, module in zip(places, modules, strict=True):
            own = f"added.{place}."
            adapter = {name.removeprefix(own): value for name, value in values.items() if name.startswith(own)}
            module.adapters[source].load_state_dict(adapter)


def _fusion(workshop: Workshop) -> AdapterFusion:
    """The method's adaptation, for whose places the adapters are."""
    return next(part for part in workshop.adaptations if isinstance(part, AdapterFusion))
