"""The contract of a preparation: what is done to a backbone before it sees the target domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel

from harness.contracts.adaptation import Adaptation, Control
from harness.contracts.method import Kind
from harness.contracts.model import Strict
from harness.contracts.task import Role

if TYPE_CHECKING:
    from harness.prepare.workshop import Workshop

Range = tuple[float, float]
OF_BODY: Range = (1.0e-5, 1.0e-1)  # in which the rate is searched of what trains the backbone's own parameters
OF_ADDED: Range = (1.0e-4, 1.0)  # of what trains only what an adaptation added


@dataclass(frozen=True)
class Passes:
    """Equal passes forward and backward: how many, and the sentences of each."""

    count: int
    sentences: int
    everything: bool = True  # whether the backbone itself learns; else only what the method's adaptation trains
    mixed: bool = False  # whether long and short sentences share a batch, which pads all to the longest


class Preparation(Strict):
    """Continued training of a backbone. Subclass it in `harness/prepare/`; fields are its options."""

    pretrains: ClassVar[bool] = False  # whether it trains by the backbone's own objective, with the head of that

    @property
    def per_domain(self) -> bool:
        """Whether each target domain has a checkpoint of its own."""
        return False

    @property
    def uses_adaptation(self) -> bool:
        """Whether the method's adaptation takes part, so that the result depends on it."""
        return False

    @property
    def rates(self) -> dict[str, Range]:
        """Its learning rates, as dotted names of options in the order of their search, each with its range."""
        return {name: OF_BODY for name, _ in rate_options(self)}

    def shortened(self, share: float) -> Self:
        """The same preparation with a share of its steps, as a trial of its rates has it."""
        steps = getattr(self, "steps", None)
        if steps is None:
            raise NotImplementedError(f"{type(self).__name__} must define shortened")
        return self.model_copy(update={"steps": fewer(steps, share)})

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        """The domains that it may read; the workshop refuses any other."""
        return [target] if target else [domain for domain, role in roles.items() if role != "meta_test"]

    def reads_targets(self, kind: Kind) -> bool:
        """Whether it reads labelled examples of the domains that are scored; tables then carry a mark."""
        return False

    def refuses(self, adaptations: Sequence[Adaptation | Control]) -> str | None:
        """Why it cannot work with the adaptations that take part, with the mend; None where it can."""
        for part in adaptations if self.uses_adaptation else ():
            for hook in ("penalty", "after_step"):
                if isinstance(part, Adaptation) and getattr(type(part), hook) is not getattr(Adaptation, hook):
                    return f"it would leave out {type(part).__name__}.{hook}; use a preparation of the backbone alone"
        return None

    def passes(self, domains: int) -> list[Passes]:
        """The passes of its training, about, over so many domains: for the plan's estimate of time alone."""
        return [Passes(int(getattr(self, "steps", 0)), int(getattr(self, "batch_size", 0)))]

    def sentences(self, domains: int) -> int:
        """How many sentences its training reads, about, of so many domains."""
        return sum(its.count * its.sentences for its in self.passes(domains))

    def prepare(self, workshop: Workshop) -> None:
        """Train what `workshop` gives and save it with `workshop.save`."""
        raise NotImplementedError(f"{type(self).__name__} must define prepare")


class DomainPreparation(Preparation):
    """A preparation that learns from the labelled examples of several domains.

    `domains` says which: those with the role meta_train; all, the target among them, as the released code of
    Hou et al. (2022) has it; or all but the target.
    """

    domains: Literal["meta_train", "overlap", "leave_one_out"] = "meta_train"

    @property
    def per_domain(self) -> bool:
        return self.domains == "leave_one_out"

    def reads_targets(self, kind: Kind) -> bool:
        return self.domains == "overlap"

    def reads(self, roles: dict[str, Role], target: str | None) -> list[str]:
        return self.learned(roles, target)

    def learned(self, roles: dict[str, Role], target: str | None) -> list[str]:
        """The domains that are learned from; `target` is the one that is left out, if any is."""
        if self.domains == "meta_train":
            return [domain for domain, role in roles.items() if role == "meta_train"]
        return [domain for domain in roles if domain != target]


def fewer(steps: int, share: float) -> int:
    """A share of so many steps, one at least."""
    return max(1, round(share * steps))


def rate_options(options: BaseModel) -> Iterator[tuple[str, float]]:
    """The options that are learning rates and set, `lr` and what ends in `_lr`: their dotted names and values."""
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, BaseModel):
            yield from ((f"{name}.{inside}", rate) for inside, rate in rate_options(value))
        elif (name == "lr" or name.endswith("_lr")) and value is not None:
            yield name, value


def at_rates(options: Mapping[str, Any], rates: Mapping[str, float | None]) -> dict[str, Any]:
    """A preparation's options with other values of some, given by their dotted names."""
    changed = dict(options)
    for name, rate in rates.items():
        first, _, rest = name.partition(".")
        changed[first] = at_rates(changed[first], {rest: rate}) if rest else rate
    return changed
