"""What records say of claims: every kind, every reason for none, and what the answer leaves behind."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.contracts.claim import Claim, Effect, On, Place
from harness.contracts.paper import PaperSpec, Setting
from harness.contracts.papers import papers
from harness.contracts.plan import BackboneJob, DataJob, Plan
from harness.contracts.reported import Reported
from harness.paper.answers import BELOW_CONTROL, ONE_BACKBONE, UNEQUAL, Answer, answer_paper
from harness.paper.claims import to_row, told, write_claims
from harness.paper.effects import contradiction, reported_effects, shown_effect
from harness.paper.evidence import Evidence
from harness.paper.foresight import at_seeds, foresee
from harness.plan.papers import planned_papers
from harness.table.pivot import pivot
from tests import project as use
from tests.unit.made_records import made_plan, made_records

LEVELS = {"alpha": 2.5, "beta": 0.5, "gamma": 0.45, "zero": -1.0}
METHODS = {"alpha": "Alpha", "beta": "Beta", "gamma": "Gamma", "zero": "Zero-shot"}


def claim(**changes: Any) -> Claim:
    base: dict[str, Any] = {
        "says": "Alpha beats beta.",
        "where": Place(place="Table 1", status="seen"),
        "kind": "better",
        "methods": ["alpha", "beta"],
        "on": On(task="ner", metric="f1"),
        "scale": "difference",
        "smallest": 1.0,
        "why": "we say so",
    }
    return Claim(**base | changes)


def paper(*claims: Claim, reported: tuple[Reported, ...] = ()) -> PaperSpec:
    named = {f"c{number}": its for number, its in enumerate(claims)}
    return PaperSpec(title="P", citation="C", claims=named, reported=list(reported))


def number(row: str, value: float, metric: str = "f1", column: str = "mean") -> Reported:
    return Reported(table="t", row=row, column=column, metric=metric, value=value, mark="own", source="T")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return made_plan("out", methods=METHODS, seeds=[0, 1, 2, 3, 4])


@pytest.fixture(scope="module")
def records(plan: Plan) -> pd.DataFrame:
    return made_records(plan, LEVELS)


def answers(plan: Plan, records: pd.DataFrame, *claims: Claim) -> list[Answer]:
    return answer_paper(Evidence(plan, records), "p", paper(*claims))


def test_an_answer_is_by_the_seeds_means(plan: Plan, records: pd.DataFrame) -> None:
    (found,) = answers(plan, records, claim())
    assert found.verdict == "supported"
    mine = records[(records.task == "ner") & records.primary]
    means = {name: its.groupby("seed").score.mean().astype(float) for name, its in mine.groupby("method")}
    each = (means["alpha"] - means["beta"]).to_numpy()
    part = found.parts[0]
    assert part.estimate == pytest.approx(each.mean())
    assert part.low is not None
    assert part.low < part.estimate < (part.high or 0)
    assert set(part.domains) == {"nl", "fi"}
    assert np.mean([value for value, _, _ in part.domains.values()]) == pytest.approx(part.estimate)
    assert found.largest is not None
    assert found.largest[0] >= max(value for value, _, _ in part.domains.values()) - 1e-9
    assert (found.setting, found.certainty) == ("embedded", 1 if (part.high or 0) - part.low <= 2 else 0)


def test_the_reverse_is_contradicted_and_what_is_alike_is_not_worse(plan: Plan, records: pd.DataFrame) -> None:
    reverse, alike, same = answers(
        plan,
        records,
        claim(methods=["beta", "alpha"]),
        claim(kind="not_worse", methods=["beta", "gamma"], smallest=15.0),
        claim(kind="equal", methods=["beta", "gamma"], smallest=15.0),
    )
    worse, apart = answers(
        plan, records, claim(kind="not_worse", methods=["beta", "alpha"]), claim(kind="equal", family="other")
    )
    assert (worse.verdict, worse.reason) == ("contradicted", "worse by more than the margin")
    assert (apart.verdict, apart.reason) == ("contradicted", "they differ by more than the margin")
    assert (reverse.verdict, reverse.reason) == ("contradicted", "reversed")
    assert (alike.verdict, same.verdict) == ("supported", "supported")


def test_perplexities_compare_as_ratios(plan: Plan, records: pd.DataFrame) -> None:
    on = On(task="lm", metric="perplexity")
    (found,) = answers(plan, records, claim(on=on, scale="log_ratio", smallest=0.02))
    mine = records[(records.task == "lm") & records.primary]
    logs = {name: float(np.log(its.score.astype(float)).mean()) for name, its in mine.groupby("method")}
    assert found.parts[0].estimate == pytest.approx(logs["beta"] - logs["alpha"])
    assert found.verdict == "supported"


def test_an_order_is_as_weak_as_its_weakest_pair(plan: Plan, records: pd.DataFrame) -> None:
    (found,) = answers(plan, records, claim(kind="order", methods=["alpha", "beta", "gamma"]))
    assert found.verdict == "inconclusive"
    assert [part.label for part in found.parts] == ["beta over gamma", "alpha over beta"]
    assert found.p_for == found.parts[0].p_for
    assert "seeds would show 1" in found.reason or "no number of seeds" in found.reason
    (found,) = answers(plan, records, claim(kind="order", methods=["alpha", ["beta", "gamma"], "zero"]))
    assert found.verdict == "supported"
    assert len(found.parts) == 4


def test_a_row_says_the_power_of_the_pair_that_is_hardest_to_see(plan: Plan, records: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    noisy = records.assign(score=records.score.astype(float))
    noisy.loc[noisy.method == "alpha", "score"] += rng.normal(0, 3, int((noisy.method == "alpha").sum()))
    (found,) = answers(plan, noisy, claim(kind="order", methods=["alpha", "beta", "gamma"]))
    weakest, hardest = found.parts
    assert found.verdict == "inconclusive"
    assert (weakest.label, hardest.label) == ("beta over gamma", "alpha over beta")
    row = to_row(found)
    assert (row["difference"], row["effect"]) == (weakest.label, weakest.estimate)
    assert (row["power"], row["seeds_needed"]) == (hardest.power, hardest.seeds_needed)
    assert shown_effect(found.claim, hardest.detectable) in found.reason


def test_an_interaction_is_a_difference_of_differences(plan: Plan, records: pd.DataFrame) -> None:
    (found,) = answers(plan, records, claim(kind="interaction"))
    mine = records[(records.task == "ner") & records.primary]
    mean = mine.groupby(["method", "budget"]).score.apply(lambda its: its.astype(float).mean())
    lead = {budget: mean["alpha", budget] - mean["beta", budget] for budget in (8, 32)}
    assert found.parts[0].estimate == pytest.approx(lead[8] - lead[32])


def test_a_trend_is_a_slope_over_doublings(records: pd.DataFrame, plan: Plan) -> None:
    (found,) = answers(plan, records, claim(kind="trend", methods=["alpha"], option="budget", smallest=0.1))
    mine = records[(records.task == "ner") & records.primary & (records.method == "alpha")]
    mean = mine.groupby("budget").score.apply(lambda its: its.astype(float).mean())
    assert found.parts[0].estimate == pytest.approx((mean[32] - mean[8]) / 2)
    names = {"alpha": "A", **{f"alpha@rank={rank}": f"A {rank}" for rank in (1, 2, 4)}}
    several = made_plan("out", methods=names)
    levels = {f"alpha@rank={rank}": rank / 2 for rank in (1, 2, 4)}
    (found,) = answers(
        several, made_records(several, levels), claim(kind="trend", methods=["alpha"], option="rank", smallest=0.1)
    )
    assert found.verdict == "supported"
    assert found.parts[0].label == "alpha, for each doubling of rank"
    (found,) = answers(several, made_records(several), claim(kind="trend", methods=["alpha"], option="width"))
    assert found.obstacle == "no method"


def test_a_cost_is_a_ratio(plan: Plan, records: pd.DataFrame) -> None:
    dear = records.copy()
    dear.loc[dear.method == "beta", "adaptation_seconds"] *= 2
    cheap = claim(kind="cost", costs=["adaptation_seconds"], scale="log_ratio", smallest=0.1)
    (found,) = answers(plan, dear, cheap)
    assert found.verdict == "supported"
    assert found.parts[0].estimate == pytest.approx(math.log(2))
    (found,) = answers(plan, records.assign(adaptation_seconds=None), cheap)
    assert found.obstacle == "missing cells"


HOLES = {("ner", "beta", "fi", 8, 1): "error"}
NOT_RUN = [
    (claim(on=On(task="persona", metric="f1")), {}, "no task", "persona"),
    (claim(on=On(task="ner", metric="accuracy")), {}, "no data", "scored by f1"),
    (claim(methods=["alpha", "delta"]), {}, "no method", "delta"),
    (claim(on=On(task="ner", metric="f1", budgets=[64])), {}, "no data", "budget 64"),
    (claim(on=On(task="ner", metric="f1", domains=["xx"])), {}, "no data", "domain xx"),
    (claim(), HOLES, "failed", "1 of 40 cells have no score: error"),
    (claim(), {("ner", "beta", "fi", 8, 1): "missing"}, "missing cells", "1 of 40"),
    (claim(kind="trend", methods=["alpha"], option="rank", backbones=2), {}, "one backbone", "2 backbones"),
    (claim(kind="number", methods=["alpha"]), {}, "setting", "embedded"),
]


@pytest.mark.parametrize(("its", "holes", "obstacle", "words"), NOT_RUN, ids=lambda value: str(value)[:20])
def test_what_is_not_run_says_why(its: Claim, holes: Any, obstacle: str, words: str, plan: Plan) -> None:
    (found,) = answers(plan, made_records(plan, LEVELS, holes), its)
    assert (found.verdict, found.obstacle) == ("not run", obstacle)
    assert words in found.reason


def test_what_leaks_or_is_not_matched_is_not_run(plan: Plan, records: pd.DataFrame) -> None:
    on = On(task="lm", metric="perplexity")
    lm = claim(on=on, scale="log_ratio")
    leaking = records.assign(leaks=records.method == "alpha")
    assert answers(plan, leaking, lm)[0].obstacle == "leaks"
    shares = records.assign(trained_share=records.method.map({"alpha": 0.01, "beta": 0.02}))
    needs = {"needs": {"matched": ["share"]}}
    assert answers(plan, shares, claim(**needs))[0].obstacle == "unmatched"
    assert answers(plan, records, claim(**needs))[0].obstacle == ""
    blocks = [replace(block, train={"steps": 5 if block.method == "alpha" else 6}) for block in plan.blocks]
    other = replace(plan, blocks=blocks)
    assert answers(other, records, claim(needs={"matched": ["steps"]}))[0].obstacle == "unmatched"


def test_what_is_not_above_the_control_supports_nothing(plan: Plan) -> None:
    records = made_records(plan, LEVELS | {"zero": 4.0})
    (found,) = answers(plan, records, claim())
    assert (found.verdict, found.reason) == ("inconclusive", BELOW_CONTROL)


def test_unequal_tuning_takes_the_point_of_the_one_backbone(plan: Plan, records: pd.DataFrame) -> None:
    evidence = Evidence(plan, records)
    evidence.scores("ner").untuned.clear()
    (alike,) = answer_paper(evidence, "p", paper(claim()))
    evidence.scores("ner").untuned["alpha"] = ["adaptation"]
    (unequal,) = answer_paper(evidence, "p", paper(claim()))
    assert (alike.lost[-1], unequal.lost[-1]) == (ONE_BACKBONE, f"{UNEQUAL}, and {ONE_BACKBONE}")
    assert alike.certainty == unequal.certainty


def test_a_family_is_corrected_together(plan: Plan, records: pd.DataFrame) -> None:
    alone = answers(plan, records, claim())[0].p_for or 0
    both = answers(plan, records, claim(), claim(methods=["alpha", "gamma"]))
    apart = answers(plan, records, claim(), claim(methods=["alpha", "gamma"], family="other"))
    smallest = min(its.parts[0].p_for or 0 for its in both)
    assert min(its.p_for or 0 for its in both) == pytest.approx(2 * smallest)
    assert apart[0].p_for == alone


def test_a_single_seed_is_inconclusive_and_says_so() -> None:
    plan = made_plan("out", methods=METHODS, seeds=[0])
    (found,) = answers(plan, made_records(plan, LEVELS), claim())
    assert found.verdict == "inconclusive"
    assert "single seed" in found.reason
    assert found.parts[0].low is None


@pytest.mark.parametrize(("reported", "verdict"), [(0.0, "supported"), (40.0, "contradicted")])
def test_a_number_is_in_the_prediction_interval(reported: float, verdict: str) -> None:
    plan = made_plan("out", methods=METHODS, source="hub", seeds=[0, 1, 2])
    job = DataJob("ner", "hub", {"nl": "meta_test", "fi": "meta_test"}, {}, [8, 32], "refuse", "")
    plan = replace(plan, data=[job], backbones=[BackboneJob("tiny", {"id": "their/bert"}, "", "", {})])
    records = made_records(plan, LEVELS)
    mine = records[(records.task == "ner") & records.primary & (records.method == "alpha")]
    value = float(mine.score.astype(float).mean()) - reported
    its = claim(kind="number", methods=["alpha"], reported=[Effect(table="t", row="A", column="mean")])
    spec = paper(its, reported=(number("A", value),))
    setting = Setting(backbone=["their/bert"], data="D", metric="f1", test_examples={"nl": 40, "fi": 40})
    (found,) = answer_paper(Evidence(plan, records), "p", spec.model_copy(update={"settings": {"t": setting}}))
    assert found.verdict == verdict


def test_the_papers_own_cells_are_held_against_a_claim() -> None:
    effect = Effect(table="t", more="A", less="B", column="mean")
    numbers = (number("A", 50.0), number("B", 49.0))
    good = claim(reported=[effect], smallest=0.5)
    assert reported_effects(paper(good, reported=numbers), good) == [1.0]
    assert contradiction(paper(good, reported=numbers), good) is None
    for its, words in (
        (claim(reported=[effect], smallest=2.0), "`smallest` is 2"),
        (claim(reported=[Effect(table="t", more="B", less="A", column="mean")]), "exchange `more` and `less`"),
        (claim(reported=[effect], kind="equal", smallest=0.5), "more than the margin"),
    ):
        assert words in (contradiction(paper(its, reported=numbers), its) or "")
    ratio = claim(reported=[effect], scale="log_ratio", smallest=0.01)
    lower = (number("A", 20.0, "perplexity"), number("B", 22.0, "perplexity"))
    assert reported_effects(paper(ratio, reported=lower), ratio) == [pytest.approx(math.log(1.1))]
    cost = claim(reported=[effect], kind="cost", costs=["trained_share"], scale="log_ratio", smallest=0.01)
    shares = (number("A", 2.0, "percent"), number("B", 100.0, "percent"))
    assert reported_effects(paper(cost, reported=shares), cost) == [pytest.approx(math.log(50))]


def test_no_claim_of_the_project_is_contradicted_by_its_paper() -> None:
    found = papers(use.ROOT)
    told = [contradiction(spec, its) for spec in found.values() for its in spec.claims.values()]
    assert not any(told)
    spec = found["hou2022-mltd"]
    effects = {name: [round(one, 3) for one in reported_effects(spec, its)] for name, its in spec.claims.items()}
    assert effects["pretrain_then_maml"] == [0.018, 0.215]
    assert effects["tarp_not_worse_than_whole"] == [0.012]
    assert effects["meta_beats_multitask"] == [0.61]
    assert effects["tams_adds_summaries"] == [0.58]
    assert effects["low_data_advantage"] == [0.058]


def test_files_are_written_alike_twice_and_told(tmp_path: Path, records: pd.DataFrame, plan: Plan) -> None:
    whole = replace(plan, output=str(tmp_path), papers=planned_papers(papers()))
    written = []
    for _ in range(2):
        write_claims(whole, records)
        written.append([(tmp_path / "papers" / name).read_bytes() for name in whole.claim_files])
    assert written[0] == written[1]
    found = json.loads((tmp_path / "papers" / "hou2022-mltd" / "claims.json").read_text())
    assert {its["verdict"] for its in found} == {"not run"}
    (one,) = answers(plan, records, claim())
    for word in ("supported", "alpha over beta", "nl:", "power for", "certainty", "cells: alpha, beta on ner"):
        assert word in told(one)


def test_power_shrinks_the_seeds_part_alone(plan: Plan, records: pd.DataFrame) -> None:
    evidence = Evidence(plan, records)
    sample = evidence.scores("ner").sample("alpha", [8, 32])
    assert sample is not None
    its = pivot(sample)
    assert its is not None
    then = at_seeds(its, 10)
    assert (float(then.seed_part), float(then.other_part)) == (float(its.seed_part) / 2, float(its.other_part))
    few, many = (made_plan("out", methods=METHODS, seeds=list(range(count))) for count in (3, 10))
    spec = {"p": paper(claim(), claim(on=On(task="persona", metric="f1")))}
    seen = [foresee(later, evidence, spec) for later in (few, many)]
    assert (seen[0][0].detectable or 0) > (seen[1][0].detectable or 0) > 0
    assert (seen[0][0].power or 0) <= (seen[1][0].power or 0)
    assert "persona" in seen[0][1].why
