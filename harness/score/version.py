"""What scoring is made of: mending a metric scores again and never trains again."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from harness.base.fingerprint import hash_files
from harness.base.paths import own_files


@cache
def scoring_code() -> str:
    """The hash of the metric modules, of how the kinds use them, and of the words that they count."""
    here = Path(__file__).parent
    words = here.parent / "data" / "words.py"
    beside = [here / name for name in ("score.py", "texts.py", "judge.py")]
    return hash_files([*own_files(here / "metrics", ".py"), *beside, words], here.parent)
