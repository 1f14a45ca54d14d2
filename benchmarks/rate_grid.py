"""Whether a search finds about the best rate: its choice beside a grid, on the same examples with the same seeds.

Every rate is a trial of the search (harness/tune/trials.py), so both train and score alike; a rate that the search
tries too is run once. Trials that stand are read, so a run that was ended goes on. Prints the search's trials, the
grid's, and how far the choice is below the best of the grid; exits with 1 where that is more than --within.

    HEADSTART_MODELS=... HEADSTART_DATA=... python benchmarks/rate_grid.py [--configfile benchmarks/rate_grid.yaml]
"""

from __future__ import annotations

import argparse
import sys
from math import log10
from pathlib import Path

from harness.base.errors import UserError
from harness.base.files import read_json
from harness.base.progress import say
from harness.cli.run import make_inputs
from harness.contracts.plan import Plan, TuneJob
from harness.plan.entry import make_plan, recheck, take_lock
from harness.tune.trials import Trials

CONFIG = "benchmarks/rate_grid.yaml"


def grid(low: float, high: float, points: int) -> list[float]:
    """So many rates evenly on a logarithmic scale, with three digits as a search has them."""
    step = (log10(high) - log10(low)) / (points - 1)
    return [float(f"{10 ** (log10(low) + place * step):.3g}") for place in range(points)]


def run_grid(plan: Plan, job: TuneJob, rates: list[float]) -> dict[float, float | None]:
    """The score of each rate as the search would have it; None where it failed."""
    trials, found = Trials(plan, job), {}
    for rate in rates:
        found[rate] = trials.score((rate,))
        say(f"[{len(found)}/{len(rates)}] grid: {rate:g}: {told(found[rate])} ({trials.seconds:.0f} s in all)")
    return found


def told(score: float | None) -> str:
    """A score for a person."""
    return "failed" if score is None else f"{score:.2f}"


def page(plan: Plan, job: TuneJob, scores: dict[float, float | None]) -> tuple[str, float]:
    """What the search and the grid found, and by how much the grid's best is better than the search's choice."""
    note, task = read_json(Path(job.done)), plan.tasks[job.task]
    (name,) = (line.name for line in job.lines)
    searched = {trial["rates"][name]: trial["score"] for trial in note["trials"]}
    sign = 1.0 if task.direction == "max" else -1.0
    standing = {rate: sign * score for rate, score in scores.items() if score is not None}
    chosen, best = note["train"][name], max(standing, key=lambda rate: standing[rate])
    behind = standing[best] - sign * searched[chosen]
    lines = [f"{job.task} {job.method}, k={job.budgets}, {task.metric} on {note['domains']}, seeds {note['seeds']}"]
    for whose, its in (("search", searched), ("grid", scores)):
        lines += [f"{whose:<6}  {rate:<9g} {told(score):>7}" for rate, score in its.items()]
    lines.append(f"the search chose {chosen:g} ({told(searched[chosen])})")
    lines.append(f"the best of the grid is {best:g} ({told(scores[best])})")
    lines.append(f"the choice is {behind:.2f} {task.metric} behind")
    return "\n".join(lines), behind


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", default=CONFIG, help="a configuration with one search")
    parser.add_argument("--low", type=float, default=1e-5, help="the smallest rate of the grid")
    parser.add_argument("--high", type=float, default=1e-2, help="the largest")
    parser.add_argument("--points", type=int, default=10, help="how many rates it has")
    parser.add_argument("--within", type=float, default=2.0, help="how far behind the choice may be")
    options = parser.parse_args()
    try:
        plan = make_plan(options.configfile)
        take_lock(plan)
        recheck(plan)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    make_inputs(plan)
    (job,) = plan.tunes
    written, behind = page(plan, job, run_grid(plan, job, grid(options.low, options.high, options.points)))
    print(written)
    return int(behind > options.within)


if __name__ == "__main__":
    sys.exit(main())
