"""What a processor does to the tables: a configuration or a cut of it, under several instruction sets.

Libraries choose their code by what the processor can do, and each code rounds in an order of its own. The variables
below have them take it for another processor; the harness pins them (harness/base/arithmetic.py), so that nothing is
to move, unless `--unpinned` has it leave them alone. MKL goes by the vendor too, which no variable changes: under
`intel` it takes one of AMD's processors for one of Intel's. Each run has an output, preparations and a server of its
own, so that nothing is shared but pinned backbones. The boards of each are then set beside those of the machine's own:
every mean over domains and seeds is to move by less than half of its interval's half-width, and no tie group is to
change. Prints every mean with its moves, and exits with 1 where that does not hold. A run that was ended goes on.

    python benchmarks/instruction_sets.py [--configfile config/default.yaml] [--tasks wikiann ...] [--methods lora ...]
        [--budgets 16 64 ...] [--seeds 0 1 ...] [--sets default avx2 intel ...] [--unpinned]
"""

from __future__ import annotations

import argparse
import atexit
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.adapt.record import RECORD
from harness.base.arithmetic import OWN as UNPINNED
from harness.base.errors import UserError
from harness.base.files import read_json, write_text
from harness.base.progress import say
from harness.base.run_server import RUN, SERVER
from harness.cli.columns import aligned
from harness.contracts.config import DEFAULT
from harness.contracts.model import one_of
from harness.plan.entry import make_plan
from harness.record.folder import RunFolder
from harness.table.markdown import number, with_interval
from harness.table.run_changes import changed_groups

OWN = "own"
# ATen computes elements, oneDNN some functions, and MKL the products of matrices: the first of its two variables is
# heard on Intel's processors alone, the second on all.
SETS: dict[str, dict[str, str]] = {
    OWN: {},
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "COMPATIBLE",
    },
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "products": {"MKL_CBWR": "COMPATIBLE"},  # the machine's own but for the products of matrices
}
# MKL has code of its own for AMD's processors, and asks three functions: is it one of Intel's, is Intel's code to be
# used, is it one of AMD's with AVX2. A library that is loaded before it answers in their place.
INTEL = "intel"
ANSWERS = {"mkl_serv_intel_cpu_true": 1, "mkl_serv_intel_cpu": 1, "mkl_serv_cpuiszen": 0}
NAMES = [*SETS, INTEL]
BAR = 0.5  # of the interval's half-width
LARGEST = 10  # moves that are told apart from the table
PROBE = """
import torch, zlib
from torch.nn.functional import gelu, layer_norm
torch.manual_seed(0)
x, w = torch.randn(64, 96, 128), torch.randn(128, 128)
found = x @ w, x @ x.mT, x.sum(1), x.exp(), x.softmax(-1), gelu(x), layer_norm(x, (128,))
print(torch.backends.cpu.get_cpu_capability(), *(f"{zlib.crc32(its.contiguous().numpy()):08x}" for its in found))
"""
PINNED = f"import harness\n{PROBE}"  # as a run computes
Row = tuple[str, str, str]  # task, budget, method
Mean = tuple[float, float, float]  # with the ends of its interval


@dataclass(frozen=True)
class Move:
    """A board's mean under the machine's own instruction set, and under another."""

    scale: str  # of the metric
    own: Mean | None  # None where it has a hole, or no interval
    other: float | None

    @property
    def halves(self) -> float:
        """How far the mean moves, in half-widths of its interval; infinite where one of the two has a hole alone.

        On the metric's scale; the end that is farther from the mean counts, for the other may be one that no score
        can go beyond.
        """
        if self.own is None or self.other is None:
            return 0.0 if self.own is self.other else math.inf
        scaled = math.log if self.scale == "log_ratio" else float
        mean, low, high = map(scaled, self.own)
        moved, half = scaled(self.other) - mean, max(mean - low, high - mean)
        return moved / half if half else math.copysign(math.inf, moved) if moved else 0.0

    @property
    def holds(self) -> bool:
        """Whether it is less than what is allowed."""
        return abs(self.halves) < BAR


def environment(name: str) -> dict[str, str]:
    """This process's variables as a run under an instruction set has them, and no server but the run's own."""
    without = {variable for its in SETS.values() for variable in its} | {SERVER, RUN}
    kept = {variable: value for variable, value in os.environ.items() if variable not in without}
    return kept | (as_intel() if name == INTEL else SETS[name])


@cache
def as_intel() -> dict[str, str]:
    """The variable that has MKL compute as on Intel's processors; raises UserError where there is no C compiler."""
    folder = Path(tempfile.mkdtemp(prefix="headstart-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # not before, for runs read it
    source, library = folder / "intel.c", folder / "intel.so"
    source.write_text("".join(f"int {name}(void) {{ return {answer}; }}\n" for name, answer in ANSWERS.items()))
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"--sets {INTEL}: cc makes no {library} ({error}); install a C compiler") from None
    return {"LD_PRELOAD": str(library)}


def probe(name: str) -> str:
    """What ATen takes the processor for in a run, and digests of what a few functions make of the same numbers."""
    done = subprocess.run([sys.executable, "-c", PINNED], env=environment(name), check=True, capture_output=True)
    return done.stdout.decode().strip()


def differing() -> list[str]:
    """The instruction sets under which this machine computes as under none before them, and neither as its own.

    Raises UserError where there are none.
    """
    first: dict[str, str] = {}
    for name in NAMES:
        before = first.setdefault(probe(name), name)
        say(f"{name}: {_in_words(name)}" + (f"; computes here as {before} does" if before != name else ""))
    found = [name for name in first.values() if name != OWN]
    if not found:
        raise UserError("--sets: none computes here otherwise than the machine's own; name those that are to run")
    return found


def _in_words(name: str) -> str:
    if name == INTEL:
        return "MKL's code for the processors of Intel"
    return " ".join(f"{variable}={value}" for variable, value in SETS[name].items()) or "as the processor is"


def cut(options: argparse.Namespace) -> dict[str, Any]:
    """The configuration with the tasks, methods, budgets and seeds asked for. Raises UserError as a plan does."""
    content = make_plan(options.configfile).config
    for task in options.tasks or ():
        one_of(task, list(content["tasks"]), options.configfile, "--tasks")
    asked = {"methods": options.methods, "budgets": options.budgets}
    changes = {field: value for field, value in asked.items() if value}
    runs = {task: content["tasks"][task] | changes for task in options.tasks or content["tasks"]}
    return content | {"tasks": runs, "claims": []} | ({"seeds": options.seeds} if options.seeds else {})


def run_under(
    name: str, variables: Mapping[str, str], content: Mapping[str, Any], folder: Path, cores: str
) -> RunFolder:
    """Run a configuration with an instruction set's variables. Raises UserError where the run does not end well."""
    output, file, log = folder / name, folder / f"{name}.yaml", folder / f"{name}.log"
    write_text(file, yaml.safe_dump({**content, "output": str(output)}, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--configfile", str(file)]
    begin = time.monotonic()
    with log.open("ab") as stream:
        status = subprocess.call(command, env=variables, stdout=stream, stderr=stream)
    if status:
        raise UserError(f"{log}: the run under {name} ended with {status}; mend what it says last and start again")
    say(f"ran under {name} in {time.monotonic() - begin:.0f} s")
    return RunFolder.read(output)


def moves(own: RunFolder, others: Mapping[str, RunFolder]) -> dict[Row, dict[str, Move]]:
    """Every row of the own boards with its move under each of the other instruction sets."""
    found, its = _board_rows(own), {name: _board_rows(folder) for name, folder in others.items()}
    return {
        row: {
            name: Move(line["scale"], _mean(line), _number(rows[row]["mean"]) if row in rows else None)
            for name, rows in its.items()
        }
        for row, line in found.items()
    }


def _board_rows(folder: RunFolder) -> dict[Row, dict[str, str]]:
    rows = [(file.stem, line) for file in folder.boards for line in folder.rows_of(file)]
    return {(task, line["budget"], line["method"]): line for task, line in rows}


def _mean(line: Mapping[str, str]) -> Mean | None:
    mean, low, high = (_number(line[name]) for name in ("mean", "low", "high"))
    return None if mean is None or low is None or high is None else (mean, low, high)


def _number(text: str) -> float | None:
    return float(text) if text else None


def cells_moved(own: RunFolder, other: RunFolder) -> tuple[int, int]:
    """How many cells have another score than under the own instruction set, and how many there are."""
    place = ["task", "method", "domain", "budget", "seed"]
    scores = [its.records[its.records.primary.astype(bool)].set_index(place).score for its in (own, other)]
    return int((scores[0] != scores[1].reindex(scores[0].index)).sum()), len(scores[0])


def losses_moved(own: RunFolder, other: RunFolder) -> int:
    """How many cells ended their training with another loss: that the variables are heard, where scores hide it."""
    found = [_losses(folder.folder) for folder in (own, other)]
    return sum(loss != found[1].get(name) for name, loss in found[0].items())


def _losses(output: Path) -> dict[str, float | None]:
    files = sorted(output.glob(f"cells/*/*/*/{RECORD}"))
    return {str(file.relative_to(output)): read_json(file)["costs"].get("last_loss") for file in files}


def page(own: RunFolder, others: Mapping[str, RunFolder]) -> tuple[str, bool]:
    """What moved, for a reader, and whether all is as it has to be."""
    found, lines, holds = moves(own, others), list[str](), True
    for name, folder in others.items():
        its = {row: by_set[name] for row, by_set in found.items()}
        beyond, groups = sum(not move.holds for move in its.values()), changed_groups(own, folder) or []
        holds = holds and not beyond and not groups
        scores, cells = cells_moved(own, folder)
        lines += [
            f"under {name} {scores} of {cells} cells have another score, "
            f"{losses_moved(own, folder)} another last loss; {beyond} of {len(its)} means move by {BAR:g} of their "
            f"interval's half-width or more; {len(groups)} tie groups change",
            *(f"  {group}" for group in groups),
            "  largest moves, in half-widths: " + ", ".join(_largest(its)),
        ]
    head = ("task", "k", "method", "own, 95% interval", *(word for name in others for word in (name, "moves")))
    rows = [(*row, *_told(by_set)) for row, by_set in found.items()]
    right = [1, *range(3, len(head))]
    return "\n".join([*lines, "", *aligned([head, *rows], right=right)]), holds


def _largest(its: Mapping[Row, Move]) -> list[str]:
    ordered = sorted(its, key=lambda row: -abs(its[row].halves))[:LARGEST]
    return [f"{task} k={budget} {method} {its[task, budget, method].halves:+.3f}" for task, budget, method in ordered]


def _told(by_set: Mapping[str, Move]) -> list[str]:
    """A row's mean with its interval, then under each instruction set its mean and its move in half-widths."""
    own = next(iter(by_set.values())).own
    words = [with_interval(*own, digits=2) if own else "–"]
    for move in by_set.values():
        words += ["–" if move.other is None else number(move.other, 2), f"{move.halves:+.3f}"]
    return words


def main() -> int:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", default=DEFAULT)
    said = "the configuration's where absent"
    parser.add_argument("--tasks", nargs="+", help=said)
    parser.add_argument("--methods", nargs="+", help=said)
    parser.add_argument("--budgets", type=int, nargs="+", help=said)
    parser.add_argument("--seeds", type=int, nargs="+", help=f"{said}; at least two")
    parser.add_argument("--sets", nargs="+", choices=NAMES[1:], help="all that compute otherwise where absent")
    parser.add_argument("--unpinned", action="store_true", help="what the harness prevents: the variables are heard")
    parser.add_argument("--cores", default="all")
    parser.add_argument("--folder", type=Path, default=Path("results/instruction-sets"), help="for outputs and logs")
    options = parser.parse_args()
    if options.unpinned:
        os.environ[UNPINNED] = "1"
    try:
        content = cut(options)
        if len(content["seeds"]) < 2:
            raise UserError(f"{options.configfile}: a single seed has no interval; name two or more with --seeds")
        variables = {name: environment(name) for name in [OWN, *(options.sets or differing())]}  # all before any run
        ran = {name: run_under(name, its, content, options.folder, options.cores) for name, its in variables.items()}
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    written, holds = page(ran.pop(OWN), ran)
    print(written)
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
