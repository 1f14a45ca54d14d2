"""A backbone with places to put modules, named the same way for every architecture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from harness.backbone.anatomy import Anatomy, DenseRole, Paths
from harness.backbone.frozen import STATES, Frozen
from harness.backbone.losses import learned_from, losses_of
from harness.backbone.places import Attention, Dense, Final, Sublayer, features_of, first_of, needed, without_peft
from harness.backbone.prefix_attention import check_takes_prefix
from harness.backbone.several import Several, call_for_each, layers_for_each
from harness.base.errors import Unsupported
from harness.contracts.adaptation import Targets as Targets
from harness.contracts.method import Kind
from harness.data.kinds import IGNORED

ROLES: dict[str, tuple[DenseRole, ...]] = {
    "query_value": ("query", "value"),
    "attention": ("query", "key", "value", "output"),
    "ffn": ("gate", "up", "down"),
    "all": get_args(DenseRole),
}


class Backbone(nn.Module):
    """A Hugging Face model, what was added to it, and which of its parameters train.

    `head` names the parameters that the checkpoint did not hold: a new task head. When an adaptation
    sees the backbone its body is frozen and the head trains. `positions` is how many tokens an input may have,
    None where there is no end to them, and `segments` whether the model reads of which of two texts a token is.
    """

    several: Several | None = None  # set for a pass that serves several tasks
    explores = False  # set while an outer loop learns what the adaptations themselves leave alone
    frozen: Frozen | None = None  # set where the hidden states of frozen layers are kept

    def __init__(self, model: PreTrainedModel, anatomy: Anatomy, kind: Kind, head: frozenset[str]) -> None:
        super().__init__()
        self.model = model
        self.added = nn.ModuleDict()
        self.anatomy = anatomy
        self.kind = kind
        self.head = head
        self.width: int = getattr(model.config, anatomy.width)
        self.segments = anatomy.segments is not None and getattr(model.config, anatomy.segments, 1) > 1
        self.positions: int | None = None
        if anatomy.positions is not None:
            self.positions = anatomy.room(getattr(model.config, anatomy.positions), model.config.pad_token_id)
        for path in anatomy.fixed:
            table = self.body.get_submodule(path)
            weight = table._parameters.pop("weight", None)
            if weight is not None:  # a model may come here twice
                table.register_buffer("weight", weight.detach())
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in head)

    def forward(self, **batch: Tensor) -> Any:
        """The model's output for a batch, with its loss where the batch has labels: the mean over what is labelled.

        A batch of which no token is labelled adds nothing: its loss is exactly zero, and so is its gradient. Where
        it holds what frozen layers give, these are not run.
        """
        states = {name.removeprefix(STATES): batch.pop(name) for name in list(batch) if name.startswith(STATES)}
        if not self.segments:
            batch.pop("token_type_ids", None)
        labels = batch.pop("labels", None) if self.kind == "sequence-classification" else None
        with (
            nullcontext() if self.several is None else layers_for_each(self.model, self.several),
            nullcontext() if self.frozen is None else self.frozen.given(states),
        ):
            output = self.model(**batch)
        if labels is not None:  # the model's own loss knows one set of classes for all texts
            output.loss = losses_of(self.kind, output.logits, labels)[0].mean()
        if "labels" in batch and not (learned_from(self.kind, batch["labels"]) != IGNORED).any():
            output.loss = (output.logits * 0.0).sum()  # a mean over nothing is no number
        return output

    @property
    def transformer(self) -> PreTrainedModel:
        """The model, also where PEFT has taken it into its own."""
        model: Any = self.model
        own: PreTrainedModel = model.get_base_model() if hasattr(model, "get_base_model") else model
        return own

    @property
    def body(self) -> nn.Module:
        """The model below its head."""
        body: nn.Module = self.transformer.base_model
        return body

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.model.parameters()).device

    def put(self, name: str, module: nn.Module) -> None:
        """Own `module` under a name made from the place it serves."""
        key = name.replace(".", "_")
        while key in self.added:
            key += "_"
        self.added[key] = module

    def call(self, module: nn.Module, *inputs: Tensor, shared: tuple[Any, ...] = ()) -> Any:
        """module(*inputs, *shared); `inputs` are [batch, ...], `shared` have no batch axis but a task's own.

        Every use of an added module passes here, so that one pass can serve several tasks.
        """
        if self.several is None:
            return module(*inputs, *shared)
        return call_for_each(self.several, module, inputs, shared)

    @property
    def embedded_width(self) -> int:
        """How wide a token's embedding is: in some models less than what the layers read."""
        table: Any = self.body
        width: int = table.get_input_embeddings().embedding_dim
        return width

    def stacks(self) -> dict[str, nn.Module]:
        """The modules that read the tokens and the mask of each stack: the body itself where there is one stack."""
        paths = self.anatomy.stacks
        alone = len(paths) == 1  # the empty path is the body's
        reading = {
            name: "" if alone and stack.reads is None else stack.reads or stack.layers.rpartition(".")[0]
            for name, stack in paths.items()
        }
        return {name: self.body.get_submodule(path) for name, path in reading.items()}

    def layers(self) -> Iterator[tuple[str, str, nn.Module]]:
        """Each layer as (stack, name, module), encoder first."""
        for stack, paths in self.anatomy.stacks.items():
            for place, layer in enumerate(self.body.get_submodule(paths.layers).children()):
                yield stack, f"{stack}.{place}", layer

    def dense_layers(self, targets: Targets | Sequence[DenseRole]) -> list[Dense]:
        """The dense layers of attention, FFN or both, or of some roles; a fused product counts once."""
        roles = ROLES[targets] if isinstance(targets, str) else targets
        found: dict[int, Dense] = {}
        for stack, name, layer in self.layers():
            paths = self.anatomy.stacks[stack]  # type: ignore[index]
            places: dict[str, Paths | None] = {
                f"{which}.{role}": getattr(attention, role)
                for which, attention in paths.attention.items()
                for role in ROLES["attention"]
            } | {f"ffn.{role}": getattr(paths.ffn, role) for role in ROLES["ffn"]}
            for place, path in places.items():
                if path is None or (its := first_of(layer, path)) is None:  # a gate, which not every FFN has
                    continue
                module = without_peft(its)
                if place.split(".")[1] in roles and id(module) not in found:
                    found[id(module)] = Dense(self, f"{name}.{place}", module, *features_of(module))
        return list(found.values())

    def sublayers(self, which: Literal["attention", "ffn", "all"] = "all") -> list[Sublayer]:
        """The outputs of attention and FFN sublayers, from the first layer to the last."""
        found = []
        for stack, name, layer in self.layers():
            paths = self.anatomy.stacks[stack]  # type: ignore[index]
            if which in ("attention", "all"):
                for attention, its in paths.attention.items():
                    first, last = layer.get_submodule(its.query), layer.get_submodule(its.output)
                    found.append(Sublayer(self, f"{name}.{attention}", first, last, self.width))
            if which in ("ffn", "all"):
                first, last = needed(layer, paths.ffn.up), needed(layer, paths.ffn.down)
                found.append(Sublayer(self, f"{name}.ffn", first, last, self.width))
        return found

    def final(self) -> Final:
        """The output of the last layer, or of the norm that follows it."""
        stack = list(self.anatomy.stacks.values())[-1]
        norm = first_of(self.body, stack.final) if stack.final else None
        last = norm or list(self.body.get_submodule(stack.layers).children())[-1]
        return Final(self, last, self.width)

    def attentions(self) -> list[Attention]:
        """Every attention: self-attention of all stacks, and cross-attention where there is one.

        Raises Unsupported where no keys and values can be put before an attention's own.
        """
        found = []
        for stack, name, layer in self.layers():
            for which, paths in self.anatomy.stacks[stack].attention.items():  # type: ignore[index]
                module = layer.get_submodule(paths.module)
                check_takes_prefix(module)
                found.append(Attention(self, f"{name}.{which}", module, *self._heads(stack)))
        return found

    def _heads(self, stack: str) -> tuple[int, int]:
        """The heads of a stack's keys, and their width."""
        config, anatomy = self.transformer.config, self.anatomy
        heads: int = getattr(config, anatomy.stacks[stack].heads or anatomy.heads)  # type: ignore[index]
        keys = getattr(config, anatomy.key_heads, None) if anatomy.key_heads else None
        width = getattr(config, anatomy.head_width, None) if anatomy.head_width else None
        return keys or heads, width or self.width // heads

    def biases(self) -> dict[str, nn.Parameter]:
        """The bias vectors of the body, norms included; raises Unsupported where there are none."""
        found = {name: value for name, value in self.body.named_parameters() if name.endswith("bias")}
        if not found:
            raise Unsupported("the backbone has no biases")
        return found

    def norms(self) -> dict[str, nn.Parameter]:
        """The gains and biases of the body's norms, which are what has a vector for its weight."""
        return {
            f"{name}.{own}": value
            for name, module in self.body.named_modules()
            if isinstance(gain := getattr(module, "weight", None), Tensor) and gain.ndim == 1
            for own, value in module.named_parameters(recurse=False)
        }

    def begin_training(self) -> None:
        """Compute as in training from the first place on where anything trains or is put, and below it without dropout.

        What is frozen then gives the same states of a sentence at every step, kept or computed anew.
        """
        self.train()
        Frozen(self).rest()

    def train_all(self) -> None:
        """Let every parameter of the model train."""
        self.model.requires_grad_(True)

    def is_head(self, name: str) -> bool:
        """Whether a parameter is the task head's, a head that PEFT wrapped included."""
        return any(f".{module}." in f".{name}." for module in self.head_modules())

    def head_modules(self) -> list[str]:
        """The names of the head's outermost modules: those above the body, and a layer of it that the head owns."""
        inside = f"{self.transformer.base_model_prefix}."
        parts = [name.split(".")[: 2 if name.startswith(inside) else 1] for name in sorted(self.head)]
        return list(dict.fromkeys(".".join(part) for part in parts))

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that train, by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}


def best_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_something_trains(backbone: Backbone) -> None:
    """Raise Unsupported where an adaptation leaves nothing to train."""
    if not backbone.trained():
        raise Unsupported("the adaptation trains no parameter on this backbone")
