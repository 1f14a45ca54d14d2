"""The layers below the first place where anything trains or is attached: what they give of a sentence never changes.

So it can be computed once a sentence and given to every pass, which then does not run these layers. That holds only
where they are deterministic: they compute without dropout, also where they are run anew, while all above them trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone

STATES = "states_"  # how the names of hidden states in a batch begin; the stack's follows
Forward = Callable[..., Any]
Layers = dict[str, list[nn.Module]]


class Frozen:
    """Of each stack of a backbone the first layers, as many as are frozen; stacks without any are left out.

    They are read off the model, not off a method: a layer is frozen where nothing of it trains, nothing is put into
    it, and all that it reads is frozen. What is put behind a stack's last layer leaves that layer frozen.
    """

    def __init__(self, backbone: Backbone) -> None:
        layers: Layers = {}
        for stack, _, layer in backbone.layers():
            layers.setdefault(stack, []).append(layer)
        finals = _finals(backbone)
        depths = _depths(backbone, layers, finals)
        self.layers: Layers = {stack: own[: depths[stack]] for stack, own in layers.items() if depths[stack]}
        self._running: Layers = {stack: layers[stack][depths[stack] :] for stack in self.layers}
        self._below: list[nn.Module] = []  # the frozen layers and all else that what is above them reads
        stacks = backbone.stacks()
        for stack, running in self._running.items():
            awake = {id(module) for top in [*running, *finals[stack]] for module in top.modules()}
            self._below += [module for module in stacks[stack].modules() if id(module) not in awake]
        # How many values a stack's layers give behind their states; None where they give a tensor alone.
        self._behind: dict[str, int | None] = {}

    def rest(self) -> None:
        """Let the frozen layers, and all else that is below those that are not, compute as in evaluation."""
        for module in self._below:
            module.training = False

    def version(self) -> int:
        """A number that grows when a parameter below the layers that are not frozen is changed in place."""
        weights = (value for module in self._below for value in module._parameters.values() if value is not None)
        return sum(value._version for value in weights)

    @contextmanager
    def read(self) -> Iterator[dict[str, Tensor]]:
        """What the last frozen layer of each stack gives in a pass inside, [batch, tokens, width], by stack.

        A stack is left out whose later layers read more of the frozen ones than that, as a bias of positions.
        """
        found: dict[str, Tensor] = {}

        def reading(stack: str, before: Forward) -> Forward:
            def forward(*inputs: Any, **options: Any) -> Any:
                given = before(*inputs, **options)
                states, *behind = (given,) if isinstance(given, Tensor) else given
                self._behind[stack] = None if isinstance(given, Tensor) else len(behind)
                if not self._running[stack] or all(value is None for value in behind):
                    found[stack] = states
                return given

            return forward

        with _replaced({own[-1]: reading(stack, own[-1].forward) for stack, own in self.layers.items()}):
            yield found

    @contextmanager
    def given(self, states: Mapping[str, Tensor]) -> Iterator[None]:
        """Let a pass inside take `states`, by stack, for what the last frozen layers give, and run none of them."""
        forwards: dict[nn.Module, Forward] = {}
        for stack, value in states.items():
            behind = self._behind[stack]
            forwards |= dict.fromkeys(
                self.layers[stack], _giving(value if behind is None else (value, *[None] * behind))
            )
        with _replaced(forwards):
            yield


def _giving(value: Any) -> Forward:
    return lambda *_, **__: value


@contextmanager
def _replaced(forwards: Mapping[nn.Module, Forward]) -> Iterator[None]:
    """Let modules compute by other functions; their hooks stay."""
    try:
        for module, forward in forwards.items():
            module.__dict__["forward"] = forward
        yield
    finally:
        for module in forwards:
            module.__dict__.pop("forward", None)


def _finals(backbone: Backbone) -> Layers:
    """The norm that follows the last layer, by stack, where there is one."""
    paths = {stack: its.final for stack, its in backbone.anatomy.stacks.items()}
    return {stack: [backbone.body.get_submodule(path)] if path else [] for stack, path in paths.items()}


def _depths(backbone: Backbone, layers: Layers, finals: Layers) -> dict[str, int]:
    """How many of each stack's first layers are frozen."""
    depths = {stack: len(own) for stack, own in layers.items()}
    places, stacks = _places(backbone, layers, finals), list(layers)
    added = {id(module) for module in backbone.added.modules()}  # they serve the places that call them
    for module in backbone.modules():
        if id(module) in added or not _changed(module):
            continue
        stack, depth = places.get(id(module), (stacks[0], 0))
        depths[stack] = min(depths[stack], depth)
        for later in stacks[stacks.index(stack) + 1 :]:
            depths[later] = 0
    return depths


def _places(backbone: Backbone, layers: Layers, finals: Layers) -> dict[int, tuple[str, int]]:
    """For each module the stack that it is in and how many layers are below it; what is in no stack is left out."""
    body, last = {id(module) for module in backbone.body.modules()}, list(layers)[-1]
    by_peft = backbone.model is not backbone.transformer  # what it keeps beside the head serves layers
    places = {
        id(it): (last, len(layers[last]))
        for name, it in backbone.transformer.named_modules()
        if id(it) not in body and not (by_peft and not any(own.startswith(f"{name}.") for own in backbone.head))
    }
    places.pop(id(backbone.transformer), None)  # what is put there changes the whole
    if backbone.anatomy.pooler and (pooler := getattr(backbone.body, backbone.anatomy.pooler, None)):
        places |= {id(it): (last, len(layers[last])) for it in pooler.modules()}  # a part of the head
    for stack, container in backbone.stacks().items():
        inside = [(layer, depth) for depth, layer in enumerate(layers[stack])]
        inside += [(final, len(layers[stack])) for final in finals[stack]]
        for top, depth in inside:
            places = {id(module): (stack, depth) for module in top.modules()} | places  # shared ones are the first's
        for depth, layer in enumerate(layers[stack]):
            if places[id(layer)] == (stack, depth):
                places[id(layer)] = (stack, depth + _only_after(layer))
        if len(layers) > 1:  # what two stacks have in common is the first one's
            places = {id(module): (stack, 0) for module in container.modules()} | places
    return places


def _changed(module: nn.Module) -> bool:
    """Whether a module's own parameters train, or something was put in, before or behind it."""
    trains = any(value is not None and value.requires_grad for value in module._parameters.values())
    return trains or _put_in(module) or bool(module._forward_hooks)


def _put_in(module: nn.Module) -> bool:
    """Whether a module computes by another function than its class's, or reads something else."""
    return bool(module._forward_pre_hooks) or "forward" in module.__dict__ or "prefix" in module.__dict__


def _only_after(layer: nn.Module) -> bool:
    """Whether what a layer gives may be changed, and not what it computes itself."""
    return not _put_in(layer) and not any(
        value.requires_grad for value in layer._parameters.values() if value is not None
    )
