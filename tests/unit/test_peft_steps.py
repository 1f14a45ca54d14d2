"""Tuners that are told of every step: a schedule that a training cannot hold is refused with the mend."""

from __future__ import annotations

from typing import Any

import pytest

from harness.adaptations.peft_steps import fitted

ADALORA = {"init_r": 12, "target_r": 8, "tinit": 0, "tfinal": 0, "deltaT": 1, "total_step": None}
ADAMSS = {"use_asa": False, "init_warmup": 50, "final_warmup": 1000, "mask_interval": 100}


def test_the_training_s_steps_are_taken_where_none_are_told() -> None:
    assert fitted({"tinit": 3}, ADALORA, 40) == {"tinit": 3, "total_step": 40}
    assert fitted({"total_step": 30}, ADALORA, 40) == {"total_step": 30}, "the rest is trained at the final ranks"
    assert fitted({"tinit": 5, "tfinal": 2}, ADALORA, 0)["total_step"] > 7, "nothing is trained"
    assert fitted({"total_step": 30}, ADALORA, 0) == {"total_step": 30}


@pytest.mark.parametrize(
    ("options", "steps", "said"),
    [
        ({"total_step": 100}, 40, "total_step is 100; the training takes 40 steps"),
        ({"total_step": "40"}, 40, "total_step is '40'; write a whole number"),
        ({"tinit": 30, "tfinal": 10}, 40, "tinit is 30; with tfinal 10 no step of 40 is left"),
        ({"tinit": 30, "tfinal": 10, "total_step": 35}, 40, "no step of 35 is left"),
        ({"tinit": -1}, 40, "tinit is -1; write a whole number, 0 or more"),
        ({"tfinal": True}, 40, "tfinal is True"),
        ({"deltaT": 0}, 40, "deltaT is 0; write a whole number, 1 or more"),
        ({"target_r": 12}, 40, "target_r is 12; write less than init_r, which is 12"),
        ({"init_r": 4}, 40, "target_r is 8; write less than init_r, which is 4"),
        ({"deltaT": 50}, 40, "deltaT is 50; no step of 40 cuts the ranks"),
        ({}, 1, "deltaT is 1; no step of 1"),
    ],
)
def test_ranks_that_cannot_fall_are_refused(options: dict[str, Any], steps: int, said: str) -> None:
    with pytest.raises(ValueError, match=r"^options\.") as error:
        fitted(options, ADALORA, steps)
    assert said in str(error.value)


def test_a_last_phase_cuts_the_ranks_whatever_the_interval() -> None:
    assert fitted({"deltaT": 50, "tfinal": 1}, ADALORA, 40)["total_step"] == 40
    assert fitted({"deltaT": 50, "total_step": 39}, ADALORA, 40)["total_step"] == 39


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "final_warmup is 1000; the training takes 40 steps, and PEFT's last is 39"),
        ({"final_warmup": 40, "init_warmup": 0}, "final_warmup is 40"),
        ({"final_warmup": 39, "init_warmup": 1}, "mask_interval is 100; no step from init_warmup 1 to final_warmup 39"),
        ({"mask_interval": 0}, "mask_interval is 0; write a whole number, 1 or more"),
        ({"mask_interval": 2.5}, "mask_interval is 2.5"),
    ],
)
def test_subspaces_that_cannot_fall_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^options\.") as error:
        fitted({"use_asa": True, **options}, ADAMSS, 40)
    assert said in str(error.value)


def test_a_tuner_without_a_schedule_is_left_as_it_is() -> None:
    assert fitted({"r": 4}, {"r": 8}, 40) == {"r": 4}
    assert fitted({}, ADAMSS, 40) == {}
    held = {"use_asa": True, "init_warmup": 5, "final_warmup": 30, "mask_interval": 5}
    assert fitted(held, ADAMSS, 40) == held
