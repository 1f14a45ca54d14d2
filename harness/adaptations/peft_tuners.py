"""PEFT's tuners and their options, from a table beside this file: to ask PEFT itself imports torch, for seconds.

The table is of one version, the one that the project pins. Where another is installed PEFT is asked.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.base.files import read_json

TABLE = Path(__file__).with_suffix(".json")


def tuners() -> list[str]:
    """The names of all tuners."""
    return sorted(_known())


def defaults_of(kind: str) -> dict[str, Any]:
    """Every option of a tuner with its default, None where it has no plain one."""
    return _known()[kind]


@cache
def _known() -> dict[str, dict[str, Any]]:
    table = read_json(TABLE)
    found: dict[str, dict[str, Any]] = table["tuners"]
    return found if table["version"] == version("peft") else asked()


def asked() -> dict[str, dict[str, Any]]:
    """The options of every tuner with their defaults, as the installed PEFT has them."""
    from dataclasses import MISSING, fields

    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType

    return {
        str(kind.value): {
            field.name: None if field.default is MISSING else field.default
            for field in fields(PEFT_TYPE_TO_CONFIG_MAPPING[kind])
            if field.init
        }
        for kind in PeftType
    }
