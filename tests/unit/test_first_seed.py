"""The first seed of every row comes before all others: what a block's jobs are, what they wait for, and their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.adapt.record import write_failed
from harness.base.files import write_json, write_text
from harness.base.wording import seeds_in_words
from harness.cli.main import main
from harness.cli.run import forget_cells
from harness.contracts.plan import Cell, Plan
from harness.contracts.plan_file import load_plan
from harness.plan.entry import make_plan, release_locks, take_lock
from harness.plan.estimate import Estimates
from harness.plan.marks import Marks
from harness.plan.priority import Priority, priorities
from harness.tune.space import SEEDS
from tests import project as use

METHODS = ["finetune", "lora", "dapt", "multitask", "majority"]
DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test", "pt": "meta_test"}
LOCAL = {"encoder": {"source": "local", "path": "model"}}


def planned(**changes: Any) -> Plan:
    content: dict[str, Any] = {"seeds": [2, 0, 5], "methods": METHODS, "backbones": LOCAL}
    content["tasks"] = {"wikiann": {"budgets": [4, 8], "domains": DOMAINS}}
    use.write_config(Path(), content | changes)
    return make_plan(use.CONFIG)


def test_every_cell_is_in_one_job_and_the_first_seed_in_one_of_its_own(local_project: Path) -> None:
    plan = planned()
    assert Counter(cell.folder for job in plan.adapts for cell in plan.cells_of(job)) == Counter(
        cell.folder for cell in plan.cells()
    )
    assert [[job.seeds for job in plan.jobs_of(block)] for block in plan.blocks] == [[[0], [2, 5]]] * len(METHODS)
    assert {job.done for job in plan.adapts} == {plan.with_done(job.done).done for job in plan.adapts}
    plan.save()
    assert load_plan(plan.path) == plan


def test_a_run_with_one_seed_has_one_job_for_each_method_and_preparation(local_project: Path) -> None:
    plan = planned(seeds=[3])
    assert len(plan.adapts) == len(plan.blocks) == len(METHODS)
    assert len(plan.prepares) == 2


def test_cells_are_those_of_runs_with_one_seed(local_project: Path) -> None:
    """In those a block is one job, and a preparation too: the split changes no fingerprint, folder and checkpoint."""

    def known(cells: Iterable[Cell]) -> list[Cell]:
        return sorted(cells, key=lambda cell: (cell.method, cell.domain, cell.budget, cell.seed))

    alone = [cell for seed in (0, 2, 5) for cell in planned(seeds=[seed]).cells()]
    assert known(planned().cells()) == known(alone)


def test_a_job_waits_for_the_checkpoints_of_its_own_seeds_alone(local_project: Path) -> None:
    plan = planned()
    seeds = {job.done: {part.seed for part in job.parts} for job in plan.prepares}
    assert sorted(map(sorted, seeds.values())) == [[0], [0], [2], [2], [5], [5]]
    for job in plan.adapts:
        waited = {seed for mark in plan.waits[job.done] for seed in seeds.get(mark, ())}
        assert waited == (set(job.seeds) if job.method in ("dapt", "multitask") else set())
        others = [mark for mark in plan.waits[job.done] if mark not in seeds]
        assert others == ([plan.backbones[0].done] if job.method in ("finetune", "lora") else [])


def begun(plan: Plan) -> list[str]:
    """The marks of jobs in the order in which one core begins them: of those that are ready the highest."""
    order: list[str] = []
    own, waits = priorities(plan), plan.waits
    while left := [mark for mark in own if mark not in order]:
        ready = [mark for mark in left if set(waits.get(mark, ())) <= set(order)]
        order.append(max(ready, key=own.__getitem__))
    return order


@pytest.mark.parametrize("rates", ["given", "search"])
def test_what_first_seeds_need_is_begun_before_all_else(rates: str, local_project: Path) -> None:
    plan = planned(rates=rates, seeds=[0, 1, 2, 3])
    assert bool(plan.tunes) == (rates == "search")
    order = begun(plan)
    first = [order.index(job.done) for job in plan.adapts if 0 in job.seeds]
    others = [order.index(job.done) for job in plan.adapts if 0 not in job.seeds]
    assert (len(first), len(others)) == (len(METHODS), len(METHODS))
    assert max(first) < min(others)
    later = [job for job in plan.prepares if order.index(job.done) > max(first)]
    late = {
        name: {part.seed for job in later if job.name == name for part in job.parts} for name in ("dapt", "multitask")
    }
    # A search begins with checkpoints of its own seeds, and first seeds take the rate that it finds.
    assert late == {"dapt": {1, 2, 3}, "multitask": {1, 2, 3} - (set(SEEDS) if rates == "search" else set())}
    assert all(order.index(job.done) < min(others) for job in plan.tunes)


def test_snakemake_is_told_each_jobs_priority_by_its_wildcards(local_project: Path) -> None:
    plan = planned(rates="search")
    told, marks, known = Priority(plan), Marks(plan.output), priorities(plan)
    for job in [*plan.prepares, *plan.tunes]:
        name, _, key = Path(job.done).stem.rpartition("-")
        asked = SimpleNamespace(task=job.task, name=name, key=key)
        assert told.of(marks.prepare if job in plan.prepares else marks.tune)(asked) == known[job.done]
    for adapt in plan.adapts:
        method, _, key = Path(adapt.done).stem.rpartition("-")
        assert told.of(marks.adapt)(SimpleNamespace(task=adapt.task, method=method, key=key)) == known[adapt.done]
    (base,) = plan.backbones
    name, _, key = Path(base.folder).name.rpartition("-")
    assert told.of(marks.backbone)(SimpleNamespace(name=name, key=key)) == known[base.done] == max(known.values())


def test_first_seeds_take_their_share_of_the_default(tmp_path: Path) -> None:
    plan = make_plan("config/default.yaml", {"output": str(tmp_path)})  # estimates learn from cells that stand
    estimates, own = Estimates(plan), priorities(plan)
    seconds = {job.done: estimates.adapt(job) for job in plan.adapts}
    seconds |= {job.done: estimates.preparation(job, len(job.parts)) for job in plan.prepares}
    first = min(own[job.done] for job in plan.adapts if min(plan.seeds) in job.seeds)
    share = sum(its for mark, its in seconds.items() if own[mark] >= first) / sum(seconds.values())
    assert share == pytest.approx(1 / len(plan.seeds), abs=0.02)


def test_seeds_in_words() -> None:
    assert [seeds_in_words(seeds) for seeds in ([4], [1, 2], [1, 2, 3], [1, 3, 4], range(1, 10))] == [
        "seed 4", "seeds 1 and 2", "seeds 1 to 3", "seeds 1 and 3 and 4", "seeds 1 to 9",
    ]  # fmt: skip


def test_a_failed_cell_of_the_rest_leaves_the_first_seed_as_it_is(local_project: Path) -> None:
    plan = planned()
    first, rest = plan.jobs_of(plan.block("wikiann", "lora"))
    for job in (first, rest):
        write_json(Path(job.done), {})
    failed = next(cell for cell in plan.cells_of(rest) if cell.seed == 5)
    write_failed(Path(failed.folder), {"fingerprint": failed.fingerprint}, "diverged", "the loss is nan")
    assert forget_cells(plan, ["diverged"]) == 1
    assert (Path(first.done).is_file(), Path(rest.done).is_file()) == (True, False)


def test_status_tells_which_seeds_a_run_is_at(local_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned()
    first, rest = plan.jobs_of(plan.block("wikiann", "lora"))
    take_lock(plan)  # as a run at work does
    try:
        for job, seen in ((first, "8 missing, 4 running"), (rest, "4 missing, 8 running")):
            name, _, key = Path(job.done).stem.rpartition("-")
            write_text(Path(plan.output) / "logs" / "adapt" / f"wikiann-{name}-{key}.log", "")
            assert main(["status", "--configfile", use.CONFIG]) == 0
            (line,) = (line for line in capsys.readouterr().out.splitlines() if " lora " in line)
            assert line.endswith(seen)
            write_json(Path(job.done), {})
    finally:
        release_locks()


def test_a_plan_has_a_row_for_each_preparation_of_all_its_seeds(
    local_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned()
    assert main(["plan", "--configfile", use.CONFIG]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("prepare", "adapt"))]
    told = {(row[0], row[2]): (row[3], row[4]) for row in rows}
    assert len(told) == len(rows) == 2 + len(METHODS)
    assert (told["prepare", "dapt"], told["prepare", "multitask"]) == (("6", "6"), ("3", "3"))  # one a target, and one
    assert told["adapt", "lora"] == ("12", "12")
