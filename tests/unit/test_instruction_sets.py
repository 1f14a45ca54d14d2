"""The benchmark that runs under several instruction sets: what it says of what moved, and what its runs share."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from pathlib import Path
from shutil import which

import pandas as pd
import pytest

from benchmarks.instruction_sets import (
    OWN,
    PROBE,
    SETS,
    Move,
    as_intel,
    cells_moved,
    cut,
    environment,
    losses_moved,
    moves,
    page,
)
from harness.adapt.record import RECORD
from harness.base.arithmetic import AVX2, PROCESSORS
from harness.base.errors import UserError
from harness.base.files import write_json
from harness.base.run_server import RUN, SERVER
from harness.contracts.config import DEFAULT
from harness.plan.entry import make_plan
from harness.record.folder import RunFolder
from harness.table.pivot import pivot
from harness.table.scores import TaskScores
from tests.unit.made_records import made_plan
from tests.unit.test_compare_runs import LEVELS, SEEDS, folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    where = tmp_path_factory.mktemp("sets")
    return RunFolder.read(folder(where / OWN, LEVELS))


def under(where: Path, **levels: float) -> RunFolder:
    """A run under another instruction set, where some methods are a little better or worse."""
    return RunFolder.read(folder(where / "default", LEVELS | levels))


def test_a_run_that_computes_the_same_holds(own: RunFolder, tmp_path: Path) -> None:
    written, holds = page(own, {"default": under(tmp_path)})
    assert holds
    assert "under default 0 of 160 cells have another score, 0 another last loss; 0 of 24 means move" in written
    assert "0 tie groups change" in written


def test_a_mean_moves_in_half_widths_of_its_own_interval(own: RunFolder, tmp_path: Path) -> None:
    """The oracle: the pivot of the samples that boards are made of; a perplexity on its logarithm."""
    other = under(tmp_path, beta=1.6)
    found = moves(own, {"default": other})
    for task in ("ner", "lm"):
        mine, its = (TaskScores(made_plan("any", seeds=SEEDS), run.records, task) for run in (own, other))
        for name, budgets in (("8", [8]), ("32", [32]), ("all", [8, 32])):
            a, b = (scores.sample("beta", budgets) for scores in (mine, its))
            assert a is not None
            assert b is not None
            its_own = pivot(a)
            assert its_own is not None
            low, high = its_own.interval()
            expected = 2 * (b.values.mean() - a.values.mean()) / float(high - low)
            assert expected != 0
            assert found[task, name, "beta"]["default"].halves == pytest.approx(expected, rel=1e-3)
            assert found[task, name, "alpha"]["default"].halves == 0
    moved, every = cells_moved(own, other)
    assert 20 <= moved <= 40 < every == 160  # all perplexities of the method, and what F1 shows of it


def test_a_loss_shows_what_a_score_hides(tmp_path: Path) -> None:
    """F1 is of whole words: that another instruction set is heard is seen before it."""
    for name, loss in ((OWN, 0.25), ("default", 0.2500001)):
        for cell, its in (("a", loss), ("b", 1.0)):
            write_json(tmp_path / name / "cells" / "ner" / "beta" / cell / RECORD, {"costs": {"last_loss": its}})
    own, other = (RunFolder(tmp_path / name, pd.DataFrame()) for name in (OWN, "default"))
    assert (losses_moved(own, other), losses_moved(own, own)) == (1, 0)


def test_a_move_of_half_of_the_half_width_does_not_hold(own: RunFolder, tmp_path: Path) -> None:
    written, holds = page(own, {"default": under(tmp_path, alpha=3.4)})
    assert not holds
    said = next(line for line in written.splitlines() if line.startswith("  largest moves"))
    assert "alpha" in said.split(",")[1]
    assert " 0 of 24 means move" not in written
    assert [Move("difference", (50.0, 46.0, 54.0), other).holds for other in (51.9, 52.0, 48.1, 48.0)] == [1, 0, 1, 0]
    # The end that no score goes beyond does not count: the interval is 4 to each side.
    assert Move("difference", (1.0, 0.0, 5.0), 2.0).halves == pytest.approx(0.25)


def test_a_tie_group_that_changes_does_not_hold(own: RunFolder, tmp_path: Path) -> None:
    other = folder(tmp_path / "default", LEVELS)
    board = other / "leaderboard" / "ner.csv"
    head, first, second, *rest = board.read_text().splitlines()
    group = head.split(",").index("tie_group")
    words = second.split(",")
    words[group] = first.split(",")[group] if words[group] != first.split(",")[group] else "9"
    board.write_text("\n".join([head, first, ",".join(words), *rest]) + "\n")
    written, holds = page(own, {"default": RunFolder.read(other)})
    assert not holds
    assert " 0 of 24 means move" in written
    assert "became" in written


def test_a_hole_does_not_hold(own: RunFolder, tmp_path: Path) -> None:
    holed = RunFolder.read(folder(tmp_path / "default", LEVELS, {("ner", "beta", "fi", 8, 1): "error"}))
    written, holds = page(own, {"default": holed})
    assert not holds
    assert "ner k=8 beta +inf" in written
    assert Move("difference", None, 1.0).halves == math.inf
    assert Move("difference", None, None).holds  # a hole under both
    assert Move("difference", (1.0, 1.0, 1.0), 1.0).holds  # a control that nothing moves
    assert not Move("difference", (1.0, 1.0, 1.0), 1.1).holds


def test_runs_share_no_instruction_set_and_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SERVER, RUN, "ATEN_CPU_CAPABILITY", "MKL_CBWR"):
        monkeypatch.setenv(name, "another's")
    monkeypatch.setenv("KEPT", "1")
    for name, its in SETS.items():
        found = environment(name)
        assert found["KEPT"] == "1"
        assert {key: found[key] for key in its} == its
        assert "another's" not in found.values()


def test_a_configuration_is_whole_or_cut() -> None:
    nothing = {"configfile": DEFAULT, "tasks": None, "methods": None, "budgets": None, "seeds": None}
    whole = make_plan(DEFAULT).config
    assert cut(argparse.Namespace(**nothing)) == whole | {"claims": []}
    asked = {"tasks": ["wikiann"], "methods": ["lora"], "budgets": [16], "seeds": [0, 1]}
    less = cut(argparse.Namespace(**nothing | asked))
    assert less["seeds"] == [0, 1]
    assert less["tasks"] == {"wikiann": whole["tasks"]["wikiann"] | {"methods": ["lora"], "budgets": [16]}}
    with pytest.raises(UserError, match="--tasks"):
        cut(argparse.Namespace(**nothing | {"tasks": ["none"]}))


@pytest.mark.skipif(
    not PROCESSORS.is_file() or "AuthenticAMD" not in PROCESSORS.read_text() or not which("cc"),
    reason="no processor of AMD's, or no C compiler",
)
def test_a_vendor_is_heard_but_where_products_are_compatible() -> None:
    """That docs/footguns.md has a way to the same digits on both vendors' processors."""
    for products, digests in (("AVX2", 2), ("COMPATIBLE", 1)):
        shared = environment(OWN) | AVX2 | {"MKL_CBWR": products}
        found = {
            subprocess.run([sys.executable, "-c", PROBE], env=its, check=True, capture_output=True, text=True).stdout
            for its in (shared, shared | as_intel())
        }
        assert len(found) == digests, products
