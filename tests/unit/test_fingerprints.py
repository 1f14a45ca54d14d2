"""Fingerprints of many mappings that share most values are those of the whole mappings."""

from __future__ import annotations

from typing import Any

import pytest

from harness.base.fingerprint import Content, fingerprint
from harness.plan.request import computed, computed_from

SHARED = {"train": {"lr": 1e-3, "steps": [1, 2]}, "code": "ä", "zero": None, "a b": True, "5%": "%s"}


@pytest.mark.parametrize("own", [{}, {"cell": ["nl", 4, 0]}, {"code": "other", "b": {"d": 1, "c": 2.5}}, {"%d": "%%"}])
def test_what_is_shared_changes_no_fingerprint(own: dict[str, Any]) -> None:
    assert Content(SHARED).fingerprint(own) == fingerprint(SHARED | own)
    assert computed_from(SHARED).fingerprint(own) == computed(SHARED | own)
    assert Content(SHARED).fingerprint({"more": own}) != Content(SHARED).fingerprint(own)


def test_one_content_has_a_fingerprint_of_each_that_it_is_asked_for() -> None:
    content = Content(SHARED)
    for own in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"b": 1, "a": 2}, {"a": 1}, {"code": "b"}):
        assert content.fingerprint(own) == fingerprint(SHARED | own)
