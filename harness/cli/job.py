"""One job of the DAG: `python -m harness.cli.job RULE PLAN TARGET`, as the Snakefile calls it."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.base.errors import UserError
from harness.contracts.plan import load_plan
from harness.plan.entry import note_refusal
from harness.plan.jobs import JOBS, end_with_parent, score


def main() -> int:
    """Run one job; a user's mistake is one sentence and exit code 2."""
    rule, plan_file, target = sys.argv[1:]
    end_with_parent()
    plan = load_plan(Path(plan_file))
    try:
        if rule == "score":
            score(plan, target)
        else:
            JOBS[rule](plan, plan.with_done(target))
    except UserError as error:
        note_refusal(plan, str(error))
        print(f"headstart: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
