"""Two folders of results compared: what differs beyond its interval, what stands in one alone, and what changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli.main import main
from harness.contracts.plan import Plan
from harness.record.folder import read_table
from harness.record.read import read_records
from harness.record.schema import SCHEMA
from harness.record.trim import LIMIT, make_reference
from harness.score.scale import scaled
from harness.table.leaderboard import write_leaderboards
from harness.table.pivot import Pivot, Sample, holm, pivot
from harness.table.runs import Comparison, Run, compare_runs, run_of
from harness.table.scores import TaskScores
from tests.unit.made_records import MODEL, made_plan, made_records

LEVELS = {"alpha": 2.5, "beta": 1.5, "gamma": 1.4, "zero": -1.0}
SEEDS = [0, 1, 2, 3, 4]
PROVENANCE = {"protocol": 20, "commit": "a" * 40, "packages": {}}


def folder(where: Path, levels: dict[str, float], holes: dict[tuple[str, str, str, int, int], str] | None = None,
           protocol: int = 20, sha: str = "f", vendor: str | None = None, **changes: object) -> Path:  # fmt: skip
    """A folder of a made run: records, boards, answers and a page."""
    plan = made_plan(str(where), **({"seeds": SEEDS} | changes))
    records = made_records(plan, levels, holes)
    records["provenance"] = json.dumps(PROVENANCE | {"protocol": protocol} | ({"vendor": vendor} if vendor else {}))
    records["model"] = json.dumps(MODEL | {"sha256": sha * 64})
    write_leaderboards(plan, records)
    where.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(records, schema=SCHEMA, preserve_index=False), where / "records.parquet")
    return where


def compared(a: Path, b: Path) -> Comparison:
    from harness.record.folder import RunFolder

    return compare_runs(*(run_of(RunFolder.read(name).records) for name in (a, b)))


def answered(where: Path, answer: str) -> None:
    file = where / "papers" / "p" / "claims.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"paper,claim,answer\np,wins,{answer}\np,other,not run\n")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("runs") / "first", LEVELS)


def test_equal_runs_are_the_same(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare-runs", str(first), str(first)]) == 0
    told = capsys.readouterr().out
    assert "16 rows are in both: 16 the same" in told
    assert "warning" not in told
    assert "A alone" not in told
    assert "tie groups that changed: 0" in told


@pytest.mark.parametrize(("by", "verdict"), [(1e-7, "the same"), (1e-5, "differs")])
def test_what_a_processor_rounds_otherwise_is_no_difference(by: float, verdict: str, first: Path) -> None:
    """In every seed alike, so that no interval is too narrow for it."""
    records = read_records(first / "records.parquet")
    rounded = records.assign(score=records.score.where(records.method != "zero", records.score * (1 + by)))
    found = {its.key: its.verdict for its in compare_runs(run_of(records), run_of(rounded)).differences}
    assert {its for (_, _, method), its in found.items() if method == "zero"} == {verdict}
    assert {its for (_, _, method), its in found.items() if method != "zero"} == {"the same"}


def test_a_shifted_method_differs_and_no_other(first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder(tmp_path / "other", LEVELS | {"gamma": 2.6})
    for where, answer in ((first, "supported"), (other, "inconclusive")):
        answered(where, answer)
    assert main(["compare-runs", str(first), str(other)]) == 1
    told = capsys.readouterr().out
    assert {its.key[2] for its in compared(first, other).differing} == {"gamma"}
    assert "p/wins: supported became inconclusive" in told
    assert "p/other" not in told
    assert "became (alpha, gamma)" in told or "(beta, gamma) became" in told
    table = told[told.index("task  ") :].splitlines()
    assert all("gamma" in line for line in table[1:5])  # what differs comes first
    assert all("paired" in line for line in table[1:])


def test_a_difference_is_that_of_the_pivot(first: Path, tmp_path: Path) -> None:
    """The oracle: the samples that boards are made of, read by plan rather than from two files."""
    other = folder(tmp_path / "other", LEVELS | {"gamma": 1.6, "alpha": 2.6})
    found = compared(first, other)
    plan = made_plan("any", seeds=SEEDS)
    scores = [
        {task: TaskScores(plan, read_records(where / "records.parquet"), task) for task in plan.tasks}
        for where in (first, other)
    ]
    p_values = {}
    for its in found.differences:
        task, budget, method = its.key
        a, b = (run[task].sample(method, [budget]) for run in scores)
        assert a is not None
        assert b is not None
        expected = pivot(b - a)
        assert expected is not None
        assert its.estimate == pytest.approx(float(expected.estimate))
        assert its.interval == pytest.approx([float(end) for end in expected.interval()])
        if its.verdict != "the same":
            p_values[its.key] = float(expected.p_value())
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    assert {its.key: its.p_holm for its in found.differences if its.p_holm is not None} == pytest.approx(corrected)


def test_other_examples_are_independent(first: Path, tmp_path: Path) -> None:
    """Their variances add up, and with them the intervals are wider than those of pairs."""
    other = folder(tmp_path / "other", LEVELS, seeds=[5, 6, 7, 8, 9])
    by_key = {its.key: its for its in compared(first, other).differences}
    its = by_key["lm", 8, "beta"]
    assert its.how == "independent"
    assert not compared(first, other).differing
    plan = made_plan("any", seeds=SEEDS)
    one = TaskScores(plan, read_records(first / "records.parquet"), "lm").sample("beta", [8])
    later = replace(plan, **vars(made_plan("any", seeds=[5, 6, 7, 8, 9])))
    two = TaskScores(later, read_records(other / "records.parquet"), "lm").sample("beta", [8])
    assert one is not None
    assert two is not None
    a, b = pivot(one), pivot(two)
    assert a is not None
    assert b is not None
    assert isinstance(its.found, Pivot)
    assert float(its.found.standard_error) == pytest.approx(float(np.hypot(a.standard_error, b.standard_error)))
    paired = pivot(Sample(two.values - one.values, tuple(y - x for x, y in zip(one.others, two.others, strict=True))))
    assert paired is not None
    assert float(its.found.standard_error) > float(paired.standard_error)
    assert float(its.estimate or 0.0) == pytest.approx(two.values.mean() - one.values.mean())
    assert scaled("perplexity", np.exp(one.values)) == pytest.approx(one.values)


@pytest.mark.parametrize("what", ["number", "tokens", "entities"])
def test_the_same_seeds_on_other_examples_are_not_paired(what: str, first: Path) -> None:
    """Other texts are known by how many there are, and by what of them the metric keeps."""
    task = "ner" if what == "entities" else "lm"
    a, b = (run_of(read_records(first / "records.parquet")) for _ in range(2))
    for key, cells in b.cells.items():
        for place, its in cells.items():
            if key[0] == task and its is not None and its.statistics is not None:
                changed = its.statistics.copy()
                changed[0, -1] += 1  # tokens, or entities that were missed
                other = replace(its, examples=41) if what == "number" else replace(its, statistics=changed)
                cells[place] = other
    hows = {its.key[0]: its.how for its in compare_runs(a, b).differences}
    assert hows == {"ner": "paired", "lm": "paired"} | {task: "independent"}


def test_rows_of_one_run_and_holes_are_named(first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = {"alpha": "Alpha", "beta": "Beta", "new": "New"}
    hole = {("ner", "beta", "fi", 8, 1): "error"}
    other = folder(tmp_path / "other", LEVELS, hole, methods=methods)
    assert main(["compare-runs", str(first), str(other)]) == 0
    told = capsys.readouterr().out
    assert "in A alone: 8 rows: ner k=8 gamma, ner k=32 gamma, ner k=8 zero" in told
    assert "in B alone: 4 rows: ner k=8 new" in told
    assert "not compared: B has cells without a score" in told
    assert "7 the same" in told


def test_another_protocol_and_another_backbone_are_told(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder(tmp_path / "other", LEVELS, protocol=21, sha="e")
    main(["compare-runs", str(first), str(other)])
    told = capsys.readouterr().out
    assert "warning: A is of protocol 20, B of 21" in told
    assert "warning: ner has other backbones" in told
    assert "weights ffffffffff" in told
    assert "weights eeeeeeeeee" in told


def test_another_vendor_is_told_where_both_say_theirs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [folder(tmp_path / str(name), LEVELS, vendor=name) for name in ("AuthenticAMD", "GenuineIntel", None)]
    said = []
    for other in runs:
        assert main(["compare-runs", str(runs[0]), str(other)]) == 0
        said.append([line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")])
    amd, (intel,), unknown = said
    assert intel.startswith("warning: A is of a processor of AuthenticAMD, B of GenuineIntel: ")
    assert amd == unknown == []


def test_another_source_is_not_compared(first: Path, tmp_path: Path) -> None:
    other = folder(tmp_path / "other", LEVELS | {"alpha": 9.0}, source="local")
    found = compared(first, other)
    assert {its.verdict for its in found.differences} == {"not compared"}
    assert all("source is embedded, B's local" in its.why for its in found.differences)


def test_a_single_seed_has_no_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (folder(tmp_path / name, LEVELS | {"beta": level}, seeds=[0]) for name, level in (("a", 1.5), ("b", 2.5)))
    assert main(["compare-runs", str(a), str(b)]) == 0
    told = capsys.readouterr().out
    assert "4 no test, 12 the same" in told
    assert "a single seed has no interval" in told


@pytest.mark.parametrize("what", ["absent", "broken", "older", "unlike"])
def test_a_folder_that_cannot_be_compared_is_refused(
    what: str, first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, wanted = tmp_path / "other", "no records"
    other.mkdir()
    if what == "broken":
        (other / "records.parquet").write_text("no parquet")
        wanted = "cannot be read as parquet"
    elif what == "older":
        pq.write_table(read_table(first).drop_columns(["statistics"]), other / "records.parquet")
        wanted = "no column 'statistics'"
    elif what == "unlike":
        folder(other, LEVELS, budgets=[7])
        wanted = "no task, budget and method in common"
    assert main(["compare-runs", str(first), str(other)]) == 2
    told = capsys.readouterr().err
    assert wanted in told
    assert told.count("\n") == 1


def test_a_reference_is_small_and_compares_as_its_run(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(first, "supported")
    target = tmp_path / "reference"
    assert main(["reference", str(first), "--to", str(target)]) == 2
    assert "report.html" in capsys.readouterr().err
    (first / "report.html").write_text("<html></html>")
    assert main(["reference", str(first), "--to", str(target)]) == 0
    kept = {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()}
    assert kept == {
        "records.parquet", "report.html", "papers/p/claims.csv", "leaderboard/overall.csv",
        *(f"leaderboard/{task}.{kind}" for task in ("ner", "lm") for kind in ("csv", "md")),
    }  # fmt: skip
    assert main(["compare-runs", str(target), str(first)]) == 0
    assert "16 the same" in capsys.readouterr().out
    whole, small = read_table(first), read_table(target)
    assert small.schema == whole.schema
    assert small["score"] == whole["score"]
    for kept, its, primary in zip(
        *(t["statistics"].to_pylist() for t in (small, whole)), whole["primary"], strict=True
    ):
        assert (kept is None) == (its is None or not primary.as_py())
        assert kept is None or np.array(kept) == pytest.approx(np.array(its), rel=1e-6)
    assert json.loads(small["provenance"][0].as_py()) == PROVENANCE
    assert (target / "records.parquet").stat().st_size < LIMIT
    assert main(["reference", str(first), "--to", str(target)]) == 2
    assert "it exists" in capsys.readouterr().err
    monkeypatch.setattr("harness.record.trim.LIMIT", 1000)
    assert main(["reference", str(first), "--to", str(tmp_path / "again")]) == 2
    assert "a reference may have 1,000" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_a_run_of_a_version_with_other_columns_compares(first: Path, tmp_path: Path) -> None:
    """A reference in a repository outlives columns that come and go."""
    older = read_table(first).drop_columns(["leaks", "options", "tuning_seconds"])
    (tmp_path / "older").mkdir()
    pq.write_table(older, tmp_path / "older" / "records.parquet")
    (tmp_path / "older" / "report.html").touch()
    assert main(["compare-runs", str(tmp_path / "older"), str(first)]) == 0
    assert main(["reference", str(tmp_path / "older"), "--to", str(tmp_path / "reference")]) == 0


def test_a_traceback_is_trimmed_to_what_was_raised(tmp_path: Path) -> None:
    where = folder(tmp_path / "run", LEVELS, {("ner", "beta", "fi", 8, 1): "error"})
    (where / "report.html").touch()
    table = read_table(where)
    errors = ["Traceback\n  File /a/b.py\nValueError: made" if text else None for text in table["error"].to_pylist()]
    table = table.set_column(table.column_names.index("error"), SCHEMA.field("error"), pa.array(errors, pa.string()))
    pq.write_table(table, where / "records.parquet")
    make_reference(where, tmp_path / "reference")
    kept = read_table(tmp_path / "reference")
    assert set(kept["error"].to_pylist()) == {None, "ValueError: made"}
    assert kept["statistics"].null_count == sum(not primary for primary in table["primary"].to_pylist()) + 1


def test_a_run_knows_its_domains_and_seeds() -> None:
    plan: Plan = made_plan("any", tasks=("ner",))
    run: Run = run_of(made_records(plan, LEVELS))
    assert run.domains(("ner", 8, "alpha")) == ["nl", "fi"]
    assert run.seeds(("ner", 8, "alpha")) == [0, 1, 2]
