"""docs/methods.md is what its generator writes today, its costs aside."""

from __future__ import annotations

from pathlib import Path

from benchmarks.methods import PAGE, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_script_writes_today() -> None:
    told = "docs/methods.md is stale; run python benchmarks/methods.py"
    assert (ROOT / PAGE).read_text(encoding="utf-8").startswith(page()), told
