"""The search cell of TAMS: a small graph of operations at a reduced width (Hou et al., 2022, section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

OPERATIONS = ("linear", "conv3", "conv5", "glu", "zero", "skip")
SOURCES = ("in1", "in2", "node0", "node1")
NODES = 3
# Each intermediate node takes in all states before it: 2 + 3 + 4 edges.
EDGES = tuple((source, node) for node in range(NODES) for source in range(2 + node))
LONGEST = 5  # tokens that an operation sees at most


class Cell(nn.Module):
    """y [batch, tokens, width] -> y + out(mean of the nodes), each node a sum over its edges' mixed operations.

    `gates` [edges, operations] weigh the operations: a one-hot row chooses one. `ahead` tells how many of the
    five tokens of a window lie in the future: none in a decoder. The weights of all edges from one source
    stand together, so that a product serves them all.
    """

    def __init__(self, width: int, inner: int, ahead: int) -> None:
        super().__init__()
        self.inner, self.ahead = inner, ahead
        self.enter = nn.Parameter(torch.randn(2 * inner, width) / math.sqrt(width))
        self.enter_bias = nn.Parameter(torch.zeros(2 * inner))
        self.leave = nn.Parameter(torch.zeros(width, inner))
        self.leave_bias = nn.Parameter(torch.zeros(width))
        self.near, self.conv3, self.conv5 = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        self.biases = nn.ParameterList()
        for source in range(len(SOURCES)):
            edges = len(edges_from(source))
            for own, outputs, window in ((self.near, 3, 1), (self.conv3, 1, 3), (self.conv5, 1, LONGEST)):
                shape = edges * outputs * inner, window * inner
                own.append(nn.Parameter(torch.randn(shape) / math.sqrt(window * inner)))
            self.biases.append(nn.Parameter(torch.zeros(5, edges * inner)))

    def forward(self, y: Tensor, *masks_and_gates: Tensor) -> Tensor:
        *mask, gates = masks_and_gates
        kept = mask[0].unsqueeze(-1).to(y.dtype) if mask else None
        states = list(functional.linear(y, self.enter, self.enter_bias).relu().chunk(2, dim=-1))
        nodes: list[Tensor | None] = [None] * NODES
        for source in range(len(SOURCES)):
            if source >= 2:
                node = nodes[source - 2]
                assert node is not None
                states.append(node)
            places = edges_from(source)
            mixed = self._mixed(source, states[source], kept, gates[places])
            for place, one in zip(places, mixed.unbind(-2), strict=True):
                target = EDGES[place][1]
                before = nodes[target]
                nodes[target] = one if before is None else before + one
        mean = torch.stack([node for node in nodes if node is not None]).mean(0)
        return y + functional.linear(mean, self.leave, self.leave_bias)

    def _mixed(self, source: int, x: Tensor, kept: Tensor | None, gates: Tensor) -> Tensor:
        """The mixed operations of all edges from a source, [batch, tokens, edges, inner]."""
        x = x if kept is None else x * kept  # a padded token must not reach its neighbours
        window = shifted(x, self.ahead)
        three = window[..., self._middle()]
        linear, first, second = functional.linear(x, self.near[source]).chunk(3, dim=-1)
        found = (
            linear, functional.linear(three, self.conv3[source]), functional.linear(window, self.conv5[source]),
            first, second,
        )  # fmt: skip
        edges = gates.shape[0]
        linear, conv3, conv5, first, second = (
            (one + bias).unflatten(-1, (edges, self.inner))
            for one, bias in zip(found, self.biases[source].unbind(0), strict=True)
        )
        parts = linear.relu(), conv3.relu(), conv5.relu(), first * second.sigmoid()
        weights = gates.unsqueeze(-1)  # [edges, operations, 1]
        mixed = x.unsqueeze(-2) * weights[:, OPERATIONS.index("skip")]
        for place, part in enumerate(parts):
            mixed = mixed + part * weights[:, place]
        return mixed

    def _middle(self) -> slice:
        """The three of the five windowed tokens that the shorter convolution sees: the last ones, or the middle."""
        begin = LONGEST - 3 - self.ahead // 2
        return slice(begin * self.inner, (begin + 3) * self.inner)


def edges_from(source: int) -> list[int]:
    """The places, in EDGES, of the edges that leave a source."""
    return [place for place, (begin, _) in enumerate(EDGES) if begin == source]


def shifted(x: Tensor, ahead: int) -> Tensor:
    """[batch, tokens, c] -> [batch, tokens, 5 c]: for each token the window of five that ends `ahead` after it."""
    tokens = x.shape[-2]
    wide = functional.pad(x, (0, 0, LONGEST - 1 - ahead, ahead))
    return torch.cat([wide[..., place : place + tokens, :] for place in range(LONGEST)], dim=-1)


def in_words(structure: Sequence[int]) -> list[str]:
    """A structure for a reader: each edge with its operation."""
    return [
        f"{SOURCES[source]} -> node{node}: {OPERATIONS[operation]}"
        for (source, node), operation in zip(EDGES, structure, strict=True)
    ]
