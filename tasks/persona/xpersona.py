"""XPersona's file: a JSON list of dialogues, `{"persona": [sentence, ...], "dialogue": [[turn, reply], ...]}`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base.errors import bad, reason
from harness.contracts.model import one_of
from harness.data.files import text_lines
from harness.data.rows import Row

CALLED = {"persona": "the field 'persona'", "turns": "the field 'dialogue'"}
SHOWN = 80  # characters of what is wrong


def dialogues(file: Path) -> Iterator[Row]:
    """Every dialogue of the file, in its order; raises UserError naming the line or the entry at fault."""
    text = "\n".join(text_lines(file, may_end_open=True))
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        line, mend = error.lineno, f"it is no JSON ({reason(error)}); fetch it again"
        raise bad(f"{file}: line {line}", "the text", text.split("\n")[line - 1][:SHOWN], mend) from None
    if not isinstance(entries, list) or not entries:
        mend = "it is no list of dialogues, or an empty one; write [{persona: [...], dialogue: [...]}, ...]"
        raise bad(file, "the file", str(entries)[:SHOWN], mend)
    for number, entry in enumerate(entries, 1):
        yield _row(f"{file}: entry {number}", entry)


def _row(where: str, entry: Any) -> Row:
    if not isinstance(entry, dict):
        raise bad(where, "the entry", str(entry)[:SHOWN], "it is no object; write {persona: [...], dialogue: [...]}")
    for field in ("persona", "dialogue"):
        one_of(field, list(entry), where, "a field")
    return Row(where, {"persona": entry["persona"], "turns": entry["dialogue"]}, CALLED)
