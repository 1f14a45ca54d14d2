"""Resolve a configuration into a plan, refusing every mistake before any compute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import PROTOCOL
from harness.backbone.anatomy import architecture_of, check_kind, positions_of
from harness.backbone.files import check_folder, read_files
from harness.base.errors import UserError, bad
from harness.base.fingerprint import fingerprint, hash_file
from harness.base.lines import Layers, Where
from harness.contracts.adaptation import Adaptation, Control, sizes_of
from harness.contracts.config import LocalBackbone, Pretrained, RunConfig, TaskRun, merged
from harness.contracts.discover import Method, methods, shared, tasks
from harness.contracts.method import Train
from harness.contracts.model import one_of, validate
from harness.contracts.plan import SHORT, BackboneJob, Block, Cell, DataJob, Plan, Prepared, PrepareJob, TaskPlan
from harness.contracts.preparation import Preparation
from harness.contracts.task import Role, Source
from harness.data.build import check_domain, check_roles, domain_fingerprints
from harness.data.task import load_task
from harness.score.version import scoring_code


class Planner:
    """Makes the plan of one configuration."""

    def __init__(self, config: RunConfig, where: Layers, only: dict[str, list[Any]] | None = None) -> None:
        self.config = config
        self.where = where
        self.only = only or {}
        self.methods = methods()
        self.tasks = tasks()
        self.output = Path(config.output)
        self.data: dict[str, DataJob] = {}
        self.data_prints: dict[str, dict[str, str]] = {}
        self.backbones: dict[str, BackboneJob] = {}
        self.prepares: dict[str, PrepareJob] = {}

    def plan(self) -> Plan:
        """Every job of the run; raises UserError at the first mistake."""
        chosen = self._chosen_methods(self.config.methods, "methods")
        for task, run in self.config.tasks.items():
            one_of(task, list(self.tasks), self.where, "tasks")
            self._check_prepare(task, run)
        for method in self.methods.values():
            for task in method.tuned:
                one_of(task, list(self.tasks), method.folder / "tuned.yaml", "a task")
        for task, run in self.config.tasks.items():
            self._plan_data(task, run)
        for name in self.config.backbones:
            self._plan_backbone(name)
        task_plans, blocks = {}, []
        for task, run in self.config.tasks.items():
            plan = self._task_plan(task, run)
            task_plans[task] = plan
            names = self._chosen_methods(run.methods, f"tasks.{task}.methods") if run.methods else chosen
            for name in self._kept("method", names):
                method = self.methods[name]
                if task in self._kept("task", [task]) and (not method.spec.kinds or plan.kind in method.spec.kinds):
                    blocks.append(self._plan_block(method, task, plan, run))
        used = {block.backbone for block in blocks}
        return Plan(
            output=str(self.output),
            seeds=list(self.config.seeds),
            allow_failures=self.config.allow_failures,
            cell_minutes=self.config.cell_minutes,
            memory_gib=self.config.memory_gib,
            tasks=task_plans,
            methods={name: self._summary(name) for name in sorted({block.method for block in blocks})},
            data=list(self.data.values()),
            backbones=[job for name, job in self.backbones.items() if name in used],
            prepares=list(self.prepares.values()),
            blocks=blocks,
            scoring=scoring_code(),
            config=self.config.model_dump(),
        )

    def _kept(self, axis: str, names: list[Any]) -> list[Any]:
        """`names`, or those of them that `only` asks for."""
        wanted = self.only.get(axis)
        return [name for name in names if wanted is None or name in wanted]

    def _chosen_methods(self, names: Any, field: str) -> list[str]:
        if names == "all":
            for name in self.config.leave_out:
                one_of(name, list(self.methods), self.where, "leave_out")
            return [name for name in self.methods if name not in self.config.leave_out]
        for place, name in enumerate(names):
            one_of(name, list(self.methods), self.where, field)
            if name in names[:place]:
                raise bad(self.where, field, name, "it stands twice; remove one")
        return list(names)

    def _check_prepare(self, task: str, run: TaskRun) -> None:
        """Refuse options of preparations that do not exist, used by a chosen method or not."""
        known = shared("prepare", Preparation)
        for name, options in run.prepare.items():
            one_of(name, [*known, *self.methods], self.where, f"tasks.{task}.prepare")
            its = name if name in known else self.methods[name].spec.preparation[0]
            if its not in known:
                raise bad(self.where, f"tasks.{task}.prepare", name, "the method has no preparation; remove it")
            for option in options:
                one_of(option, list(known[its].model_fields), self.where, f"tasks.{task}.prepare.{name}")

    def _summary(self, name: str) -> dict[str, Any]:
        spec = self.methods[name].spec
        about = {"label": spec.label, "control": spec.control, "paper": spec.paper, "kinds": spec.kinds}
        return about | {"adapt": list(spec.adapt)}

    def _source(self, task: str, run: TaskRun) -> tuple[Source, dict[str, Role]]:
        known = self.tasks[task].spec.sources
        one_of(run.source, {str(name): its for name, its in known.items()}, self.where, f"tasks.{task}.source")
        roles = run.domains or known[run.source].domains
        if "meta_test" not in roles.values():
            raise bad(self.where, f"tasks.{task}.domains", roles, "give at least one domain the role meta_test")
        return known[run.source], dict(roles)

    def _plan_data(self, task: str, run: TaskRun) -> None:
        found = self.tasks[task]
        _, roles = self._source(task, run)
        where: Where = self.where if run.domains else found.folder / "task.yaml"
        field = f"tasks.{task}.domains" if run.domains else f"sources.{run.source}.domains"
        for domain in roles:
            check_domain(where, field, found, run.source, domain)
        overlap = run.overlap_of(found.spec.overlap_allowed)
        prints = domain_fingerprints(found, run.source, roles, overlap)
        folders = {
            domain: str(self.output / "data" / task / f"{run.source}-{domain}-{print_[:SHORT]}")
            for domain, print_ in prints.items()
        }
        budgets = run.budgets or found.spec.budgets
        load_task(found)
        if overlap != "allow":
            check_roles(self.where, found, run.source, roles)
        content = [prints, roles, budgets, overlap, run.test_examples, found.spec.metrics.model_dump()]
        self.data_prints[task] = prints
        self.data[task] = DataJob(
            task=task,
            source=run.source,
            roles=roles,
            folders=folders,
            budgets=budgets,
            overlap=overlap,
            done=str(self.output / "data" / task / f"{fingerprint(content)[:SHORT]}.json"),
            where=self.where.of(f"tasks.{task}"),
            test_examples=run.test_examples,
        )

    def _plan_backbone(self, name: str) -> None:
        spec = self.config.backbones[name]
        # Not where a local checkpoint lies: its files are hashed below, and the same files may move.
        content: dict[str, Any] = {"protocol": PROTOCOL, "spec": spec.model_dump(exclude={"path"})}
        corpora: dict[str, list[str]] = {}
        if isinstance(spec, Pretrained):
            for task, roles in spec.corpora.items():
                one_of(task, list(self.config.tasks), self.where, f"backbones.{name}.corpora")
                job = self.data[task]
                domains = [domain for domain, role in job.roles.items() if role in roles]
                corpora[task] = [job.folders[domain] for domain in domains]
                content[f"corpus {task}"] = [self.data_prints[task][domain] for domain in domains]
        if isinstance(spec, LocalBackbone):
            folder = Path(spec.path)
            if not folder.is_dir():
                mend = "no such folder exists; name a checkpoint directory"
                raise bad(self.where, f"backbones.{name}.path", spec.path, mend)
            check_folder(folder)
            content["files"] = _checkpoint_print(folder)
        key = fingerprint(content)
        self.backbones[name] = BackboneJob(
            name=name,
            spec=spec.model_dump(),
            folder=str(self.output / "backbones" / f"{name}-{key[:SHORT]}"),
            fingerprint=key,
            corpora=corpora,
        )

    def _task_plan(self, task: str, run: TaskRun) -> TaskPlan:
        spec = self.tasks[task].spec
        backbone = run.backbone or spec.backbone
        one_of(backbone, list(self.config.backbones), self.where, f"tasks.{task}.backbone")
        described = self.config.backbones[backbone]
        if isinstance(described, Pretrained):
            check_kind(self.where, described.architecture, spec.kind)
        elif isinstance(described, LocalBackbone):
            folder = Path(described.path)
            check_kind(folder / "config.json", architecture_of(folder), spec.kind)
        longest = max(run.max_length or spec.max_length, run.target_length or spec.target_length)
        self._check_length(task, backbone, longest)
        its, tested = load_task(self.tasks[task]), self._tested(task)
        return TaskPlan(
            label=spec.label,
            folder=str(self.tasks[task].folder),
            kind=spec.kind,
            metric=spec.metric,
            direction=spec.direction,
            source=run.source,
            backbone=backbone,
            budgets=sorted(run.budgets or spec.budgets),
            domains=tested,
            max_length=run.max_length or spec.max_length,
            target_length=run.target_length or spec.target_length,
            test_examples=run.test_examples,
            overlap_allowed=self.data[task].overlap == "allow",
            domains_are=self.tasks[task].spec.domains_are,
            own_metrics={name: its.metric_of(name) for name in tested if its.metric_of(name) != spec.metric},
            own_options={name: options for name in tested if (options := its.metric_options(name))},
            metrics=spec.metrics.model_dump(include=set(its.options)),
        )

    def _tested(self, task: str) -> list[str]:
        """The domains that cells adapt to."""
        return [domain for domain, role in self.data[task].roles.items() if role == "meta_test"]

    def _check_length(self, task: str, backbone: str, longest: int) -> None:
        """Refuse texts that are longer than the backbone has positions for."""
        described = self.config.backbones[backbone]
        room: int | None = None  # not known before a backbone of the hub is here
        if isinstance(described, Pretrained):
            room = described.max_length
        elif isinstance(described, LocalBackbone):
            room = positions_of(Path(described.path))
        if room is not None and longest > room:
            mend = f"backbone {backbone!r} reads at most {room} tokens; lower it or take a longer backbone"
            raise bad(self.where, f"tasks.{task}.max_length", longest, mend)

    def _plan_block(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> Block:
        adaptations = method.adaptations()
        settings = _train_settings(method, task, run, self.where)
        _check_training(method, adaptations, task, settings.steps)
        control = isinstance(adaptations[0], Control)
        job = None if control else self._plan_preparation(method, task, plan, run)
        base = self.backbones[plan.backbone]
        wanted = None if control or settings.steps == 0 else _wanted_share(method, run, self.config)
        sized_by = sizes_of(adaptations) if wanted is not None else []
        prepared = {(part.target, part.seed): part for part in job.parts} if job else {}
        cells = []
        for domain in self._kept("domain", plan.domains):
            for budget in self._kept("budget", plan.budgets):
                for seed in self._kept("seed", list(self.config.seeds)):
                    part = prepared.get((domain, seed)) or prepared.get((None, seed))
                    content = {
                        "protocol": PROTOCOL,
                        "code": method.code,
                        "adapt": {
                            name: part.model_dump() for name, part in zip(method.spec.adapt, adaptations, strict=True)
                        },
                        "train": settings.model_dump(),
                        "data": self.data_prints[task][domain],
                        "model": None if control else part.fingerprint if part else base.fingerprint,
                        "lengths": [plan.max_length, plan.target_length],
                        "test_examples": plan.test_examples,
                        "cell": [task, domain, budget, seed],
                    }
                    if sized_by:  # a share that no part can be sized to changes nothing
                        content["match_parameters"] = wanted
                    key = fingerprint(content)
                    folder = self.output / "cells" / task / method.id / f"{domain}-k{budget}-s{seed}-{key[:SHORT]}"
                    checkpoint = None if control else part.folder if part else base.checkpoint
                    cells.append(Cell(task, method.id, domain, budget, seed, key, str(folder), checkpoint))
        key = fingerprint([[cell.fingerprint for cell in cells], self.data[task].done])[:SHORT]
        return Block(
            task=task,
            method=method.id,
            planned_from=[method.code, method.spec.adapt, self.tasks[task].code],
            train=settings.model_dump(),
            prepare_done=job.done if job else None,
            backbone=plan.backbone,
            cells=cells,
            done=str(self.output / "blocks" / task / f"{method.id}-{key}.json"),
            reads_targets=bool(job and job.reads_targets),
            match_parameters=wanted,
            sized_by=sized_by,
        )

    def _plan_preparation(self, method: Method, task: str, plan: TaskPlan, run: TaskRun) -> PrepareJob | None:
        name, _ = method.spec.preparation
        preparation = method.preparation()
        if preparation is None:
            return None
        for key in (name, method.id):  # for all methods with the preparation, then for one
            if key in run.prepare:
                options = merged(preparation.model_dump(), run.prepare[key])
                preparation = validate(type(preparation), options, self.where, f"tasks.{task}.prepare.{key}")
        base, data = self.backbones[plan.backbone], self.data[task]
        own = preparation.uses_adaptation
        # Building adaptations imports torch, which a preparation of the backbone alone does not need here.
        if own and (mend := preparation.refuses(method.adaptations())):
            raise bad(method.folder / "method.yaml", "prepare", name, mend)
        wanted = _wanted_share(method, run, self.config) if own and sizes_of(method.adaptations()) else None
        parts = []
        targets = self._kept("domain", plan.domains) if preparation.per_domain else [None]
        for target in targets:
            for seed in self._kept("seed", list(self.config.seeds)):
                read = preparation.reads(data.roles, target)
                content = {
                    "protocol": PROTOCOL,
                    "preparation": [name, preparation.model_dump()],
                    "adapt": [method.spec.adapt, method.code] if own else None,
                    "backbone": base.fingerprint,
                    "data": {domain: [self.data_prints[task][domain], data.roles[domain]] for domain in read},
                    "lengths": [plan.max_length, plan.target_length],
                    "task": task,
                    "seed": seed,
                }
                if wanted is not None:
                    content["match_parameters"] = wanted
                key = fingerprint(content)
                folder = self.output / "prepared" / task / name / f"{target or 'all'}-s{seed}-{key[:SHORT]}"
                parts.append(Prepared(str(folder), key, target, seed))
        key = fingerprint([part.fingerprint for part in parts])[:SHORT]
        done = str(self.output / "prepared" / task / f"{name}-{key}.json")
        whose = method.id if own else None
        reads = preparation.reads_targets(self.tasks[task].spec.kind)
        job = PrepareJob(name, task, plan.backbone, preparation.model_dump(), whose, wanted, reads, parts, done)
        return self.prepares.setdefault(done, job)


def _train_settings(method: Method, task: str, run: TaskRun, where: Layers) -> Train:
    """The method's training, then what was tuned for the task, then what the configuration says."""
    settings = method.spec.train.model_dump()
    if task in method.tuned:
        settings |= method.tuned[task].train
        settings = validate(Train, settings, method.folder / "tuned.yaml", f"{task}.train").model_dump()
    if method.spec.control and settings["steps"] == 0:
        return validate(Train, settings, method.folder / "method.yaml", "train")
    return validate(Train, settings | run.train, where, f"tasks.{task}.train")


def _check_training(method: Method, adaptations: Sequence[Adaptation | Control], task: str, steps: int) -> None:
    """Refuse adaptations that cannot be trained for the task's steps."""
    for name, part in zip(method.spec.adapt, adaptations, strict=True):
        try:
            if isinstance(part, Adaptation):
                part.trained_for(steps)
        except ValueError as error:
            raise UserError(f"{method.folder / 'method.yaml'}: on {task} adapt.{name}.{error}") from None


def _wanted_share(method: Method, run: TaskRun, config: RunConfig) -> float | None:
    """The share that shall train: the task's in the configuration, else the run's, else the method's own."""
    wanted = (run.match_parameters, config.match_parameters, method.spec.match_parameters)
    return next((share for share in wanted if share is not None), None)


def _checkpoint_print(folder: Path) -> str:
    """The hash of a checkpoint's files; weights by content, so that a replaced file is seen."""
    return fingerprint([(path.name, hash_file(path)) for path in read_files(folder)])
