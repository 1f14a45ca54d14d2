"""TAMS's search cell against plain computations: edge by edge, its padding, its gates, its controller, its sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from harness.adaptations.tams_cell import (
    EDGE_NAMES,
    EDGES,
    OPERATIONS,
    Cell,
    Controller,
    gumbel,
    straight_through,
    structure_of,
)

FEATURES, REDUCED, TOKENS = 12, 5, 7
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-10}  # in double precision


def made_cell(causal: bool, seed: int = 0) -> Cell:
    """A cell in double precision whose every parameter is random."""
    torch.manual_seed(seed)
    cell = Cell(FEATURES, REDUCED, causal).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return cell


def made_input(rows: int = 2) -> tuple[Tensor, Tensor]:
    """y, with padding at the end of every second row."""
    mask = torch.ones(rows, TOKENS, dtype=torch.long)
    mask[1::2, TOKENS - 3 :] = 0
    return torch.randn(rows, TOKENS, FEATURES, dtype=torch.double, generator=torch.Generator().manual_seed(1)), mask


def soft_gates(seed: int = 2) -> Tensor:
    drawn = torch.randn(len(EDGES), len(OPERATIONS), dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    return drawn.softmax(-1)


def one_hot_gates(seed: int = 2) -> Tensor:
    return functional.one_hot(soft_gates(seed).argmax(-1), len(OPERATIONS)).double()


def plain(cell: Cell, sentence: Tensor, gates: Tensor) -> Tensor:
    """The cell on one sentence without padding, [tokens, features]: token by token, written from the paper."""
    p = dict(cell.named_parameters())
    length, zero = len(sentence), torch.zeros(REDUCED, dtype=torch.double)
    states = {
        f"in{which + 1}": [torch.relu(p["enter"][which] @ token + p["enter_bias"][which]) for token in sentence]
        for which in (0, 1)
    }

    def convolved(name: str, edge: int, x: list[Tensor], at: int) -> Tensor:
        weight = p[name][edge]
        size = weight.shape[-1]
        first = at - (size - 1) if cell.causal else at - size // 2
        total = p[f"{name}_bias"][edge]
        for tap in range(size):
            if 0 <= first + tap < length:
                total = total + weight[:, :, tap] @ x[first + tap]
        return torch.relu(total)

    def operated(name: str, edge: int, x: list[Tensor], at: int) -> Tensor:
        if name == "linear":
            return torch.relu(p["linear"][edge] @ x[at] + p["linear_bias"][edge])
        if name == "glu":
            both = p["glu"][edge] @ x[at] + p["glu_bias"][edge]
            return both[:REDUCED] * torch.sigmoid(both[REDUCED:])
        if name in ("conv3", "conv5"):
            return convolved(name, edge, x, at)
        return {"zeroize": zero, "skip": x[at]}[name]

    for node in ("node0", "node1", "node2"):
        states[node] = []
        for at in range(length):
            total = zero
            for edge, name in enumerate(EDGE_NAMES):
                source, target = name.split("->")
                if target == node:
                    for place, operation in enumerate(OPERATIONS):
                        total = total + gates[edge, place] * operated(operation, edge, states[source], at)
            states[node].append(total)
    out = []
    for at in range(length):
        mean = (states["node0"][at] + states["node1"][at] + states["node2"][at]) / 3
        out.append(sentence[at] + p["leave"] @ mean + p["leave_bias"])
    return torch.stack(out)


def test_there_are_nine_edges_and_six_operations() -> None:
    wanted = {"in1->node0", "in2->node0", "in1->node1", "in2->node1", "node0->node1"}
    wanted |= {"in1->node2", "in2->node2", "node0->node2", "node1->node2"}
    assert set(EDGE_NAMES) == wanted
    assert len(EDGE_NAMES) == 9
    assert set(OPERATIONS) == {"linear", "conv3", "conv5", "glu", "zeroize", "skip"}


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("made", [soft_gates, one_hot_gates])
def test_cell_is_its_edges_in_a_loop(causal: bool, made: Callable[[], Tensor]) -> None:
    cell, (y, mask) = made_cell(causal), made_input()
    parameters = [*cell.parameters()]
    real = mask.bool()

    def grown(compute: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        """The values of real tokens, and a loss's gradients of the gates and of every parameter."""
        gates = made().requires_grad_()
        values = compute(gates)
        weights = torch.randn(values.shape, dtype=torch.double, generator=torch.Generator().manual_seed(3))
        return values, *torch.autograd.grad((values * weights).sum(), [gates, *parameters])

    def looped(gates: Tensor) -> Tensor:
        return torch.cat([plain(cell, row[seen], gates) for row, seen in zip(y, real, strict=True)])

    ours, wanted = grown(lambda gates: cell(y, mask, gates)[real]), grown(looped)
    if made is soft_gates:
        assert all(value.abs().max() > 0 for value in wanted)
    for found, its in zip(ours, wanted, strict=True):
        torch.testing.assert_close(found, its, **CLOSE)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_structure_is_its_one_hot_gates(causal: bool, seed: int) -> None:
    cell, (y, mask) = made_cell(causal), made_input()
    gates = one_hot_gates(seed)
    torch.testing.assert_close(cell(y, mask, structure_of(gates)), cell(y, mask, gates), **CLOSE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_alone_serves_every_edge(operation: Any) -> None:
    cell, (y, mask) = made_cell(causal=True), made_input()
    gates = torch.zeros(len(EDGES), len(OPERATIONS), dtype=torch.double)
    gates[:, OPERATIONS.index(operation)] = 1
    found = cell(y, mask, (operation,) * len(EDGES))
    torch.testing.assert_close(found, cell(y, mask, gates), **CLOSE)
    torch.testing.assert_close(found[0], plain(cell, y[0], gates), **CLOSE)


@pytest.mark.parametrize(("causal", "padding"), [(True, None), (False, "same")])
@pytest.mark.parametrize("name", ["conv3", "conv5"])
def test_convolutions_read_a_sentence_as_if_alone(causal: bool, padding: Any, name: Any) -> None:
    """Padding at either side of a sentence gives what torch's own convolution gives of the sentence."""
    cell = made_cell(causal)
    x = torch.randn(1, 9, REDUCED, dtype=torch.double)
    for begin, end in ((0, 6), (3, 9), (0, 9)):
        mask = torch.zeros(1, 9)
        mask[:, begin:end] = 1
        gates = (name,) * len(EDGES)
        found = next(iter(cell._values(x, mask, gates, range(4, 5))))[0, begin:end]
        weight, bias = getattr(cell, name)[4], getattr(cell, f"{name}_bias")[4]
        alone = x[:, begin:end].transpose(1, 2)
        if causal:
            alone = functional.pad(alone, (weight.shape[-1] - 1, 0))
        wanted = functional.conv1d(alone, weight, bias, padding=padding or 0).relu()[0].T
        torch.testing.assert_close(found, wanted, **CLOSE)


def test_straight_through_is_hard_forward_and_soft_backward() -> None:
    scores = torch.randn(len(EDGES), len(OPERATIONS), requires_grad=True)
    weights = torch.randn(len(EDGES), len(OPERATIONS))
    for temperature in (0.5, 1.0, 3.0):
        gates = straight_through(scores, temperature)
        assert torch.equal(gates, functional.one_hot(scores.argmax(-1), len(OPERATIONS)).float())
        (found,) = torch.autograd.grad((gates * weights).sum(), scores)
        soft = (scores / temperature).softmax(-1).detach()
        wanted = soft * (weights - (soft * weights).sum(-1, keepdim=True)) / temperature  # softmax's Jacobian
        torch.testing.assert_close(found, wanted)


def test_straight_through_passes_the_gradient_at_the_hard_choice() -> None:
    """What reaches the gates is the gradient of the cell where the choice is made, not of the soft mixture."""
    cell, (y, mask) = made_cell(causal=True), made_input()
    scores = torch.randn(len(EDGES), len(OPERATIONS), dtype=torch.double, requires_grad=True)
    (found,) = torch.autograd.grad(cell(y, mask, straight_through(scores, 1.0)).square().sum(), scores)
    hard = functional.one_hot(scores.argmax(-1), len(OPERATIONS)).double().requires_grad_()
    (at_hard,) = torch.autograd.grad(cell(y, mask, hard).square().sum(), hard)
    (wanted,) = torch.autograd.grad(scores.softmax(-1), scores, at_hard)
    torch.testing.assert_close(found, wanted, **CLOSE)


def test_gumbel_noise_draws_from_the_softmax() -> None:
    """The largest of logits and noise is operation m with probability softmax(logits)[m]."""
    torch.manual_seed(0)
    scores = torch.tensor([1.0, 0.0, -1.0, 0.5, 2.0, -0.5])
    drawn = (scores + gumbel(torch.Size([20000, 6]), torch.device("cpu"))).argmax(-1)
    shares = drawn.bincount(minlength=6) / len(drawn)
    torch.testing.assert_close(shares, scores.softmax(-1), rtol=0, atol=0.015)


def test_controller_is_a_perceptron_of_two_layers() -> None:
    torch.manual_seed(0)
    controller = Controller(FEATURES)
    with torch.no_grad():
        for tensor in [*controller.parameters(), controller.embedding]:
            tensor.copy_(torch.randn_like(tensor))
    p = dict(controller.named_parameters())
    z = controller.embedding.tolist()
    rows, biases = p["first"].tolist(), p["first_bias"].tolist()
    hidden = [
        max(0.0, bias + sum(a * b for a, b in zip(row, z, strict=True))) for row, bias in zip(rows, biases, strict=True)
    ]
    for edge in range(len(EDGES)):
        wanted = p["second"][edge] @ torch.tensor(hidden) + p["second_bias"][edge]
        torch.testing.assert_close(controller()[edge], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
def test_many_cells_in_one_call_are_a_loop(causal: bool) -> None:
    """Stacked parameters and an alpha each, as meta-learning has them: values and second derivatives."""
    cells = [made_cell(causal, seed) for seed in range(3)]
    y, mask = made_input()
    scores = torch.stack([soft_gates(seed).log() for seed in range(3)])
    inputs = torch.stack([y + task for task in range(3)])
    held = [{name: value.detach() for name, value in cell.named_parameters()} for cell in cells]
    stacked = {name: torch.stack([its[name] for its in held]) for name in held[0]}

    def value(parameters: dict[str, Tensor], x: Tensor, score: Tensor) -> Tensor:
        out: Tensor = functional_call(cells[0], parameters, (x, mask, score.softmax(-1)))
        return out

    def second(parameters: dict[str, Tensor], x: Tensor, score: Tensor) -> Any:
        def loss(parameters: dict[str, Tensor], score: Tensor) -> Tensor:
            return value(parameters, x, score).tanh().sum()

        def norm(parameters: dict[str, Tensor], score: Tensor) -> Tensor:
            return sum((g.square().sum() for g in grad(loss)(parameters, score).values()), torch.zeros(()))

        return grad(norm, argnums=(0, 1))(parameters, score)

    torch.testing.assert_close(
        vmap(value)(stacked, inputs, scores),
        torch.stack([value(*its) for its in zip(held, inputs, scores, strict=True)]),
        **CLOSE,
    )
    found, found_scores = vmap(second)(stacked, inputs, scores)
    for task in range(3):
        wanted, wanted_scores = second(held[task], inputs[task], scores[task])
        torch.testing.assert_close(found_scores[task], wanted_scores, **CLOSE)
        for name, its in wanted.items():
            torch.testing.assert_close(found[name][task], its, **CLOSE)


def size(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_sizes_are_the_papers() -> None:
    """Width 64: BART-base 0.557M a layer and 6.7M in all; GPT-2 medium 14.5M, and 7.0M for its usual structure."""
    bart, gpt2 = Cell(768, 64, True), Cell(1024, 64, True)
    assert round(size(bart) / 1e6, 3) == 0.557
    assert round(12 * size(bart) / 1e6, 1) == 6.7
    assert round(24 * size(gpt2) / 1e6, 1) == 14.5
    assert round(size(Controller(768)) / 1e3) == 105
    of_edge = {name: getattr(gpt2, name)[0].numel() + getattr(gpt2, f"{name}_bias")[0].numel() for name in
               ("linear", "conv3", "conv5", "glu")}  # fmt: skip
    candidates = len(EDGES) * sum(of_edge.values())
    usual = size(gpt2) - candidates + 4 * of_edge["conv5"] + of_edge["conv3"]
    assert round(24 * usual / 1e6, 1) == 7.0
