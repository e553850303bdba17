"""The cells that a student may recur with: a config for each, which makes its layer and counts its weights.

Every layer takes (batch, steps, inputs) and the state before them, or None at the start, and gives
(batch, steps, hidden) and the state behind them: one tensor, so that states are carried alike whatever the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NoReturn, Protocol, cast

import torch
from torch import nn

from device_runtime.errors import InputError
from train.elementwise import MinGruLayer, SruLayer
from train.fast_grnn import FastGrnnLayer


class Cell(Protocol):
    """A way to recur."""

    @property
    def name(self) -> str:
        """In tables and in the names of trainings."""

    @property
    def deployed(self) -> bool:
        """A bundle can hold it."""

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """A layer of so many units."""

    def weights(self, inputs: int, hidden: int) -> int:
        """Of the layer, which are its bytes in int8; biases and single numbers are not counted."""


@dataclass(frozen=True)
class Vanilla:
    """h' = tanh(W x + U h + b) (Elman 1990)."""

    name: ClassVar[str] = "vanilla"
    deployed: ClassVar[bool] = False

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """As torch has it."""
        return nn.RNN(inputs, hidden, batch_first=True)

    def weights(self, inputs: int, hidden: int) -> int:
        """W and U."""
        return hidden * (inputs + hidden)

    def both_ways(self, inputs: int, hidden: int, layers: int, dropout: float) -> nn.Module:
        """Layers that hear the whole clip forwards and backwards: (batch, steps, 2 * hidden)."""
        return nn.RNN(inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)


@dataclass(frozen=True)
class Gru:
    """r, z = s(W x + U h + b), n = tanh(W x + r (U h + b)), h' = n + z (h - n) (Cho et al. 2014, arXiv:1406.1078).

    Reset after the product, as torch and `device_runtime.arithmetic` have it.
    """

    name: ClassVar[str] = "gru"
    deployed: ClassVar[bool] = True

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """As torch has it."""
        return nn.GRU(inputs, hidden, batch_first=True)

    def weights(self, inputs: int, hidden: int) -> int:
        """W and U of two gates and the candidate."""
        return 3 * hidden * (inputs + hidden)

    def both_ways(self, inputs: int, hidden: int, layers: int, dropout: float) -> nn.Module:
        """Layers that hear the whole clip forwards and backwards: (batch, steps, 2 * hidden)."""
        return nn.GRU(inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)


@dataclass(frozen=True)
class Lstm:
    """i, f, o = s(W x + U h + b), c' = f c + i tanh(W x + U h + b), h' = o tanh(c') (Hochreiter & Schmidhuber 1997).

    With forget gates (Gers et al. 2000), which begin half open and more (Jozefowicz et al. 2015).
    """

    name: ClassVar[str] = "lstm"
    deployed: ClassVar[bool] = False

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """As torch has it, with its two states in one tensor."""
        return LstmLayer(inputs, hidden)

    def weights(self, inputs: int, hidden: int) -> int:
        """W and U of three gates and the candidate."""
        return 4 * hidden * (inputs + hidden)

    def both_ways(self, inputs: int, hidden: int, layers: int, dropout: float) -> nn.Module:
        """Layers that hear the whole clip forwards and backwards: (batch, steps, 2 * hidden)."""
        return nn.LSTM(inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)


class LstmLayer(nn.Module):
    """An LSTM whose state is one tensor: h and c, (2, batch, hidden)."""

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        with torch.no_grad():
            cast(torch.Tensor, self.lstm.bias_ih_l0)[hidden : 2 * hidden] += 1.0

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, steps, inputs) -> (batch, steps, hidden), and the state behind them."""
        y, (h, c) = self.lstm(x, None if state is None else (state[:1].contiguous(), state[1:].contiguous()))
        return y, torch.cat([h, c])


@dataclass(frozen=True)
class Sru:
    """f, r = s(W x + v c + b), c' = f c + (1 - f) W x, h' = r c' + (1 - r) W x (Lei et al. 2018, arXiv:1709.02755).

    Units hear of each other only through their inputs, so a step is a few products of vectors. The inputs pass by on a
    matrix of their own even where they are as many as the units.
    """

    memory: int = 32
    """Steps; forget gates begin so that units remember from 1 to so many (Tallec & Ollivier 2018, arXiv:1804.11188)."""

    name: ClassVar[str] = "sru"
    deployed: ClassVar[bool] = True

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """Written out here."""
        return SruLayer(inputs, hidden, self.memory)

    def weights(self, inputs: int, hidden: int) -> int:
        """W of the candidate, two gates and the inputs that pass by, and v of the gates."""
        return 4 * hidden * inputs + 2 * hidden


@dataclass(frozen=True)
class MinGru:
    """z = s(W x + b), h' = (1 - z) h + z tanh(W x + b) (Feng et al. 2024, arXiv:2410.01201).

    The paper leaves out the tanh; with it the state stays between -1 and 1, as int8 arithmetic wants it.
    """

    memory: int = 32
    """Steps; update gates begin so that units remember from 1 to so many."""

    name: ClassVar[str] = "mingru"
    deployed: ClassVar[bool] = False

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """Written out here."""
        return MinGruLayer(inputs, hidden, self.memory)

    def weights(self, inputs: int, hidden: int) -> int:
        """W of the gate and the candidate."""
        return 2 * hidden * inputs


@dataclass(frozen=True)
class FastGrnn:
    """z = s(W x + U h + b), n = tanh(W x + U h + b'), h' = (zeta (1 - z) + nu) n + z h, zeta and nu two numbers.

    Gate and candidate share one W and one U, each a product of two thin matrices (Kusupati et al. 2018,
    arXiv:1901.02358).
    """

    input_rank: int | None = None
    """Of W; None leaves it whole."""

    state_rank: int | None = None
    """Of U; None leaves it whole."""

    name: ClassVar[str] = "fastgrnn"
    deployed: ClassVar[bool] = False

    def layer(self, inputs: int, hidden: int) -> nn.Module:
        """Written out here. InputError where a rank is no rank of its matrix."""
        for rank, columns in ((self.input_rank, inputs), (self.state_rank, hidden)):
            if rank is not None and not 1 <= rank <= min(hidden, columns):
                raise InputError(
                    f"FastGRNN got rank {rank} for a matrix of {hidden} x {columns}: a rank is at least 1 and at most "
                    "the smaller side. Lower it, or leave it out for a whole matrix."
                )
        return FastGrnnLayer(inputs, hidden, self.input_rank, self.state_rank)

    def weights(self, inputs: int, hidden: int) -> int:
        """The factors of W and U."""
        of_w = hidden * inputs if self.input_rank is None else self.input_rank * (hidden + inputs)
        return of_w + (hidden * hidden if self.state_rank is None else self.state_rank * 2 * hidden)


@dataclass(frozen=True)
class Bidirectional:
    """A cell that hears the clip forwards and backwards (Schuster & Paliwal 1997): for teachers."""

    cell: Vanilla | Gru | Lstm = Gru()
    deployed: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """In tables and in the names of trainings."""
        return f"bidirectional {self.cell.name}"

    def layers(self, inputs: int, hidden: int, layers: int, dropout: float) -> nn.Module:
        """Layers of so many units in each direction: (batch, steps, inputs) -> (batch, steps, 2 * hidden)."""
        return self.cell.both_ways(inputs, hidden, layers, dropout)

    def layer(self, inputs: int, hidden: int) -> NoReturn:
        """InputError: a student hears nothing of the future."""
        raise InputError(
            f"a student cannot be {self.name}: it streams, and knows nothing of the steps to come. "
            f"Give the student {type(self.cell).__name__}(), and this to its teacher."
        )

    def weights(self, inputs: int, hidden: int) -> NoReturn:
        """InputError, as for a layer."""
        self.layer(inputs, hidden)
