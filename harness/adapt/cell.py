"""One cell: attach, train on k examples, predict the test split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from harness.adapt.bench import Bench, run_control
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.matching import body_parameters, match, trained_in_body
from harness.backbone.precision import round_frozen
from harness.base.errors import Unsupported
from harness.base.measure import measured, timed
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.method import Train
from harness.data.splits import few
from harness.data.task import Example, Features, Task
from harness.learn.batches import Batch, collate, in_order, similar_lengths
from harness.learn.kept import Kept
from harness.learn.loop import Trained, train
from harness.learn.predict import predict
from harness.learn.save import attach, load_start, stored_bytes


def run_cell(
    bench: Bench, domain: str, budget: int, seed: int, checkpoint: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """The cell's predictions for the domain's test examples, and what it cost."""
    if isinstance(bench.adaptations[0], Control):
        return run_control(bench, domain, budget, seed, checkpoint)
    axes = bench.task.folder.name, domain, budget, seed
    examples = few(bench.split(domain, "train"), budget, *axes[:2], seed)
    test = bench.split(domain, "test")
    assert checkpoint is not None
    task = bench.task.at(domain)
    read = bench.checkpoint(checkpoint, task)
    task = task.read_by(read.kind)
    with measured() as whole:
        predictions, costs = _run(bench, task, read, Path(checkpoint), examples, test, axes)
    return predictions, costs | {"peak_rss_mib": whole.peak_rss_mib, "peak_device_mib": whole.peak_device_mib}


def _run(
    bench: Bench,
    task: Task,
    read: Checkpoint,
    folder: Path,
    examples: list[Example],
    test: list[Example],
    axes: tuple[Any, ...],
) -> tuple[list[Any], dict[str, Any]]:
    """The predictions for `test` after training on `examples`, and what both cost, memory aside."""
    _, domain, budget, seed = axes
    backbone = read.backbone(derive("init", *axes))
    body = body_parameters(backbone)
    adaptations = _matched(bench, read)
    attach(backbone, adaptations, derive("init", *axes))
    check_room(backbone, task.longest(bench.max_length, bench.target_length))
    load_start(backbone, folder)
    if bench.precision == "bfloat16":
        round_frozen(backbone)
    features = [window for windows in bench.features(task, examples, read.tokenizer) for window in windows]
    with timed() as training, bar(bench.train.steps, f"{domain} k={budget} seed {seed}") as progress:
        done = _train(backbone, adaptations, bench.train, features, read.tokenizer.pad_token_id, axes, progress)
    with timed() as predicting:
        predictions = predict(
            backbone, task, test, bench.features(task, test, read.tokenizer), read.tokenizer, bench.target_length
        )
    trains = bench.train.steps > 0
    trained = sum(value.numel() for value in backbone.trained().values()) if trains else 0
    return predictions, {
        "adaptation_seconds": training.seconds,
        "prediction_seconds": predicting.seconds,
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


def _train(
    backbone: Backbone,
    adaptations: Sequence[Adaptation],
    settings: Train,
    features: Sequence[Features],
    pad: int,
    axes: tuple[Any, ...],
    progress: Any,
) -> Trained:
    """Train what the adaptations attached on the k examples."""
    size = settings.batch_size
    for adaptation in adaptations:
        adaptation.observe(backbone, list(in_order(features, size, pad, backbone.device)))
    kept = Kept(backbone, features, pad, settings.steps * size)
    done = train(
        backbone,
        training_batches(backbone, features, kept, size, pad, generator("order", *axes)),
        settings,
        watcher(progress),
        penalties=[adaptation.penalty for adaptation in adaptations],
        after_step=[adaptation.after_step for adaptation in adaptations],
    )
    for adaptation in adaptations:
        adaptation.finish(backbone)
    return done


def training_batches(
    backbone: Backbone, features: Sequence[Features], kept: Kept, size: int, pad: int, order: Random
) -> Iterator[Batch]:
    """The training's batches without end, each with what is kept of its sentences."""
    for places in similar_lengths([len(row["input_ids"]) for row in features], size, order):
        yield collate([features[place] for place in places], pad, backbone.device) | kept.of(places)


def _matched(bench: Bench, read: Checkpoint) -> list[Adaptation]:
    """The block's adaptations, at the size at which they train the wanted share where one is wanted."""
    adaptations = [part.trained_for(bench.train.steps) for part in bench.adaptations if isinstance(part, Adaptation)]
    if bench.match_parameters is None:
        return adaptations
    if bench.match is None:  # every checkpoint of a block has the same shapes, so one solution serves them all
        bench.match = match(adaptations, bench.match_parameters, read.outline)
    return bench.match.adaptations


def check_room(backbone: Backbone, longest: int) -> None:
    """Raise Unsupported where an input may be longer than what the adaptation leaves of the backbone's positions."""
    if backbone.positions is not None and longest > backbone.positions:
        mend = f"lower max_length and target_length to {backbone.positions}"
        raise Unsupported(f"the backbone with its adaptation reads at most {backbone.positions} tokens; {mend}")
