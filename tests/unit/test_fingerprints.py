"""Fingerprints of many mappings that share most values are those of the whole mappings."""

from __future__ import annotations

from typing import Any

import pytest

from harness.base.fingerprint import Content, fingerprint
from harness.plan.request import computed, computed_from

SHARED = {"train": {"lr": 1e-3, "steps": [1, 2]}, "code": "ä", "zero": None, "a b": True}


@pytest.mark.parametrize("own", [{}, {"cell": ["nl", 4, 0]}, {"code": "other", "b": {"d": 1, "c": 2.5}}])
def test_what_is_shared_changes_no_fingerprint(own: dict[str, Any]) -> None:
    assert Content(SHARED).fingerprint(own) == fingerprint(SHARED | own)
    assert computed_from(SHARED).fingerprint(own) == computed(SHARED | own)
    assert Content(SHARED).fingerprint({"more": own}) != Content(SHARED).fingerprint(own)
