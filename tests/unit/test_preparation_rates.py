"""The search of a preparation's rates, as a plan has it: what is searched, by which jobs, from what, for whom."""

from __future__ import annotations

from argparse import Namespace
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli.main import main
from harness.cli.told import jobs_of
from harness.cli.tune import tuning_plan
from harness.contracts.discover import methods
from harness.contracts.plan import Plan, TuneJob
from harness.contracts.plan_file import load_plan
from harness.contracts.preparation import Preparation, at_rates, rate_options
from harness.parts.offered import preparations
from harness.plan.entry import Inputs, make_plan
from harness.plan.estimate import Estimates
from harness.plan.marks import Marks
from harness.tune.space import AFTER, SEEDS, SHARE, TRIALS
from harness.tune.space import DOMAINS as DOMAINS_AT_MOST
from tests import project as use

DOMAINS = {"en": "meta_train", "it": "meta_dev", "nl": "meta_test"}
NO_DEV = {"en": "meta_train", "nl": "meta_test", "pt": "meta_test"}
TASK: dict[str, Any] = {"budgets": [16, 100], "domains": DOMAINS}
LOCAL = {"encoder": {"source": "local", "path": "model"}}
METHODS = ["multitask", "finetuned_adapter", "dapt", "primed_adapter", "finetune"]


def planned(**changes: Any) -> Plan:
    content = {"rates": None, "methods": METHODS, "tasks": {"wikiann": TASK}, "backbones": LOCAL} | changes
    use.write_config(Path(), content)
    return make_plan(use.CONFIG)


def of_preparations(plan: Plan) -> dict[str, TuneJob]:
    """The searches of preparations' rates, by the preparation."""
    return {job.prepare.name: job for job in plan.tunes if job.prepare}


@pytest.mark.parametrize("name", list(preparations()))
def test_every_rate_of_every_preparation_is_searched_and_its_trials_are_shorter(name: str) -> None:
    options = {"outer": {"controller_lr": 0.01}} if name == "meta" else {}
    preparation: Preparation = preparations()[name](**options)
    rates = dict(rate_options(preparation))
    assert set(preparation.rates) == set(rates)
    assert all(0 < 10 * low <= high for low, high in preparation.rates.values())
    short = preparation.shortened(SHARE)
    # All but what does not depend on the steps, as the selection of structures.
    assert short.sentences(3) == pytest.approx(SHARE * preparation.sentences(3), rel=0.06)
    assert dict(rate_options(short)) == rates
    moved = type(preparation)(**at_rates(short.model_dump(), dict.fromkeys(rates, 0.5)))
    assert set(dict(rate_options(moved)).values()) == {0.5}
    assert moved.sentences(3) == short.sentences(3)


def test_methods_that_prepare_alike_have_one_search_and_one_checkpoint(local_project: Path) -> None:
    plan = planned()
    searches = of_preparations(plan)
    assert sorted(searches) == ["dapt", "meta", "multitask"]
    assert plan.takers(searches["multitask"]) == ["multitask", "finetuned_adapter"]
    assert {block.preparation_rates for block in plan.blocks} == {"searched", "none"}
    done = {name: plan.block("wikiann", name).prepared_by for name in METHODS}
    assert done["multitask"] == done["finetuned_adapter"]
    for job in plan.prepares:
        assert job.rates_from == searches[job.name].done


def test_every_search_has_as_many_trials_seeds_and_examples(local_project: Path) -> None:
    for job in of_preparations(planned(seeds=[5])).values():
        assert {(place.domain, place.seed) for place in job.places} == {("it", seed) for seed in SEEDS}
        assert job.budgets == [AFTER]
        assert job.prepare is not None
        assert len(job.prepare.parts) == len(SEEDS)


def test_its_training_has_the_rate_that_is_found_without_a_preparation(local_project: Path) -> None:
    """The search of the method without one, where the run has it; else one for the preparation alone."""
    plan = planned()
    own = next(job for job in plan.tunes if job.method == "finetune" and job.reaches == [100])
    searches = of_preparations(plan)
    assert {searches["multitask"].rates_from, searches["dapt"].rates_from} == {own.done}
    adapter = searches["meta"].rates_from
    assert adapter is not None
    assert (plan.with_done(adapter).method, plan.with_done(adapter).reaches) == ("primed_adapter", [])
    alone = planned(methods=["dapt"])
    assert of_preparations(alone)["dapt"].rates_from == own.done, "the same search, whoever asks for it"
    given = planned(train={"dapt": {"lr": 0.25}}, methods=["dapt"])
    (job,) = given.tunes
    assert (job.rates_from, job.train["lr"]) == (None, 0.25)


def test_no_job_waits_for_itself_and_each_waits_for_what_it_reads(local_project: Path) -> None:
    plan = planned()
    waits: dict[str, set[str]] = {job.done: set(job.needs) for job in plan.tunes}
    bases = {job.name: job.done for job in plan.backbones}
    for prepare in plan.prepares:
        waits[prepare.done] = {bases[prepare.backbone], *filter(None, [prepare.rates_from])}
    made_by = {part.folder: prepare.done for prepare in plan.prepares for part in prepare.parts}
    for adapt in plan.adapts:
        cells = plan.cells_of(adapt)
        begins = {made_by.get(cell.checkpoint or "", bases[adapt.backbone]) for cell in cells}
        waits[adapt.done] = begins | set(filter(None, (cell.rates_from for cell in cells)))
    order = list(TopologicalSorter(waits).static_order())  # raises CycleError
    inputs, marks = Inputs(plan), Marks(plan.output)
    for job in [*plan.prepares, *plan.tunes]:
        name, _, key = Path(job.done).stem.rpartition("-")
        asked = SimpleNamespace(task=job.task, name=name, key=key)
        found = inputs.of(marks.tune if isinstance(job, TuneJob) else marks.prepare)(asked)
        assert set(found) == waits[job.done], "so Snakemake waits for the same"
    for adapt in plan.adapts:
        method, _, key = Path(adapt.done).stem.rpartition("-")
        assert (
            set(inputs.of(marks.adapt)(SimpleNamespace(task=adapt.task, method=method, key=key))) == waits[adapt.done]
        )
    for job in of_preparations(plan).values():
        assert set(job.needs) == set(filter(None, [bases[job.backbone], job.rates_from]))
        for prepare in plan.prepares:
            if prepare.rates_from == job.done:
                assert order.index(job.done) < order.index(prepare.done)


def test_rates_that_are_told_are_not_searched(local_project: Path) -> None:
    plan = planned(prepare={"dapt": {"lr": 0.1}, "meta": {"outer": {"lr": 0.1}}, "multitask": {"lr": 0.2}})
    searches = of_preparations(plan)
    assert [line.name for line in searches["meta"].lines] == ["inner.lr"]
    assert list(searches) == ["meta"]
    assert not of_preparations(planned(rates="given"))
    own = planned(backbones={"encoder": use.backbone("bert", "wikiann")})
    assert not own.tunes
    assert {job.rates_from for job in own.prepares} == {None}


def test_one_method_asked_for_alone_has_the_runs_own_checkpoint(local_project: Path) -> None:
    """So a search does not depend on which methods, budgets and seeds a run has."""
    whole = planned()
    folders = {cell.checkpoint for cell in whole.cells()}
    for method in ("finetuned_adapter", "dapt", "primed_adapter"):
        alone = planned(methods=[method], tasks={"wikiann": TASK | {"budgets": [100]}})
        assert {cell.checkpoint for cell in alone.cells()} <= folders


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"prepare": {"multitask": {"steps": 7}}}, True),
        ({"train": {"steps": 7}}, True),
        ({"seeds": [3, 4]}, False),
        ({"tasks": {"wikiann": TASK | {"domains": DOMAINS | {"pt": "meta_test"}}}}, False),
    ],
    ids=["preparation", "training", "seeds", "target"],
)
def test_what_changes_a_trial_searches_again_and_nothing_else(
    changes: dict[str, Any], again: bool, local_project: Path
) -> None:
    before = of_preparations(planned())["multitask"].fingerprint
    assert (of_preparations(planned(**changes))["multitask"].fingerprint != before) == again


def test_checkpoints_are_those_of_their_search(local_project: Path) -> None:
    """The rate of method.yaml is not theirs; how its trials train, from which another may follow, is."""

    def parts(**changes: Any) -> set[str]:
        plan = planned(methods=["dapt"], **changes)
        return {part.fingerprint for job in plan.prepares for part in job.parts}

    before = parts()
    use.edit("methods/dapt/method.yaml", "lr: 2.0e-3", "lr: 3.0e-3")(local_project)
    assert parts() == before
    assert before.isdisjoint(parts(train={"steps": 7}))


def test_without_meta_dev_no_target_gives_more_examples_than_its_smallest_cell_has(local_project: Path) -> None:
    for job in of_preparations(planned(tasks={"wikiann": TASK | {"domains": NO_DEV}})).values():
        assert job.held_out
        assert {place.domain for place in job.places} == {"nl", "pt"}
        assert job.budgets == [10]


def test_a_search_that_is_asked_for_begins_where_the_runs_cells_begin(local_project: Path) -> None:
    whole = planned(seeds=list(SEEDS), methods=["multitask"])
    asked = Namespace(configfile=use.CONFIG, budget=[16], seeds=len(SEEDS))
    plan = tuning_plan(asked, whole, methods()["multitask"], "wikiann")
    (job,) = (job for job in plan.tunes if job.reaches)
    assert {place.checkpoint for place in job.places} == {cell.checkpoint for cell in whole.cells()}
    assert of_preparations(plan)["multitask"].done == of_preparations(whole)["multitask"].done


def test_a_variant_prepares_at_the_rates_of_its_method(local_project: Path) -> None:
    plan = planned(methods=["primed_adapter"], variants={"primed_adapter": {"bottleneck": [8, 64]}})
    (search,) = of_preparations(plan).values()
    assert len({job.done for job in plan.prepares if {part.seed for part in job.parts} == {0}}) == len(plan.blocks) == 3
    assert plan.takers(search) == [block.method for block in plan.blocks]


def test_its_cost_is_bounded_however_many_domains_there_are(local_project: Path) -> None:
    targets = dict.fromkeys(["nl", "pt", "de", "es", "fr"], "meta_test")
    plan = planned(tasks={"wikiann": TASK | {"domains": {"en": "meta_train"} | targets}}, methods=["dapt"])
    (job,) = of_preparations(plan).values()
    assert job.prepare is not None
    assert len({place.domain for place in job.places}) == DOMAINS_AT_MOST
    assert len(job.prepare.parts) == DOMAINS_AT_MOST * len(SEEDS)


def test_a_saved_plan_is_read_back_as_it_was(local_project: Path) -> None:
    plan = planned()
    plan.save()
    assert load_plan(plan.path) == plan


def test_plan_and_status_know_what_it_costs(local_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = planned(methods=["dapt"])
    (job,) = of_preparations(plan).values()
    estimates = Estimates(plan)
    assert job.prepare is not None
    assert job.rates_from is not None
    alike = estimates.search(plan.with_done(job.rates_from))
    prepared = TRIALS * len(SEEDS) * SHARE * estimates.preparation(plan.prepares[0], 1)
    assert alike < estimates.search(job) < 1.1 * (alike + prepared)
    names = {its.name for its in jobs_of(plan).values()}
    assert {f"tune wikiann preparation dapt k={AFTER}", f"tune wikiann dapt unprepared k={AFTER}"} <= names
    assert main(["plan", "--configfile", use.CONFIG]) == 0
    (line,) = (its for its in capsys.readouterr().out.splitlines() if " preparation dapt " in its)
    assert line.split()[4] == str(TRIALS * len(SEEDS))


def test_show_says_for_whom_a_preparation_is_searched(local_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned()
    assert main(["tune", "--configfile", use.CONFIG, "--method", "finetuned_adapter", "--show"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    place = lines.index(f"wikiann preparation multitask k={AFTER}: tried at {AFTER} on it, 0 of {TRIALS} trials so far")
    assert lines[place + 1] == f"{SHARE:.0%} of its steps, then multitask; for multitask, finetuned_adapter"
