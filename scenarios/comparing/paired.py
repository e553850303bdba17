"""Two models on the same examples: is the difference more than luck, and how large may it be?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from device_runtime.intervals import wilson


@dataclass(frozen=True)
class Paired:
    """How often both models were right, only the first, only the second, or neither.

    >>> Paired(both=90, first=6, second=1, neither=3).difference
    -0.05
    """

    both: int
    first: int
    second: int
    neither: int

    @property
    def examples(self) -> int:
        """All of them."""
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the second less that of the first."""
        return (self.second - self.first) / self.examples

    @property
    def p_value(self) -> float:
        """Of no difference, by the exact test of McNemar (1947), two-sided: each flip went either way by a coin."""
        flips, fewer = self.first + self.second, min(self.first, self.second)
        tail = sum(math.comb(flips, k) for k in range(fewer + 1))
        return min(1.0, 2 * tail / 2**flips) if flips < 1000 else _by_logarithms(flips, fewer)

    @property
    def interval_95(self) -> tuple[float, float]:
        """Of the difference: Newcombe (1998), Statistics in Medicine 17:2635, method 10, from Wilson's intervals."""
        n = self.examples
        first, second = (self.both + self.first) / n, (self.both + self.second) / n
        low_1, high_1 = wilson(self.both + self.first, n)
        low_2, high_2 = wilson(self.both + self.second, n)
        shared = self._correlation()

        def distance(a: float, b: float) -> float:
            return math.sqrt(max(0.0, a * a - 2 * shared * a * b + b * b))

        return (
            second - first - distance(second - low_2, high_1 - first),
            second - first + distance(high_2 - second, first - low_1),
        )

    def _correlation(self) -> float:
        """Of the two models' answers, drawn towards zero by half an example."""
        n = self.examples
        margins = (self.both + self.first, self.second + self.neither, self.both + self.second)
        product = math.prod(margins) * (self.first + self.neither)
        if not product:
            return 0.0
        cross = float(self.both * self.neither - self.first * self.second)
        if cross > 0:
            cross = max(0.0, cross - n / 2)
        return cross / math.sqrt(product)


def _by_logarithms(flips: int, fewer: int) -> float:
    """The same sum where its terms leave a float."""
    all_ways = math.lgamma(flips + 1) - flips * math.log(2)
    tail = math.fsum(math.exp(all_ways - math.lgamma(k + 1) - math.lgamma(flips - k + 1)) for k in range(fewer + 1))
    return min(1.0, 2 * tail)
