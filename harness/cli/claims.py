"""`headstart claim` answers one claim; `headstart power` says what a configuration could see before it is run."""

from __future__ import annotations

from argparse import Namespace

from harness.base.errors import UserError
from harness.cli.columns import aligned
from harness.contracts.model import one_of
from harness.contracts.papers import papers
from harness.plan.entry import include_for, make_plan


def claim(options: Namespace) -> int:
    """Print the answer to one claim over the cells that are done, and the cells that it used."""
    paper, _, name = options.claim.partition("/")
    include_for(options.configfile)
    found = papers()
    one_of(paper, found, "headstart claim", "the paper")
    one_of(name, found[paper].claims, "headstart claim", "the claim")
    plan = make_plan(options.configfile)
    from harness.paper.answers import answer_paper
    from harness.paper.claims import told
    from harness.paper.evidence import Evidence
    from harness.record.collect import collect

    # Not records.parquet, which may be of an earlier plan.
    answers = answer_paper(Evidence(plan, collect(plan)), paper, found[paper])
    print(told(next(answer for answer in answers if answer.name == name)))
    return 0


def power(options: Namespace) -> int:
    """Print for each claim what a configuration could see, from the variances of one that was run."""
    plan, found = make_plan(options.configfile), papers()
    if not any(paper.claims for paper in found.values()):
        raise UserError("papers: no paper has claims; docs/add-a-paper.md says how to write one")
    pilot = make_plan(options.pilot or options.configfile)
    from harness.paper.evidence import Evidence
    from harness.paper.foresight import foresee
    from harness.record.collect import collect

    rows = foresee(plan, Evidence(pilot, collect(pilot)), found)
    head = ("claim", "smallest", "can be seen", "power", "seeds", "seeds needed", "")
    print("\n".join(aligned([head, *(row.words for row in rows)], right=(1, 2, 3, 4, 5))))
    if not any(row.detectable for row in rows):
        print("no claim has cells in several seeds of the pilot; run some first, or name another with --pilot")
    return 0
