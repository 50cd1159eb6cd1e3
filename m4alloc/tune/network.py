"""A network with two hidden layers, its gradients and its optimiser: all that the built-in agent needs, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Layers = tuple[Matrix, ...]
"""Weights and biases in turn: first hidden layer, second hidden layer, outputs."""

Cache = tuple[Matrix, Matrix, Matrix]
"""What the layers were given, one row an example: forward keeps it for backward."""


def layers(inputs: int, hidden: int, outputs: int, rng: np.random.Generator, *, last: float = 1.0) -> Layers:
    """Orthogonal weights and no biases: signals neither grow nor fade on the way through.

    last: scale of the output's weights; a small one makes a policy begin near the uniform distribution.

    >>> [layer.shape for layer in layers(3, 8, 2, np.random.default_rng(0))]
    [(3, 8), (8,), (8, 8), (8,), (8, 2), (2,)]
    """
    sizes = (inputs, hidden, hidden, outputs)
    found: list[Matrix] = []
    for number, (above, below) in enumerate(pairwise(sizes)):
        tall = rng.standard_normal((max(above, below), min(above, below)))
        square, corner = np.linalg.qr(tall)
        square = square * np.sign(np.diag(corner))
        weights = square if above >= below else square.T
        found += [weights * (last if number == 2 else np.sqrt(2.0)), np.zeros(below)]
    return tuple(found)


def forward(net: Layers, rows: Matrix) -> tuple[Matrix, Cache]:
    """The outputs for each row of inputs, and what backward needs; hidden layers are tanh, outputs linear."""
    first = np.tanh(rows @ net[0] + net[1])
    second = np.tanh(first @ net[2] + net[3])
    return second @ net[4] + net[5], (rows, first, second)


def backward(net: Layers, cache: Cache, slopes: Matrix) -> Layers:
    """The gradient of a loss by every weight, from its gradient by the outputs; shaped like the network."""
    rows, first, second = cache
    into_second = (slopes @ net[4].T) * (1.0 - second**2)
    into_first = (into_second @ net[2].T) * (1.0 - first**2)
    return (
        rows.T @ into_first,
        into_first.sum(axis=0),
        first.T @ into_second,
        into_second.sum(axis=0),
        second.T @ slopes,
        slopes.sum(axis=0),
    )


def log_probabilities(logits: Matrix, masks: Mask) -> Matrix:
    """Logarithms of a categorical distribution over what the mask allows; minus infinity where it does not.

    Every row allows something. Nothing overflows, however large the logits are.

    >>> np.exp(log_probabilities(np.array([[1e9, 5.0, 5.0]]), np.array([[False, True, True]])))
    array([[0. , 0.5, 0.5]])
    """
    allowed = np.where(masks, logits, -np.inf)
    top = allowed.max(axis=1, keepdims=True)
    shifted: Matrix = allowed - top
    total: Matrix = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted - total


def entropy_and_slopes(logs: Matrix) -> tuple[Matrix, Matrix]:
    """The entropy of each row's distribution in nats, and its gradient by the logits; logs: log_probabilities.

    >>> entropy_and_slopes(np.log(np.array([[0.5, 0.5]])))[0].round(4)
    array([0.6931])
    """
    chances = np.exp(logs)
    finite = np.where(chances > 0.0, logs, 0.0)
    entropy: Matrix = -(chances * finite).sum(axis=1)
    return entropy, -chances * (finite + entropy[:, None])


def clipped(gradient: Layers, most: float) -> Layers:
    """The gradient, shortened to a length of at most `most`.

    >>> clipped((np.array([3.0, 4.0]),), 1.0)
    (array([0.6, 0.8]),)
    """
    length = float(np.sqrt(sum(float((part**2).sum()) for part in gradient)))
    return gradient if length <= most else tuple(part * (most / length) for part in gradient)


@dataclass(slots=True)
class Adam:
    """Steps whose length does not depend on the gradient's scale (Kingma and Ba, 2015)."""

    rate: float = 3e-4
    first: float = 0.9
    second: float = 0.999
    small: float = 1e-8
    _steps: int = 0
    _means: list[Matrix] = field(default_factory=list)
    _squares: list[Matrix] = field(default_factory=list)

    def step(self, net: Layers, gradient: Sequence[Matrix]) -> Layers:
        """The network one step downhill; the one given is left as it is.

        >>> Adam(rate=0.1).step((np.array([1.0]),), (np.array([7.0]),))[0].round(3)
        array([0.9])
        """
        if not self._means:
            self._means = [np.zeros_like(part) for part in net]
            self._squares = [np.zeros_like(part) for part in net]
        self._steps += 1
        stepped = []
        for number, (part, slope) in enumerate(zip(net, gradient, strict=True)):
            mean = self._means[number] = self.first * self._means[number] + (1 - self.first) * slope
            square = self._squares[number] = self.second * self._squares[number] + (1 - self.second) * slope**2
            mean = mean / (1 - self.first**self._steps)
            square = square / (1 - self.second**self._steps)
            stepped.append(part - self.rate * mean / (np.sqrt(square) + self.small))
        return tuple(stepped)
