"""tinyrnn on a device: open a bundle, push samples of sound or of sensors, get events.

>>> session = Session.open("demo.bundle")  # doctest: +SKIP
>>> session.push(samples)  # doctest: +SKIP
[Detection(label='yes', time_s=1.25, score=0.93)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device_runtime.errors import BundleError, EngineError, InputError, PromiseError, TinyRnnError
from device_runtime.events import Anomaly, Detection, Drift, Estimate, Event, Forecast, Gap

if TYPE_CHECKING:
    from device_runtime.session import Session

__all__ = [
    "Anomaly",
    "BundleError",
    "Detection",
    "Drift",
    "EngineError",
    "Estimate",
    "Event",
    "Forecast",
    "Gap",
    "InputError",
    "PromiseError",
    "Session",
    "TinyRnnError",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `Session`, and with it the tables, zip and JSON, when it is first asked for."""
    if name != "Session":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from device_runtime.session import Session

    return Session
