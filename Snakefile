"""The DAG: data -> backbone -> prepare -> tune -> adapt -> score -> collect -> tables, figures, boards, papers, report.

A preparation whose rates are searched waits for a `tune` of its own.

A file's name holds the fingerprint of what it is made from, so what stands is never stale and what
changed has a new name. The plan (harness/plan/) knows every name; there is no logic here.
"""

from harness.base.paths import PACKAGE
from harness.cli.scheduling import start_as_they_come
from harness.cli.told import tell_by_name
from harness.plan.entry import Inputs, job_command, leave_refused, open_run
from harness.plan.marks import Marks
from harness.plan.priority import Priority

PLAN = open_run(workflow.config_settings.config_args, workflow.configfiles)
tell_by_name(PLAN)
INPUTS, PRIORITY, MARKS = Inputs(PLAN), Priority(PLAN), Marks(PLAN.output)
OUT = PLAN.output
JOB = job_command(PLAN)


onstart:
    start_as_they_come(workflow)

onerror:
    leave_refused(PLAN)

wildcard_constraints:
    key="[0-9a-f]+",
    task="[^/]+",
    method="[^/]+",


RECORDS = expand(f"{OUT}/{{name}}", name=PLAN.records)
TABLES = expand(f"{OUT}/tables/{{name}}.{{kind}}", name=[*PLAN.tasks, "sparsity"], kind=["csv", "md"])
BOARDS = expand(f"{OUT}/leaderboard/{{board}}", board=PLAN.boards)
FIGURES = expand(f"{OUT}/figures/{{name}}.{{kind}}", name=PLAN.figures, kind=["png", "svg"])
PAPERS = expand(f"{OUT}/papers/{{name}}", name=PLAN.paper_files)
CLAIMS = expand(f"{OUT}/papers/{{name}}", name=PLAN.claim_files)
REPORT = f"{OUT}/report.html"


def shown(files, kinds, category):
    """The same files; Snakemake's own `--report` shows those that end so."""
    caption = f"{PACKAGE}/report/captions/{category.lower()}.rst"
    return [report(file, category=category, caption=caption) if file.endswith(kinds) else file for file in files]


rule all:
    input: f"{OUT}/outcome.json", TABLES, BOARDS, FIGURES, PAPERS, CLAIMS, REPORT

rule data:
    output: f"{OUT}/data/{{task}}/{{key}}.json"
    log: f"{OUT}/logs/data/{{task}}-{{key}}.log"
    shell: JOB + " {output:q} 2> {log:q}"

rule backbone:
    input: INPUTS.data
    output: f"{OUT}/backbones/{{name}}-{{key}}/backbone.json"
    log: f"{OUT}/logs/backbone/{{name}}-{{key}}.log"
    priority: PRIORITY.of(MARKS.backbone)
    resources: gpu=1
    shell: JOB + " {output:q} 2> {log:q}"

rule prepare:
    input: INPUTS.of(MARKS.prepare)
    output: f"{OUT}/prepared/{{task}}/{{name}}-{{key}}.json"
    log: f"{OUT}/logs/prepare/{{task}}-{{name}}-{{key}}.log"
    priority: PRIORITY.of(MARKS.prepare)
    resources: gpu=1
    shell: JOB + " {output:q} 2> {log:q}"

rule tune:
    input: INPUTS.of(MARKS.tune)
    output: f"{OUT}/tune/{{task}}/{{name}}-{{key}}.json"
    log: f"{OUT}/logs/tune/{{task}}-{{name}}-{{key}}.log"
    priority: PRIORITY.of(MARKS.tune)
    resources: gpu=1
    shell: JOB + " {output:q} 2> {log:q}"

rule adapt:
    input: INPUTS.of(MARKS.adapt)
    output: f"{OUT}/blocks/{{task}}/{{method}}-{{key}}.json"
    log: f"{OUT}/logs/adapt/{{task}}-{{method}}-{{key}}.log"
    priority: PRIORITY.of(MARKS.adapt)
    resources: gpu=1
    shell: JOB + " {output:q} 2> {log:q}"

rule score:
    input: INPUTS.score
    output: f"{OUT}/scores/{{task}}-{{key}}.json"
    log: f"{OUT}/logs/score/{{task}}-{{key}}.log"
    shell: JOB + " {wildcards.task:q} 2> {log:q}"

rule collect:
    input: INPUTS.collect()
    output: RECORDS
    log: f"{OUT}/logs/collect.log"
    shell: JOB + " 2> {log:q}"

rule tables:
    input: rules.collect.output
    output: shown(TABLES, ".csv", "Tables")
    log: f"{OUT}/logs/tables.log"
    shell: JOB + " 2> {log:q}"

rule leaderboard:
    input: rules.collect.output
    output: shown(BOARDS, ".csv", "Leaderboards")
    log: f"{OUT}/logs/leaderboard.log"
    shell: JOB + " 2> {log:q}"

rule figures:
    input: rules.collect.output
    output: shown(FIGURES, ".svg", "Figures")
    log: f"{OUT}/logs/figures.log"
    shell: JOB + " 2> {log:q}"

rule papers:
    input: rules.collect.output, INPUTS.papers()
    output: shown(PAPERS, (".html", ".svg"), "Papers")
    log: f"{OUT}/logs/papers.log"
    shell: JOB + " 2> {log:q}"

rule claims:
    input: rules.collect.output, INPUTS.papers()
    output: shown(CLAIMS, ".csv", "Claims")
    log: f"{OUT}/logs/claims.log"
    shell: JOB + " 2> {log:q}"

rule report:
    input: rules.collect.output, INPUTS.papers()
    output: shown([REPORT], ".html", "Page")
    log: f"{OUT}/logs/report.log"
    shell: JOB + " 2> {log:q}"

rule outcome:
    input: rules.collect.output, TABLES, BOARDS, FIGURES, PAPERS, CLAIMS, REPORT
    output: f"{OUT}/outcome.json"
    shell: JOB
