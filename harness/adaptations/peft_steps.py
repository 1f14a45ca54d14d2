"""Tuners of PEFT that change on the way by a schedule of steps: whether it fits a training, and what it lacks.

PEFT counts steps from 0, as its own loops and callbacks do.
"""

from __future__ import annotations

from typing import Any


def fitted(options: dict[str, Any], defaults: dict[str, Any], steps: int) -> dict[str, Any]:
    """The options for a training of `steps` steps; raises ValueError, with the mend, where its schedule does not fit.

    `defaults` are all options of the tuner as PEFT has them.
    """
    its = {**defaults, **options}
    if "total_step" in defaults:
        return options | {"total_step": _ranks_fall(its, "total_step" in options, steps)}
    if its.get("use_asa"):
        _subspaces_fall(its, steps)
    return options


def _ranks_fall(its: dict[str, Any], told: bool, steps: int) -> int:
    """AdaLoRA's `total_step`, the training's where the user does not say.

    Ranks fall from `init_r` after `tinit` steps to `target_r` `tfinal` steps before the end, at every `deltaT`-th step.
    """
    _whole(its, 0, "target_r", "tinit", "tfinal")
    _whole(its, 1, "init_r", "deltaT", *(["total_step"] if told else []))
    begin, final, every = its["tinit"], its["tfinal"], its["deltaT"]
    if not its["target_r"] < its["init_r"]:
        raise ValueError(f"options.target_r is {its['target_r']}; write less than init_r, which is {its['init_r']}")
    if steps == 0:  # nothing is trained, so no schedule is run
        return int(its["total_step"]) if told else begin + final + 1
    total = int(its["total_step"]) if told else steps
    if total > steps:
        mend = f"the training takes {steps} steps, which would end before the ranks are down; lower it or leave it out"
        raise ValueError(f"options.total_step is {total}; {mend}")
    if begin + final >= total:
        mend = f"with tfinal {final} no step of {total} is left for the ranks to fall; lower tinit or tfinal"
        raise ValueError(f"options.tinit is {begin}; {mend}")
    end = total - final  # at this step the ranks are cut to target_r, whatever deltaT says
    if end >= steps and not any(step % every == 0 for step in range(begin + 1, steps)):
        mend = f"no step of {steps} cuts the ranks then; lower it, raise tfinal, or train longer"
        raise ValueError(f"options.deltaT is {its['deltaT']}; {mend}")
    return total


def _subspaces_fall(its: dict[str, Any], steps: int) -> None:
    """AdaMSS's subspaces fall between `init_warmup` and `final_warmup`, at every `mask_interval`-th step."""
    _whole(its, 0, "init_warmup", "final_warmup")
    _whole(its, 1, "mask_interval")
    begin, end, every = its["init_warmup"], its["final_warmup"], its["mask_interval"]
    if steps and end >= steps:
        mend = f"the training takes {steps} steps, and PEFT's last is {steps - 1}; lower it to at most that"
        raise ValueError(f"options.final_warmup is {end}; {mend}")
    if steps and not any(step % every == 0 for step in range(begin, end + 1)):
        mend = f"no step from init_warmup {begin} to final_warmup {end} is a multiple of it; lower it"
        raise ValueError(f"options.mask_interval is {its['mask_interval']}; {mend}")


def _whole(its: dict[str, Any], least: int, *names: str) -> None:
    for name in names:
        if isinstance(its[name], bool) or not isinstance(its[name], int) or its[name] < least:
            raise ValueError(f"options.{name} is {its[name]!r}; write a whole number, {least} or more")
