"""What is said of a long training where no terminal shows a bar."""

from __future__ import annotations

import time

import pytest

from harness.base import progress
from harness.base.progress import bar, watcher


def test_a_log_has_lines_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with bar(20, "backbone decoder") as its:
        watch = watcher(its)
        for step in range(20):
            watch(step, 2.5)
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 21
    assert lines[0] == "backbone decoder: 1 of 20 steps, loss 2.500 (0 s, about 0 s left)"
    assert lines[19:] == ["backbone decoder: 20 of 20 steps, loss 2.500 (0 s, about 0 s left)", ""]


def test_a_line_reckons_what_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 50.0, 70.0, 100.0, 140.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with bar(8, "prepare") as its:
        for _ in range(4):
            its.update(1)
    said = ["prepare: 2 of 8 steps (70 s, about 210 s left)", "prepare: 4 of 8 steps (140 s, about 140 s left)"]
    assert capsys.readouterr().err.splitlines() == said


def test_what_is_short_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with bar(3, "adapt") as its:
        for step in range(3):
            watcher(its)(step, 1.0)
    assert capsys.readouterr().err == ""
