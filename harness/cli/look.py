"""Commands that only look at a run: status, open, predictions."""

from __future__ import annotations

import webbrowser
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from harness.adapt.record import PREDICTIONS, read_record, read_standing
from harness.base.errors import UserError
from harness.base.files import read_lines
from harness.cli.asked import cells_to_look_at, plan_to_look_at
from harness.cli.columns import aligned
from harness.contracts.plan import Cell, Plan
from harness.plan.entry import at_work


def show_status(options: Namespace) -> int:
    """Print a line a block, then every failed cell with its reason."""
    plan = plan_to_look_at(options.configfile)
    total: Counter[str] = Counter()
    lines: list[tuple[str, str, str]] = []
    failed: list[tuple[Cell, dict[str, Any]]] = []
    for block in plan.blocks:
        counts: Counter[str] = Counter()
        records = read_standing(block.cells)
        absent = {seed: _absent(plan, job.done) for job in plan.jobs_of(block) for seed in job.seeds}
        for cell in block.cells:
            record = records.get(cell.folder)
            status = record["status"] if record else absent[cell.seed]
            counts[status] += 1
            if record and status != "done":
                failed.append((cell, record))
        total += counts
        told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        lines.append((block.task, block.method, told))
    print("\n".join(aligned(lines)))
    for cell, record in failed:
        print(": ".join([record["status"], cell.name, *_reason(record)]))
    print(", ".join(f"{count} {status}" for status, count in sorted(total.items())))
    return 0


def _reason(record: dict[str, Any]) -> list[str]:
    """What failed, where that was not the cell itself, and the kind of the error with the first line of what it says.

    In a traceback that is the first line below the last frame that is not indented; one that was cut to its end may
    have no frame left.
    """
    lines = [line for line in (record.get("error") or "").splitlines() if line.strip()]
    frames = [place for place, line in enumerate(lines) if line.startswith("  File ")]
    said = [line for line in lines[frames[-1] + 1 :] if not line.startswith(" ")][:1] if frames else lines[-1:]
    return [*([record["failed_in"]] if "failed_in" in record else []), *said]


def _absent(plan: Plan, done: str) -> str:
    """What a cell without a record is: `running` where a run is at work on its job, else `missing`."""
    log = Path(plan.output) / "logs" / "adapt" / Path(done).parent.name
    file = log.with_name(f"{log.name}-{Path(done).stem}.log")
    return "running" if file.is_file() and not Path(done).is_file() and at_work(plan) else "missing"


def open_report(options: Namespace) -> int:
    """Show the report of a run in a browser, and say where it is."""
    file = Path(plan_to_look_at(options.configfile).output) / "report.html"
    if not file.is_file():
        raise UserError(f"{file}: there is no report yet; run Snakemake with {options.configfile}")
    print(file)
    webbrowser.open(file.resolve().as_uri())
    return 0


def show_predictions(options: Namespace) -> int:
    """Print input, gold and predicted of the first examples of the finished cells asked for."""
    shown = 0
    for cell in cells_to_look_at(options):
        record = read_record(Path(cell.folder), cell.fingerprint)
        if record and record["status"] == "done":
            print(cell.name)
            for row in read_lines(Path(cell.folder) / PREDICTIONS)[: options.count]:
                print(readable(row) + "\n")
            shown += 1
    if not shown:
        raise UserError("no such cell is done yet; compute it with `headstart run` and the same options")
    return 0


def readable(row: dict[str, Any]) -> str:
    """One example for a person."""
    if "tags" in row:
        width = [
            max(len(token), len(gold), len(guess))
            for token, gold, guess in zip(row["tokens"], row["tags"], row["predicted"], strict=True)
        ]
        lines = {"input": row["tokens"], "gold": row["tags"], "predicted": row["predicted"]}
        return "\n".join(
            f"  {name:<10}" + " ".join(word.ljust(size) for word, size in zip(words, width, strict=True)).rstrip()
            for name, words in lines.items()
        )
    if "summary" in row:
        return f"  input     {row['document']}\n  gold      {row['summary']}\n  predicted {row['predicted']}"
    if "label" in row:
        texts = [f"  input     {row[field]}" for field in ("text", "pair") if field in row]
        return "\n".join([*texts, f"  gold      {row['label']}", f"  predicted {row['predicted']}"])
    if "references" in row:
        golds = [f"  gold      {text}" for text in row["references"]]
        return "\n".join([f"  input     {row['record']}", *golds, f"  predicted {row['predicted']}"])
    if "turns" in row:
        return _dialogue(row)
    nats = row["predicted"]["nll"] / row["predicted"]["tokens"]
    return f"  input     {row['text']}\n  predicted {row['predicted']['tokens']} tokens at {nats:.3f} nats each"


def _dialogue(row: dict[str, Any]) -> str:
    """A dialogue with its replies, those that were generated beside them, and how likely the true ones were."""
    made, lines = (
        row["predicted"].get("replies"),
        [f"  persona   {' '.join(row['persona'])}"] if "persona" in row else [],
    )
    for place, (partner, reply) in enumerate(row["turns"]):
        lines += [f"  input     {partner}", f"  gold      {reply}"]
        lines += [f"  predicted {made[place]}"] if made else []
    if row["predicted"].get("nll") is not None:
        tokens = row["predicted"]["tokens"]
        lines.append(f"  predicted {tokens} tokens at {row['predicted']['nll'] / tokens:.3f} nats each")
    return "\n".join(lines)
