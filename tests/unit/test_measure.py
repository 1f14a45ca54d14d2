"""Memory is what something took itself, whatever the process held before it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from harness.base import measure
from harness.base.measure import MIB, measured, timed

NEAR = 4.0  # MiB that Python itself may take in between


def test_memory_is_the_most_that_was_taken_inside() -> None:
    with measured() as cost:
        one = bytearray(48 * MIB)
        del one
        other = bytearray(16 * MIB)
    assert cost.peak_rss_mib == pytest.approx(48, abs=NEAR)
    assert len(other) == 16 * MIB


def test_what_was_held_before_is_not_counted() -> None:
    held = bytearray(64 * MIB)
    with measured() as cost:
        taken = bytearray(16 * MIB)
    assert cost.peak_rss_mib == pytest.approx(16, abs=NEAR)
    assert len(held) > len(taken)


def test_what_was_left_behind_does_not_hide_what_is_taken() -> None:
    left = [bytearray(64 * 1024) for _ in range(512)]  # small enough to stay with the process when they are freed
    left.append(left)  # type: ignore[arg-type]  # a circle, as a model and its hooks are
    del left
    with measured() as cost:
        taken = [bytearray(64 * 1024) for _ in range(512)]
    assert cost.peak_rss_mib == pytest.approx(32, abs=NEAR)
    assert len(taken) == 512


def test_an_error_inside_is_measured_too() -> None:
    with suppress(KeyError), measured() as cost:
        taken = bytearray(16 * MIB)
        raise KeyError(len(taken))
    assert cost.peak_rss_mib == pytest.approx(16, abs=NEAR)
    assert cost.seconds > 0


def test_memory_is_not_told_where_the_system_keeps_its_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "PEAK_FROM_NOW", tmp_path / "forgets nothing")
    monkeypatch.setattr(measure, "STATUS", tmp_path / "status")
    measure.STATUS.write_text("VmHWM:\t 900000 kB\nVmRSS:\t 300000 kB\n")
    with measured() as cost:
        pass
    assert cost.peak_rss_mib is None
    monkeypatch.setattr(measure, "STATUS", tmp_path / "none")
    with measured() as cost:
        pass
    assert cost.peak_rss_mib is None


def test_seconds_alone() -> None:
    with timed() as cost:
        sum(range(100_000))
    assert cost.cpu_seconds > 0
    assert cost.seconds > 0
    assert cost.peak_rss_mib is None
