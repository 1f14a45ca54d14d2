"""Libraries compute the same whatever an x86 processor offers beyond AVX2, and whatever their variables say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.instruction_sets import OWN as NONE
from benchmarks.instruction_sets import PINNED, PROBE, SETS, environment
from harness.base.arithmetic import AVX2, OWN, PROCESSORS, arithmetic, pin, vendor

OLDER = {name: SETS["default"][name] for name in AVX2}


def made(folder: Path, flags: str) -> Path:
    """What a system says of its two processors."""
    processor = f"vendor_id\t: Any\n{flags}\nbugs\t\t: none\n\n"
    file = folder / "cpuinfo"
    file.write_text(2 * f"processor\t: 0\n{processor}")
    return file


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags\t\t: fpu sse2 fma avx avx2 avx512f", AVX2),
        ("flags\t\t: fpu sse2 fma avx avx2", AVX2),
        ("flags\t\t: fpu sse2 fma avx", OLDER),  # it would end with an illegal instruction
        ("Features\t: fp asimd sve", OLDER),  # ARM
    ],
)
def test_only_what_a_processor_has_is_asked_of_it(flags: str, expected: dict[str, str], tmp_path: Path) -> None:
    variables = dict(OLDER)
    pin(variables, made(tmp_path, flags))
    assert variables == expected


def test_a_system_that_does_not_say_what_it_has_is_left_alone(tmp_path: Path) -> None:
    variables: dict[str, str] = {}
    pin(variables, tmp_path / "absent")
    assert variables == {}
    assert vendor(tmp_path / "absent") is None
    assert vendor(made(tmp_path, "flags\t\t: avx2")) == "Any"


def test_one_variable_leaves_all_to_the_processor(tmp_path: Path) -> None:
    for word, expected in (("1", {}), ("", AVX2)):
        variables = {OWN: word}
        pin(variables, made(tmp_path, "flags\t\t: fma avx2"))
        assert variables == {OWN: word} | expected


def test_records_say_what_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AVX2.items():
        monkeypatch.setenv(name, value)
    assert arithmetic() == "AVX2"
    monkeypatch.delenv("MKL_CBWR")
    assert arithmetic() == "the processor's own"


@pytest.mark.skipif(
    not PROCESSORS.is_file() or " avx2 " not in PROCESSORS.read_text(), reason="a processor without AVX2"
)
def test_the_harness_computes_the_same_digits_under_any_variables() -> None:
    """The probe alone hears them, or this would show nothing."""

    def digits(program: str, variables: dict[str, str]) -> str:
        its = environment(NONE) | {OWN: ""} | variables
        return subprocess.run(
            [sys.executable, "-c", program], env=its, check=True, capture_output=True, text=True
        ).stdout

    assert len({digits(PINNED, its) for its in ({}, OLDER, AVX2)}) == 1
    assert len({digits(PROBE, its) for its in (OLDER, AVX2)}) == 2
    assert digits(PINNED, OLDER | {OWN: "1"}) == digits(PROBE, OLDER)
