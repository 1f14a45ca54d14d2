"""The table of PEFT's tuners is what the installed PEFT says, so that a plan needs not ask it."""

from __future__ import annotations

from importlib.metadata import version

from harness.adaptations.peft_tuners import TABLE, asked
from harness.base.files import read_json


def test_the_table_is_what_peft_says() -> None:
    assert read_json(TABLE) == {"version": version("peft"), "tuners": asked()}
