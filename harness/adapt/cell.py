"""One cell: attach, train on k examples, predict the test split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from harness.adapt.bench import Bench, run_control
from harness.backbone.backbone import Backbone
from harness.backbone.load import Checkpoint
from harness.backbone.matching import body_parameters, match, sized_as, trained_in_body
from harness.backbone.precision import round_frozen
from harness.base.errors import Unsupported
from harness.base.measure import Stopwatch, measured, timed
from harness.base.progress import bar, watcher
from harness.base.seeds import derive, generator
from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.budget import told
from harness.contracts.method import Train
from harness.data.splits import few, held_out
from harness.data.task import Example, Features, Task
from harness.learn.batches import Batch, collate, in_order, similar_lengths
from harness.learn.between import Along, Between, Passed, Stopping
from harness.learn.kept import Kept
from harness.learn.loop import Trained, train
from harness.learn.predict import predict
from harness.learn.save import attach, load_start, stored_bytes


def run_cell(
    bench: Bench, domain: str, budget: int, seed: int, checkpoint: str | None, passed: list[Passed] | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """The cell's predictions for the domain's test examples, and what it cost.

    `passed` takes the points of the training at which the block wants them too.
    """
    if isinstance(bench.adaptations[0], Control):
        return run_control(bench, domain, budget, seed, checkpoint)
    axes = bench.task.folder.name, domain, budget, seed
    examples = few(bench.split(domain, "train"), budget, *axes[:2], seed)
    test = bench.split(domain, "test")
    assert checkpoint is not None
    task = bench.task.at(domain)
    read = bench.checkpoint(checkpoint, task)
    learned, dev = _dev(bench, examples, axes)
    task = task.read_by(read.kind)
    with measured() as whole:
        predictions, costs = _run(
            bench, task, read, Path(checkpoint), learned, dev, test, axes, [] if passed is None else passed
        )
    return predictions, costs | {"peak_rss_mib": whole.peak_rss_mib, "peak_device_mib": whole.peak_device_mib}


def _dev(bench: Bench, examples: list[Example], axes: tuple[Any, ...]) -> tuple[list[Example], list[Example]]:
    """What is learned from, and what early stopping looks at: never the test split, and nothing where it is off."""
    if bench.train.patience is None:
        return examples, []
    if bench.train.dev == "budget":
        return held_out(examples)
    task, domain, budget, seed = axes
    return examples, few(bench.split(domain, "dev"), budget, task, domain, seed)


def _run(
    bench: Bench,
    task: Task,
    read: Checkpoint,
    folder: Path,
    examples: list[Example],
    dev: list[Example],
    test: list[Example],
    axes: tuple[Any, ...],
    passed: list[Passed],
) -> tuple[list[Any], dict[str, Any]]:
    """The predictions for `test` after training on `examples`, and what both cost, memory aside."""
    _, domain, budget, seed = axes
    backbone = read.backbone(derive("init", *axes))
    body = body_parameters(backbone)
    features, looked_at = (_windows(bench, task, its, read) for its in (examples, dev))
    settings = bench.train.over(len(features))
    adaptations = _matched(bench, read, settings.steps)
    attach(backbone, adaptations, derive("init", *axes))
    check_room(backbone, task.longest(bench.max_length, bench.target_length))
    load_start(backbone, folder)
    if bench.precision == "bfloat16":
        round_frozen(backbone)
    pad = read.tokenizer.pad_token_id

    def predicted() -> list[Any]:
        encoded = bench.test_features(domain, task, read.tokenizer)
        return predict(backbone, task, test, encoded, read.tokenizer, bench.target_length)

    points = _points(bench, settings, len(features))
    with timed() as training, bar(settings.steps, f"{domain} k={told(budget)} seed {seed}") as progress:
        watch = Stopwatch()
        along = Along(backbone, points, predicted, watch, passed)
        stopping = _stopping(backbone, looked_at, settings, len(features), pad, watch)
        keep = partial(Kept, backbone, features, pad, shelf=bench.shelf, origin=(folder, axes))
        done = _train(backbone, adaptations, settings, features, pad, keep, axes, progress, [along, *stopping])
    with timed() as predicting:
        predictions = predicted()
    trains = settings.steps > 0
    trained = sum(value.numel() for value in backbone.trained().values()) if trains else 0
    return predictions, {
        "adaptation_seconds": training.seconds - watch.aside.seconds,
        "prediction_seconds": predicting.seconds,
        "arithmetic_cpu_seconds": training.cpu_seconds - watch.aside.cpu_seconds + predicting.cpu_seconds,
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
    } | _told(along, stopping, bench, settings)


def _told(along: Along, stopping: Sequence[Stopping], bench: Bench, settings: Train) -> dict[str, Any]:
    """What early stopping found, and the points that were passed, the last being what the cell is scored at.

    Nothing where neither was asked for.
    """
    found = {name: value for its in stopping for name, value in its.found().items()}
    if not bench.points:
        return found
    passed: list[dict[str, float]] = [
        {"point": its.point, "step": its.step, "seconds": its.seconds} for its in along.passed
    ]
    end = next((its.step for its in stopping), settings.steps)
    unit = 1 if bench.train.epochs is None else settings.steps // bench.train.epochs
    last = {"point": end / unit, "step": end, "seconds": along.watch.seconds()}
    return found | {"along": [*passed, last], "along_unit": "steps" if bench.train.epochs is None else "epochs"}


def _windows(bench: Bench, task: Task, examples: list[Example], read: Checkpoint) -> list[Features]:
    """The encoded sentences of examples, of a long text several."""
    return [window for windows in bench.features(task, examples, read.tokenizer) for window in windows]


def _train(
    backbone: Backbone,
    adaptations: Sequence[Adaptation],
    settings: Train,
    features: Sequence[Features],
    pad: int,
    keep: Callable[[int], Kept],
    axes: tuple[Any, ...],
    progress: Any,
    between: Sequence[Between],
) -> Trained:
    """Train what the adaptations attached on the k examples; `keep` takes how many sentences all steps read."""
    size = settings.read_at_once
    for adaptation in adaptations:
        adaptation.observe(backbone, list(in_order(features, size, pad, backbone.device)))
    kept = keep(settings.steps * size)  # once nothing more is put in
    done = train(
        backbone,
        training_batches(backbone, features, kept, size, pad, generator("order", *axes)),
        settings,
        watcher(progress),
        penalties=[adaptation.penalty for adaptation in adaptations],
        after_step=[adaptation.after_step for adaptation in adaptations],
        between=between,
    )
    for adaptation in adaptations:
        adaptation.finish(backbone)
    return done


def _stopping(
    backbone: Backbone, dev: Sequence[Features], settings: Train, sentences: int, pad: int, watch: Stopwatch
) -> list[Stopping]:
    """What ends the training early, where the settings ask for it."""
    if settings.patience is None:
        return []
    every = settings.check_every or settings.epoch(sentences)
    return [Stopping(backbone, dev, settings, every, pad, watch)]


def _points(bench: Bench, settings: Train, sentences: int) -> dict[int, int]:
    """The points before the training's end, by their steps; they are in the unit that its length is said in."""
    unit = 1 if bench.train.epochs is None else settings.epoch(sentences)
    return {point * unit: point for point in bench.points if point * unit < settings.steps}


def training_batches(
    backbone: Backbone, features: Sequence[Features], kept: Kept, size: int, pad: int, order: Random
) -> Iterator[Batch]:
    """The training's batches without end, each with what is kept of its sentences."""
    for places in similar_lengths([len(row["input_ids"]) for row in features], size, order):
        yield collate([features[place] for place in places], pad, backbone.device) | kept.of(places)


def _matched(bench: Bench, read: Checkpoint, steps: int) -> list[Adaptation]:
    """The block's adaptations for so many steps, at the size at which they train the wanted share where one is."""
    adaptations: list[Adaptation] = [part for part in bench.adaptations if isinstance(part, Adaptation)]
    if bench.match_parameters is not None:
        if bench.match is None:  # every checkpoint of a block has the same shapes, so one solution serves them all
            fitted = [part.trained_for(steps) for part in adaptations]
            bench.match = match(fitted, bench.match_parameters, read.outline)
        pairs = zip(adaptations, bench.match.adaptations, strict=True)
        adaptations = [part.model_copy(update=sized_as(its)) for part, its in pairs]
    return [_trained_for(part, steps) for part in adaptations]


def _trained_for(part: Adaptation, steps: int) -> Adaptation:
    """A part for so many steps; of a training in epochs it is known only here that they do not fit."""
    try:
        return part.trained_for(steps)
    except ValueError as error:
        raise Unsupported(f"{type(part).__name__} on so few examples: {error}") from None


def check_room(backbone: Backbone, longest: int) -> None:
    """Raise Unsupported where an input may be longer than what the adaptation leaves of the backbone's positions."""
    if backbone.positions is not None and longest > backbone.positions:
        mend = f"lower max_length and target_length to {backbone.positions}"
        raise Unsupported(f"the backbone with its adaptation reads at most {backbone.positions} tokens; {mend}")
