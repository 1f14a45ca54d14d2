"""One cell: attach, train on k examples, predict the test split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.adapt.bench import Bench, costs_of, run_control
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.matching import body_parameters, match, trained_in_body
from harness.base.errors import Unsupported
from harness.base.measure import measured
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.contracts.adaptation import Adaptation, Control
from harness.data.splits import few
from harness.learn.batches import collate, in_order, shuffled
from harness.learn.loop import train
from harness.learn.predict import predict
from harness.learn.save import attach, load_start, stored_bytes


def run_cell(
    bench: Bench, domain: str, budget: int, seed: int, checkpoint: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """The cell's predictions for the domain's test examples, and what it cost."""
    if isinstance(bench.adaptations[0], Control):
        return run_control(bench, domain, budget, seed)
    examples = few(bench.split(domain, "train"), budget, bench.task.folder.name, domain, seed)
    test = bench.split(domain, "test")
    assert checkpoint is not None
    task = bench.task.at(domain)
    read = bench.checkpoint(checkpoint, task)
    axes = bench.task.folder.name, domain, budget, seed
    backbone = read.backbone(derive("init", *axes))
    body = body_parameters(backbone)
    adaptations = _matched(bench, read)
    attach(backbone, adaptations, derive("init", *axes))
    _check_room(backbone, max(bench.max_length, bench.target_length))
    load_start(backbone, Path(checkpoint))
    features = [window for windows in bench.features(task, examples, read.tokenizer) for window in windows]
    size, pad = bench.train.batch_size, read.tokenizer.pad_token_id
    batches = (collate(row, pad, backbone.device) for row in shuffled(features, size, generator("order", *axes)))
    with measured() as training, bar(bench.train.steps, f"{domain} k={budget} seed {seed}") as progress:
        for adaptation in adaptations:
            adaptation.observe(backbone, list(in_order(features, size, pad, backbone.device)))
        done = train(
            backbone,
            batches,
            bench.train,
            watcher(progress),
            penalties=[adaptation.penalty for adaptation in adaptations],
            after_step=[adaptation.after_step for adaptation in adaptations],
        )
        for adaptation in adaptations:
            adaptation.finish(backbone)
    with measured() as predicting:
        predictions = predict(
            backbone, task, test, bench.features(task, test, read.tokenizer), read.tokenizer, bench.target_length
        )
    trains = bench.train.steps > 0
    trained = sum(value.numel() for value in backbone.trained().values()) if trains else 0
    costs = costs_of(
        training.seconds,
        predicting.seconds,
        max(training.peak_rss_mib, predicting.peak_rss_mib),
        max(training.peak_device_mib or 0.0, predicting.peak_device_mib or 0.0) or None,
    )
    return predictions, costs | {
        "arithmetic_cpu_seconds": training.cpu_seconds + predicting.cpu_seconds,
        "trained_parameters": trained,
        "model_parameters": sum(value.numel() for value in read.model.parameters()),
        "trained_share": trained_in_body(backbone) / body if trains else 0.0,
        "wanted_share": bench.match_parameters,
        "sized": bench.match.sized if bench.match else None,
        "stored_bytes": stored_bytes(backbone) if trains else 0,
        "trained_tokens": done.tokens,
        "last_loss": done.last_loss,
        "report": {"drawn": sorted(read.fresh)}
        | {name: fact for adaptation in adaptations for name, fact in adaptation.report(backbone).items()},
    }


def _matched(bench: Bench, read: Checkpoint) -> list[Adaptation]:
    """The block's adaptations, at the size at which they train the wanted share where one is wanted."""
    adaptations = [part.trained_for(bench.train.steps) for part in bench.adaptations if isinstance(part, Adaptation)]
    if bench.match_parameters is None:
        return adaptations
    if bench.match is None:  # every checkpoint of a block has the same shapes, so one solution serves them all
        bench.match = match(adaptations, bench.match_parameters, read.outline)
    return bench.match.adaptations


def _check_room(backbone: Backbone, longest: int) -> None:
    """Raise Unsupported where an input may be longer than what the adaptation leaves of the backbone's positions."""
    if longest > backbone.positions:
        mend = f"lower max_length and target_length to {backbone.positions}"
        raise Unsupported(f"the backbone with its adaptation reads at most {backbone.positions} tokens; {mend}")
