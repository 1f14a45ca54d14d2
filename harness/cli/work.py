"""What a job of the DAG does, in whichever process it is done."""

from __future__ import annotations

from pathlib import Path

from harness.base.disk import refused_by_system
from harness.base.errors import UserError
from harness.base.progress import say
from harness.contracts.folders import include
from harness.contracts.plan_file import load_plan
from harness.plan.entry import note_refusal
from harness.plan.jobs import JOBS, score


def work(rule: str, plan_file: str, target: str = "") -> int:
    """Do a rule's job for a target; a user's mistake is one sentence and exit code 2."""
    plan = load_plan(Path(plan_file))
    include(plan.config["include"])
    try:
        if rule == "score":
            score(plan, target)
        elif rule in JOBS:
            JOBS[rule](plan, plan.with_done(target))
        else:
            from harness.cli.report import report  # pandas, which no job needs

            return report(plan, rule)
    except UserError as error:
        note_refusal(plan, str(error))
        say(f"headstart: {error}")
        return 2
    except OSError as error:
        if (told := refused_by_system(error)) is None:
            raise
        note_refusal(plan, told)
        say(f"headstart: {told}")
        return 2
    return 0
