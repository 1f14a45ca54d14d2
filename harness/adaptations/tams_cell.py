"""The search cell of TAMS and the controller that chooses its operations (Hou et al., 2022, section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Operation = Literal["linear", "conv3", "conv5", "glu", "zeroize", "skip"]
Structure = tuple[Operation, ...]  # one operation an edge
OPERATIONS: Structure = ("linear", "conv3", "conv5", "glu", "zeroize", "skip")
INPUTS = 2
STATES = ("in1", "in2", "node0", "node1", "node2")
# Every node reads both inputs and all earlier nodes: 2 + 3 + 4 edges, those of one source side by side.
EDGES = tuple((source, target) for source in range(4) for target in range(max(INPUTS, source + 1), len(STATES)))
EDGE_NAMES = tuple(f"{STATES[source]}->{STATES[target]}" for source, target in EDGES)
HIDDEN = 128  # of the controller


class Cell(nn.Module):
    """y -> y + leave(mean of the nodes); `leave` is zero at the start, so it starts as the identity.

    Two inputs project y to `width`, a node sums its edges, and an edge weighs the six operations on its
    source with its gates. All candidates' weights live here, those of an operation by edge.
    """

    def __init__(self, features: int, width: int, causal: bool) -> None:
        super().__init__()
        self.width, self.causal = width, causal
        self.enter, self.enter_bias = _weights((INPUTS, width), (features,))
        self.linear, self.linear_bias = _weights((len(EDGES), width), (width,))
        self.conv3, self.conv3_bias = _weights((len(EDGES), width), (width, 3))
        self.conv5, self.conv5_bias = _weights((len(EDGES), width), (width, 5))
        self.glu, self.glu_bias = _weights((len(EDGES), 2 * width), (width,))
        self.leave = nn.Parameter(torch.zeros(features, width))
        self.leave_bias = nn.Parameter(torch.zeros(features))

    def forward(self, y: Tensor, mask: Tensor, gates: Tensor | Structure) -> Tensor:
        """y [batch, tokens, features]; mask [batch, tokens], 0 at padding.

        `gates` are weights [edges, operations], or a structure: then nothing else is computed.
        """
        entered = functional.relu(_several(y, self.enter, self.enter_bias))
        states = [*entered.unbind(-2), *[entered.new_zeros(())] * (len(STATES) - INPUTS)]
        for source in range(len(STATES) - 1):  # what enters a node comes from earlier states alone
            leaving = [edge for edge, (begin, _) in enumerate(EDGES) if begin == source]
            values = self._values(states[source], mask, gates, range(leaving[0], leaving[-1] + 1))
            for edge, value in zip(leaving, values, strict=True):
                target = EDGES[edge][1]
                states[target] = states[target] + value
        mean = torch.stack(states[INPUTS:]).mean(0)
        return y + functional.linear(mean, self.leave, self.leave_bias)

    def _values(self, x: Tensor, mask: Tensor, gates: Tensor | Structure, edges: range) -> Iterable[Tensor]:
        """What edges from one source carry, each [batch, tokens, width]."""
        # A convolution must not read padding: there x is what earlier biases made of nothing.
        seen = x * mask.unsqueeze(-1).to(x.dtype)
        if isinstance(gates, tuple):
            alone = (self._operation(gates[edge], x, seen, slice(edge, edge + 1)) for edge in edges)
            return (value.squeeze(-2) for value in alone)
        return self._mixed(x, seen, gates, slice(edges.start, edges.stop)).unbind(-2)

    def _mixed(self, x: Tensor, seen: Tensor, gates: Tensor, edges: slice) -> Tensor:
        """Every operation of several edges on the same x, weighed, [batch, tokens, edges, width].

        The dense operations are one product and the convolutions another, those of three taps as of five with
        zeros: on few tokens ten small products take longer than two that compute somewhat more.
        """
        linear, conv3, conv5, glu, _, skip = gates[edges].unsqueeze(-1).to(x.dtype).unbind(1)
        dense = torch.cat((self.linear[edges], self.glu[edges]), 1)
        dense_bias = torch.cat((self.linear_bias[edges], self.glu_bias[edges]), 1)
        first, value, gate = _several(x, dense, dense_bias).chunk(3, -1)
        before = self._before(5) - self._before(3)
        both = torch.cat((functional.pad(self.conv3[edges], (before, 2 - before)), self.conv5[edges]), 1)
        both_bias = torch.cat((self.conv3_bias[edges], self.conv5_bias[edges]), 1)
        third, fifth = functional.relu(self._convolved(seen, both, both_bias)).chunk(2, -1)
        mixed = skip * x.unsqueeze(-2) + linear * functional.relu(first) + glu * (value * gate.sigmoid())
        return mixed + conv3 * third + conv5 * fifth

    def _operation(self, name: Operation, x: Tensor, seen: Tensor, edges: slice) -> Tensor:
        """One operation of several edges on the same x, [batch, tokens, edges, width]."""
        if name == "zeroize":
            return torch.zeros_like(x).unsqueeze(-2)
        if name == "skip":
            return x.unsqueeze(-2)
        if name == "linear":
            return functional.relu(_several(x, self.linear[edges], self.linear_bias[edges]))
        if name == "glu":
            value, gate = _several(x, self.glu[edges], self.glu_bias[edges]).chunk(2, -1)
            return value * gate.sigmoid()
        if name == "conv3":
            return functional.relu(self._convolved(seen, self.conv3[edges], self.conv3_bias[edges]))
        return functional.relu(self._convolved(seen, self.conv5[edges], self.conv5_bias[edges]))

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """A convolution over tokens that keeps their number, [batch, tokens, edges, outputs].

        As one product over windows: on so few channels `conv1d` takes 1.3 times as long (measured on a CPU).
        """
        taps, before = weight.shape[-1], self._before(weight.shape[-1])
        padded = functional.pad(x, (0, 0, before, taps - 1 - before))
        tokens = x.shape[1]
        windows = torch.cat([padded[:, tap : tap + tokens] for tap in range(taps)], -1)  # [batch, tokens, taps * width]
        return _several(windows, weight.mT.flatten(-2), bias)

    def _before(self, taps: int) -> int:
        """How many earlier tokens a convolution reads."""
        return taps - 1 if self.causal else taps // 2


class Controller(nn.Module):
    """A: the task's embedding z [width] -> logits of alpha [edges, operations] (equation 4 and section 3.1)."""

    embedding: Tensor
    bypassed = False  # while the embedding is taken, which is that of the model without its cells

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("embedding", torch.zeros(features))
        self.first, self.first_bias = _weights((HIDDEN,), (features,))
        self.second, self.second_bias = _weights((len(EDGES), len(OPERATIONS)), (HIDDEN,))

    def forward(self) -> Tensor:
        hidden = functional.relu(functional.linear(self.embedding, self.first, self.first_bias))
        return _several(hidden, self.second, self.second_bias)


def gumbel(shape: torch.Size, device: torch.device) -> Tensor:
    """Gumbel noise, from torch's global generator."""
    return -torch.empty(shape, device=device).exponential_().log()


def straight_through(logits: Tensor, temperature: float) -> Tensor:
    """One-hot at the largest logit of each edge; its gradient is that of softmax(logits / temperature)."""
    soft = (logits / temperature).softmax(-1)
    hard = functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(soft.dtype)
    return hard + (soft - soft.detach())  # in this order, so that the gates are 0 and 1 to the last bit


def structure_of(logits: Tensor) -> Structure:
    """The operation with the largest logit, for each edge."""
    return tuple(OPERATIONS[place] for place in logits.argmax(-1).tolist())


def _several(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Several dense layers on the same x: [..., in] and [layers, out, in] to [..., layers, out]."""
    out = functional.linear(x, weight.flatten(0, 1), bias.flatten())
    return out.reshape(*x.shape[:-1], *bias.shape)


def _weights(outputs: tuple[int, ...], inputs: tuple[int, ...]) -> tuple[nn.Parameter, nn.Parameter]:
    """A weight [*outputs, *inputs] that keeps the spread of what it reads through ReLU, and a bias of zero."""
    weight = torch.randn(*outputs, *inputs) * math.sqrt(2 / math.prod(inputs))
    return nn.Parameter(weight), nn.Parameter(torch.zeros(outputs))
