"""A quantity that the model estimates at each step, such as remaining life: a score times a scale, up to a cap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.decoders.series import Float64, Sensors, SeriesStep
from device_runtime.errors import BundleError
from device_runtime.events import Estimate, Event
from device_runtime.snapshots import Snapshot


class EstimateDecoder:
    """Every step gives one Estimate: its middle score times `scale`, 0 to `cap`, with an interval.

    Of several scores the first and the last are the interval's ends, as their labels (p10, p50, p90) say; `below` and
    `above`, from validation data and in the estimate's own unit, widen it on either side. Where the truth reaches the
    cap, so does the upper end.

    >>> sensors = Sensors(("t",), np.zeros(1), np.ones(1), interval_s=1.0, segment=1, every=1, longest=1)
    >>> decoder = EstimateDecoder(["life"], sensors, name="remaining_life", scale=125.0, cap=125.0, below=10, above=5)
    >>> step = SeriesStep(1.0, *(np.zeros((1, 1), np.float32),) * 2, np.array([[0.4]], np.float32),
    ...     np.zeros(1, np.float32), np.ones(1, bool))
    >>> decoder.push(step)[0].line()
    '1.0 s  remaining_life  50 (40 to 55)'
    """

    def __init__(
        self,
        labels: Sequence[str],
        sensors: Sensors,
        name: str,
        scale: float,
        cap: float,
        below: float = 0.0,
        above: float = 0.0,
    ):
        if len(labels) % 2 == 0:
            raise BundleError(
                f"an estimate needs one label, or an odd number of quantiles with the median in the middle, got "
                f"{len(labels)}. Get the bundle again"
            )
        self.name, self.scale, self.cap = name, float(scale), float(cap)
        self._below, self._above = float(below), float(above)

    def push(self, step: SeriesStep) -> list[Event]:
        """Take one step; return its estimate."""
        values: Float64 = np.sort(step.scores.reshape(-1).astype(np.float64)) * self.scale
        ends = values[0] - self._below, values[len(values) // 2], values[-1] + self._above
        low, value, high = (float(min(max(end, 0.0), self.cap)) for end in ends)
        return [Estimate(step.time_s, self.name, value, low, high)]

    def reset(self) -> None:
        """It remembers nothing."""

    def snapshot(self) -> Snapshot:
        """It remembers nothing."""
        return {}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """It remembers nothing."""
