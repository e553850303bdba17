"""How near the nearest word came: what to tell a person who hears nothing back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from device_runtime.arithmetic import Float32


class Nearest:
    """Follows the smoothed scores of a stream in which nothing fires.

    >>> nearest = Nearest(("yes", "no"), {"yes": 0.8})
    >>> nearest.take(np.array([0.4, 0.6], np.float32), time_s=1.5)
    >>> nearest.told()
    'nothing fired in 1.5 s; yes came nearest, 0.40 of the 0.80 that it needs. To hear more: --threshold yes=0.36'
    """

    def __init__(self, labels: Sequence[str], thresholds: Mapping[str, float], window_steps: int = 1):
        self._labels = labels
        self._too_early = window_steps - 1  # steps in which nothing can fire yet
        self._thresholds = np.array([thresholds.get(label, np.inf) for label in labels])  # (labels,)
        self._peaks = np.zeros(len(labels))
        self._time_s = 0.0

    def take(self, scores: Float32, time_s: float) -> None:
        """The smoothed scores (labels,) of one step."""
        self._time_s = time_s
        if self._too_early > 0:
            self._too_early -= 1
        else:
            self._peaks = np.maximum(self._peaks, scores)

    def told(self) -> str:
        """One line for a person."""
        share = self._peaks / np.maximum(self._thresholds, 1e-9)
        best = int(np.argmax(share))
        if share[best] <= 0:
            return f"nothing fired in {self._time_s:.1f} s"
        label, peak, wanted = self._labels[best], float(self._peaks[best]), float(self._thresholds[best])
        threshold = f"{label}={0.9 * peak:.2f}"
        shown = f'"{threshold}"' if " " in threshold else threshold
        return (
            f"nothing fired in {self._time_s:.1f} s; {label} came nearest, {peak:.2f} of the {wanted:.2f} that it "
            f"needs. To hear more: --threshold {shown}"
        )
