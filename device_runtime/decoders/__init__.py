"""Decoders: scores in, events out. A kind in the manifest becomes a decoder here and nowhere else.

Words have one kind, `smooth`. Sensors have several: to add one, write a module with a class that is a `SeriesDecoder`,
a line in SERIES_DECODERS, and a check of its settings in `settings.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from device_runtime.decoders.anomaly import AnomalyDecoder
from device_runtime.decoders.estimate import EstimateDecoder
from device_runtime.decoders.forecast import ForecastDecoder
from device_runtime.decoders.series import Sensors, SeriesDecoder, SeriesStep
from device_runtime.decoders.smooth import Armed, Decoded, Decoder, Float64, Smooth
from device_runtime.errors import BundleError

__all__ = [
    "DECODERS",
    "SERIES_DECODERS",
    "AnomalyDecoder",
    "Armed",
    "Decoded",
    "Decoder",
    "EstimateDecoder",
    "Float64",
    "ForecastDecoder",
    "Sensors",
    "SeriesDecoder",
    "SeriesStep",
    "Smooth",
    "decoder",
    "series_decoder",
]

Made = TypeVar("Made")

DECODERS: dict[str, Callable[..., Smooth]] = {"smooth": Smooth}
SERIES_DECODERS: dict[str, Callable[..., SeriesDecoder]] = {
    "forecast": ForecastDecoder,
    "estimate": EstimateDecoder,
    "anomaly": AnomalyDecoder,
}


def decoder(settings: Mapping[str, Any], labels: Sequence[str], frame_s: float) -> Smooth:
    """The decoder of words that a manifest describes."""
    return _made(settings, DECODERS, labels=labels, frame_s=frame_s)


def series_decoder(settings: Mapping[str, Any], labels: Sequence[str], sensors: Sensors) -> SeriesDecoder:
    """The decoder of sensors that a manifest describes; `labels` are what the model's scores stand for."""
    return _made(settings, SERIES_DECODERS, labels=labels, sensors=sensors)


def _made(settings: Mapping[str, Any], known: Mapping[str, Callable[..., Made]], **given: Any) -> Made:
    options = dict(settings)
    kind = options.pop("kind", None)
    if kind not in known:
        raise BundleError(
            f"the decoder {kind!r} is unknown, expected one of: {', '.join(known)}. "
            "Upgrade with: pip install -U tinyrnn-runtime"
        )
    try:
        inspect.signature(known[kind]).bind(**given, **options)
    except TypeError as error:
        raise BundleError(
            f"the settings of the decoder {kind!r} do not fit it: {error}. Get the bundle again"
        ) from error
    return known[kind](**given, **options)
