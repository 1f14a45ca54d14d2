"""`headstart tune`: search rates as a run would, and store them with the methods; `--show` prints what was tried."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import yaml

from harness.adapt.failure import read_failure
from harness.base.errors import UserError, bad
from harness.base.files import read_json, write_text
from harness.base.lines import place_of
from harness.base.progress import say
from harness.base.yaml_file import read_yaml
from harness.cli.asked import on_one_backbone, plan_to_look_at
from harness.cli.columns import aligned
from harness.cli.run import make_inputs
from harness.contracts.budget import told_all
from harness.contracts.discover import Method, methods
from harness.contracts.method import Tuned
from harness.contracts.model import one_of
from harness.contracts.plan import Block, Plan, TuneJob
from harness.parts.variants import method_of
from harness.plan.entry import make_plan, release_locks, take_lock
from harness.plan.request import Tuning
from harness.tune.kept import kept_scores
from harness.tune.space import SHARE, TRIALS, at_edge, best

HEAD = "# Written by `headstart tune`: searched on other domains or examples than those that are scored.\n"


def tune(options: Namespace) -> int:
    """Search a rate for each method and task asked for and write it to the method's tuned.yaml, or show searches."""
    if options.show:
        return show(options)
    known = methods()
    for name in options.method or []:
        one_of(name, list(known), options.configfile, "--method")
    whole = make_plan(options.configfile)
    names = options.method or [name for name, method in known.items() if method.spec.trains]
    specs = {name: known[name].spec for name in names if known[name].spec.trains}
    wanted = [
        (task, name)
        for task in _tasks(options, whole)
        for name, spec in specs.items()
        if not spec.kinds or whole.tasks[task].kind in spec.kinds
    ]
    for task, name in wanted:
        _check_own(whole, name, task, options.configfile)
    for task, name in wanted:
        _store(known[name], *_search(options, whole, known[name], task))
    return 0


def _check_own(whole: Plan, method: str, task: str, where: str) -> None:
    """Refuse to keep, as the method's, a rate of a method whose adaptation the configuration changes."""
    base = whole.tasks[task].base
    for field, said in (("adapt", whole.config), (f"tasks.{base}.adapt", whole.config["tasks"][base])):
        if its := said.get("adapt", {}).get(method):
            mend = f"a rate belongs to the options that {method} has of itself; remove it, or search within a run"
            raise bad(where, f"{field}.{method}", its, mend)


def _tasks(options: Namespace, whole: Plan) -> list[str]:
    """The tasks asked for, by their names on the backbone asked for, or on each of theirs."""
    for name in options.task or []:
        one_of(name, list(whole.tasks), options.configfile, "--task")
    found = [name for task in options.task or whole.firsts for name in whole.on(task)]
    if options.backbone is None:
        return found
    one_of(options.backbone, sorted({whole.tasks[name].backbone for name in found}), options.configfile, "--backbone")
    return [name for name in found if whole.tasks[name].backbone == options.backbone]


def _search(options: Namespace, whole: Plan, method: Method, task: str) -> tuple[Plan, TuneJob]:
    """The search of one method on one task, done."""
    plan = tuning_plan(options, whole, method, task)
    take_lock(plan)
    make_inputs(plan)
    release_locks()
    (job,) = (job for job in plan.tunes if job.reaches)  # others are for the checkpoints that it begins with
    if failure := read_failure(Path(job.folder)):
        place = place_of(method.folder / "method.yaml", "search", None)
        what = f"no rate of {method.id} could be searched on {task} ({failure.status})"
        raise UserError(f"{place}: search: {what}; {failure.error.strip().splitlines()[-1]}")
    return plan, job


def tuning_plan(options: Namespace, whole: Plan, method: Method, task: str) -> Plan:
    """A plan of one search, of a method that the run may leave out, and of nothing else."""
    changes = on_one_backbone(whole, task, {"methods": [method.id]})
    only = {"task": [whole.tasks[task].base], "domain": [], "seed": []}  # none of the run's own cells
    its = whole.tasks[task].budgets
    budgets = sorted(set(options.budget or (min(its), max(its))))
    return make_plan(options.configfile, changes, only, Tuning(budgets, list(range(options.seeds))))


def _store(method: Method, plan: Plan, job: TuneJob) -> None:
    """Write what was found to the method's tuned.yaml, in the place of what it had for this backbone."""
    found, task = read_json(Path(job.done)), plan.tasks[job.task]
    backbone = plan.backbone(task.backbone)
    if found["at_edge"]:
        (name, value), *_ = found["train"].items()
        where = method.folder / "method.yaml"
        say(f"{where}: search: on {job.task} the best is {name} {value:g}, at the edge of what was tried")
    (rate,) = (line.name for line in job.lines)
    trials = {f"{rate} {trial['rates'][rate]:g}": trial["score"] for trial in found["trials"]}
    entry = Tuned(
        train=found["train"],
        source=task.source,
        backbone=backbone.name,
        identity=backbone.identity,
        domains=found["domains"],
        budgets=found["budgets"],
        seeds=len(found["seeds"]),
        trials={name: None if score is None else round(score, 3) for name, score in trials.items()},
    )
    file = method.folder / "tuned.yaml"
    entries = read_yaml(file) if file.is_file() else {}
    place = entry.identity, entry.source
    others = [its for its in entries.get(job.task, []) if (its["identity"], its["source"]) != place]
    entries[job.task] = [*others, entry.model_dump()]
    write_text(file, HEAD + yaml.safe_dump(entries, sort_keys=True))


def show(options: Namespace) -> int:
    """Print what a run's searches have tried so far, and where the rates of the other methods come from."""
    plan = plan_to_look_at(options.configfile)
    tasks = _tasks(options, plan)
    for job in plan.tunes:
        if job.task in tasks and _asked(options, {job.method, *plan.takers(job)}):
            print(_page(plan, job) + "\n")
    rest = [block for block in plan.blocks if block.task in tasks and _asked(options, {block.method})]
    print("\n".join(aligned([(block.task, block.method, told) for block in rest if (told := _told(block))])))
    return 0


def _asked(options: Namespace, methods: set[str]) -> bool:
    return bool(methods & set(options.method or methods))


def _told(block: Block) -> str:
    """Whose word a method's rate is, where nothing searched it; nothing of what trains none."""
    where = {"given": "the configuration", "tuned": "its tuned.yaml", "method": "its method.yaml"}
    if block.rates not in where:
        return ""
    rate, _, _ = method_of(block.method).spec.searched
    return f"{rate} {block.train[rate]:g} of {where[block.rates]}"


def _page(plan: Plan, job: TuneJob) -> str:
    """The trials of one search, from the smallest rates to the largest."""
    task = plan.tasks[job.task]
    scores = kept_scores(job, task.metric)
    sign = 1 if task.direction == "max" else -1
    chosen = best({point: None if score is None else sign * score for point, score in scores.items()})
    domains = ", ".join(sorted({place.domain for place in job.places}))
    where = f"{'a part held out of k of' if job.held_out else ''} {domains}".strip()
    budgets = told_all(job.budgets)
    state = "" if Path(job.done).is_file() else f", {len(scores)} of {TRIALS} trials so far"
    lines = [f"{job.title}: tried at {budgets} on {where}{state}"]
    if job.prepare:
        lines.append(f"  {SHARE:.0%} of its steps, then {job.method}; for {', '.join(plan.takers(job))}")
    rows = [(*(line.name for line in job.lines), task.metric, "")]
    for point, score in scores.items():
        marks = ["best"] if point == chosen else []
        marks += ["at the edge"] if marks and at_edge(scores, point) else []
        shown = "failed" if score is None else f"{score:.2f}"
        rows.append((*(f"{rate:g}" for rate in point), shown, ", ".join(marks)))
    return "\n".join(lines + [f"  {line}" for line in aligned(rows, right=range(len(job.lines) + 1))])
