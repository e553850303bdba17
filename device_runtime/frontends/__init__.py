"""Front ends: samples in, frames out. A kind in the manifest becomes a front end here and nowhere else.

To add one: write a module with a class that is a `Frontend`, a line in FRONTENDS, and a check of its settings in
`settings.py`. A `LookbackFrontend` gives whole windows in place of frames.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from device_runtime.errors import BundleError
from device_runtime.frontends.adaptive import AdaptiveFrontend
from device_runtime.frontends.frame import Frame, Frontend
from device_runtime.frontends.lookback import LookbackFrontend, Window
from device_runtime.frontends.speech import SpeechFrontend
from device_runtime.frontends.window import WindowFrontend

__all__ = [
    "FRONTENDS",
    "AdaptiveFrontend",
    "Frame",
    "Frontend",
    "LookbackFrontend",
    "SpeechFrontend",
    "Window",
    "WindowFrontend",
    "frontend",
]

FRONTENDS: dict[str, Callable[..., Frontend | LookbackFrontend]] = {
    "speech": SpeechFrontend,
    "window": WindowFrontend,
    "lookback": LookbackFrontend,
    "adaptive": AdaptiveFrontend,
}


def frontend(settings: Mapping[str, Any]) -> Frontend | LookbackFrontend:
    """The front end that a manifest describes.

    >>> frontend({"kind": "speech", "stack": 1, "stride": 1}).feature_size
    40
    """
    options = dict(settings)
    kind = options.pop("kind", None)
    if kind not in FRONTENDS:
        raise BundleError(
            f"the front end {kind!r} is unknown, expected one of: {', '.join(FRONTENDS)}. "
            "Upgrade with: pip install -U tinyrnn-runtime"
        )
    try:
        inspect.signature(FRONTENDS[kind]).bind(**options)
    except TypeError as error:
        raise BundleError(
            f"the settings of the front end {kind!r} do not fit it: {error}. Get the bundle again"
        ) from error
    return FRONTENDS[kind](**options)
