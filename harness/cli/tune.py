"""`headstart tune`: choose rates on meta_dev domains, the same number of trials for every method."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from harness.adapt.failure import read_failure
from harness.adapt.record import SCORES, read_record
from harness.base.errors import UserError
from harness.base.files import read_json, write_text
from harness.base.lines import place_of
from harness.base.progress import say
from harness.base.yaml_file import read_yaml
from harness.cli.run import make_inputs
from harness.contracts.discover import Method, methods, tasks
from harness.contracts.method import Tuned
from harness.contracts.plan import Plan
from harness.plan.entry import make_plan, release_locks, take_lock
from harness.score.scale import scaled, unscaled

TRIALS = 5


def tune(options: Namespace) -> int:
    """Try every candidate rate of the methods asked for and write the best to their tuned.yaml."""
    known = methods()
    names = options.method or [name for name, method in known.items() if method.spec.search]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"--method is {unknown[0]!r}; use one of {', '.join(known)}")
    for task in options.task or list(make_plan(options.configfile).tasks):
        for name in names:
            kinds = known[name].spec.kinds
            if known[name].spec.search and (not kinds or tasks()[task].spec.kind in kinds):
                tune_one(options, known[name], task)
    return 0


def tune_one(options: Namespace, method: Method, task: str) -> None:
    """Run the trials of one method on one task and write what was found."""
    trials = candidates(method)
    scores: dict[str, float | None] = {}
    plan = None
    for trial in trials:
        plan = trial_plan(options, method, task, trial)
        scores[_name(trial)] = score = run_trial(plan)
        say(f"{task} {method.id} {_name(trial)}: {'failed' if score is None else format(score, '.2f')}")
    assert plan is not None
    done = [(score, trial) for trial in trials if (score := scores[_name(trial)]) is not None]
    if not done:
        place = place_of(method.folder / "method.yaml", "search", None)
        raise UserError(f"{place}: search: every trial failed on {task}; try other values")
    best = (max if plan.tasks[task].direction == "max" else min)(done, key=lambda pair: pair[0])[1]
    if edge := at_edge(trials, best):
        where = method.folder / "method.yaml"
        say(f"{where}: search: on {task} the best is {edge}, at the edge of what was tried; go further that way")
    entry = Tuned(
        train=best,
        source=plan.tasks[task].source,
        backbone=plan.tasks[task].backbone,
        domains=plan.tasks[task].domains,
        budgets=plan.tasks[task].budgets,
        seeds=len(plan.seeds),
        trials={name: None if score is None else round(score, 3) for name, score in scores.items()},
    )
    file = method.folder / "tuned.yaml"
    entries = read_yaml(file) if file.is_file() else {}
    entries[task] = entry.model_dump()
    head = "# Written by `headstart tune`: chosen on meta_dev domains, never on those that are scored.\n"
    write_text(file, head + yaml.safe_dump(entries, sort_keys=True))


def candidates(method: Method) -> list[dict[str, float]]:
    """The method's trials; raises UserError unless there are as many as every other method has."""
    search = method.spec.search
    trials = [{name: value} for name, values in search.items() for value in values]
    if len(search) != 1 or len(trials) != TRIALS:
        where = place_of(method.folder / "method.yaml", "search", None)
        raise UserError(f"{where}: search holds {len(trials)} values of {len(search)} rates; give {TRIALS} of one")
    return trials


def at_edge(trials: list[dict[str, float]], best: dict[str, float]) -> str | None:
    """The best value in words where it is the smallest or the largest that was tried."""
    ((name, value),) = best.items()
    tried = [trial[name] for trial in trials]
    return f"{name} {value:g}" if value in (min(tried), max(tried)) else None


def trial_plan(options: Namespace, method: Method, task: str, trial: dict[str, float]) -> Plan:
    """The plan of one trial: the meta_dev domains take the place of the scored ones."""
    whole = make_plan(options.configfile)
    config = whole.config
    run = dict(config["tasks"][task])
    run["domains"] = dev_domains(whole, task, options.configfile)
    run["budgets"] = options.budget
    run["methods"] = [method.id]  # which the run itself may leave out
    run["train"] = {**run["train"], **trial}
    backbone = whole.tasks[task].backbone
    changes: dict[str, Any] = {
        "tasks": config["tasks"] | {task: run},
        "seeds": list(range(options.seeds)),
        "output": str(Path(config["output"]) / "tune" / task),  # so that tasks can be tuned side by side
        "backbones": config["backbones"] | {backbone: stands_in(whole, backbone, options.configfile)},
    }
    return make_plan(options.configfile, changes, only={"task": [task]})


def dev_domains(whole: Plan, task: str, configfile: str) -> dict[str, str]:
    """A task's domains by role, with meta_dev scored in meta_test's place; raises UserError where there is none."""
    roles = {name: role for name, role in whole.data_of(task).roles.items() if role != "meta_test"}
    if "meta_dev" not in roles.values():
        field = f"tasks.{task}.domains"
        raise UserError(f"{place_of(configfile, field, None)}: {field} has no meta_dev domain; give one that role")
    return {name: "meta_test" if role == "meta_dev" else role for name, role in roles.items()}


def stands_in(whole: Plan, backbone: str, configfile: str) -> dict[str, Any]:
    """The run's own backbone as a local checkpoint, so that trials do not pretrain it again."""
    job = whole.backbone(backbone)
    if not Path(job.done).is_file():
        command = shlex.join(["snakemake", "--cores", "all", job.done, "--configfile", configfile])
        raise UserError(f"{configfile}: backbones.{backbone} is not made yet; run `{command}` first")
    if failure := read_failure(Path(job.folder)):
        mend = f"`headstart retry --configfile {shlex.quote(configfile)}` tries it again"
        raise UserError(f"{configfile}: backbones.{backbone} could not be made ({failure.status}); {mend}")
    return {"source": "local", "path": job.checkpoint}


def run_trial(plan: Plan) -> float | None:
    """The score of the trial's cells, None where one failed."""
    take_lock(plan)
    make_inputs(plan)
    from harness.adapt.block import make_bench, run_and_record
    from harness.score.score import score_cell

    found: dict[int, list[float]] = {}
    block = plan.blocks[0]
    bench = make_bench(plan, block)
    task = plan.tasks[block.task]
    for cell in block.cells:
        record = read_record(Path(cell.folder), cell.fingerprint)
        if record is None:
            run_and_record(plan, bench, block, cell)
        if score_cell(cell, task) == "done":
            score = read_json(Path(cell.folder) / SCORES)["scores"][task.metric_of(cell.domain)]
            if score is not None:  # one that is not defined leaves the trial without a score
                found.setdefault(cell.budget, []).append(score)
    release_locks()
    return mean_score(found, task.metric) if sum(map(len, found.values())) == len(block.cells) else None


def mean_score(scores: dict[int, list[float]], metric: str) -> float:
    """The mean over budgets of the mean over a budget's cells, on the metric's scale.

    A perplexity falls by half where it is large as easily as where it is small: without the logarithm the smallest
    budget would choose alone.
    """
    return unscaled(metric, fmean(fmean(scaled(metric, values)) for values in scores.values()))


def _name(trial: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in trial.items())
