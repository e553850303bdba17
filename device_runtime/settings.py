"""What a manifest may say of front ends and decoders: each kind's settings, with bounds that no stranger can pass.

A bundle must not be able to ask for a gigabyte, an endless loop or a division by zero.
"""

from __future__ import annotations

from device_runtime.errors import BundleError
from device_runtime.fields import Fields
from device_runtime.frontends.lookback import LEVELS
from device_runtime.frontends.window import GAPS

MAX_FEATURES = 2**16
MAX_READINGS = 2_000_000
"""Of all channels of a sensor front end, a second."""

MAX_WINDOW_STEPS = 10_000
"""The decoder of words remembers the scores of so many steps."""

MAX_CHANNELS = 256
MAX_INTERVAL_S = 366 * 86_400
MIN_INTERVAL_S = 1 / 200_000
MAX_SEGMENTS = 10_000
MAX_LOOKBACK = 2**20
"""Values of all channels in a look-back, with their flags and codes: 4 MiB."""

MAX_POSITIONS = 1_000
MAX_HORIZON = 10_000
MAX_ALIVE = 2**23
"""Values of all forecasts that wait for what they foretold: 32 MiB."""

MAX_OFFSET = 1e6
MAX_ESTIMATE = 1e12
MAX_SURPRISE = 1e6
MAX_PAST = 100_000
"""Samples that an anomaly decoder looks back on."""

SPEECH_RANGES = {
    "sample_rate_hz": (1_000, 200_000),
    "window_ms": (1, 1_000),
    "hop_ms": (1, 1_000),
    "bands": (1, 1_024),
    "stack": (1, 256),
    "stride": (1, 256),
}


def check_frontend(frontend: Fields) -> float:
    """The seconds from one step to the next; BundleError for settings that cannot be."""
    return _FRONTENDS[frontend.choice("kind", tuple(_FRONTENDS))](frontend)


def check_decoder(decoder: Fields, frontend: Fields, labels: tuple[str, ...], frame_s: float) -> None:
    """BundleError for settings that cannot be, or that do not go with the front end, which has been checked."""
    _DECODERS[decoder.choice("kind", tuple(_DECODERS))](decoder, frontend, labels, frame_s)


def _speech(frontend: Fields) -> float:
    settings = {key: frontend.integer(key, low, high) for key, (low, high) in SPEECH_RANGES.items()}
    return settings["hop_ms"] * settings["stride"] / 1000


def _window(frontend: Fields) -> float:
    interval_s, segment, _ = _sensors(frontend, names_needed=False)
    if "forget" in frontend.values:
        frontend.integer("forget", 1, 2**31)
    return segment * interval_s


def _adaptive(frontend: Fields) -> float:
    interval_s = frontend.number("interval_s", MIN_INTERVAL_S, MAX_INTERVAL_S)
    if "channels" in frontend.values and len(frontend.texts("channels")) != 1:
        raise BundleError(f"{frontend.where}: frontend.channels must name one channel. Get the bundle again")
    if "forget" in frontend.values:
        frontend.integer("forget", 1, 2**31)
    return interval_s


def _lookback(frontend: Fields) -> float:
    interval_s, segment, channels = _sensors(frontend, names_needed=True)
    segments = frontend.integer("segments", 1, MAX_SEGMENTS)
    every = frontend.integer("every", 1, segment * segments)
    if "level" in frontend.values:
        frontend.choice("level", LEVELS)
    coded = frontend.truth("channel_code") if "channel_code" in frontend.values else False
    masked = frontend.values.get("gaps") == "mask"
    values = channels * segments * (segment * (2 if masked else 1) + (channels if coded else 0))
    if values > MAX_LOOKBACK:
        raise BundleError(
            f"{frontend.where}: a look-back of {values} values is more than {MAX_LOOKBACK}. Get the bundle again"
        )
    return every * interval_s


def _sensors(frontend: Fields, names_needed: bool) -> tuple[float, int, int]:
    """Interval, segment and number of channels."""
    interval_s = frontend.number("interval_s", MIN_INTERVAL_S, MAX_INTERVAL_S)
    segment = frontend.integer("segment", 1, MAX_FEATURES)
    channels = len(frontend.numbers("mean", -1e12, 1e12))
    deviations = len(frontend.numbers("std", 1e-12, 1e12))
    if names_needed or "channels" in frontend.values:
        names = frontend.texts("channels")
        for name in names:
            if names.count(name) > 1:
                raise BundleError(
                    f"{frontend.where}: frontend.channels must differ from one another, got {name!r} twice"
                )
        channels = max(channels, len(names))
        if len(names) != len(frontend.values["mean"]):
            raise BundleError(
                f"{frontend.where}: frontend.channels has {len(names)} names, but frontend.mean has "
                f"{len(frontend.values['mean'])} numbers"
            )
    if not 1 <= channels <= MAX_CHANNELS or channels != deviations:
        raise BundleError(
            f"{frontend.where}: frontend.mean and frontend.std must have one number for each of 1 to {MAX_CHANNELS} "
            f"channels, got {channels} and {deviations}"
        )
    if "gaps" in frontend.values:
        frontend.choice("gaps", tuple(GAPS))
    if channels / interval_s > MAX_READINGS:
        raise BundleError(
            f"{frontend.where}: {channels} channels every {interval_s:g} s are more than {MAX_READINGS} readings a "
            "second. Get the bundle again"
        )
    return interval_s, segment, channels


_FRONTENDS = {"speech": _speech, "window": _window, "lookback": _lookback, "adaptive": _adaptive}


def _smooth(decoder: Fields, frontend: Fields, labels: tuple[str, ...], frame_s: float) -> None:
    _needs(decoder, frontend, "speech", "window")
    steps = decoder.number("window_ms", 0, 10_000) / 1000 / frame_s
    if steps > MAX_WINDOW_STEPS:
        raise BundleError(
            f"{decoder.where}: decoder.window_ms spans {steps:.0f} steps of the model; at most {MAX_WINDOW_STEPS} are "
            "allowed. Get the bundle again"
        )
    decoder.number("release", 0, 1)
    decoder.number("refractory_ms", 0, 3_600_000)
    thresholds = decoder.object("thresholds")
    for label in thresholds.values:
        if label not in labels:
            raise BundleError(f"{decoder.where}: decoder.thresholds names {label!r}, which is not one of the labels")
        thresholds.number(label, 0, 1)


def _forecast(decoder: Fields, frontend: Fields, labels: tuple[str, ...], frame_s: float) -> None:
    _needs(decoder, frontend, "lookback")
    positions = decoder.integer("positions", 1, MAX_POSITIONS)
    channels, segment, every = len(frontend.values["mean"]), frontend.values["segment"], frontend.values["every"]
    horizon = positions * segment
    if horizon > MAX_HORIZON or channels * horizon * 2 * -(-horizon // every) > MAX_ALIVE:
        raise BundleError(
            f"{decoder.where}: forecasts of {horizon} values for {channels} channels, every {every} samples, are more "
            "than this runtime keeps. Get the bundle again"
        )
    for key, low, high in (("coverage", 0.01, 0.99), ("rate", 0.0, 1.0), ("drift", 1e-12, 0.5)):
        if key in decoder.values:
            decoder.number(key, low, high)
    if "near" in decoder.values:
        decoder.integer("near", 1, MAX_HORIZON)
    for key in ("below", "above"):
        if key in decoder.values:
            decoder.numbers(key, -MAX_OFFSET, MAX_OFFSET)


def _estimate(decoder: Fields, frontend: Fields, labels: tuple[str, ...], frame_s: float) -> None:
    _needs(decoder, frontend, "window")
    decoder.text("name")
    decoder.number("scale", 1e-12, MAX_ESTIMATE)
    decoder.number("cap", 0, MAX_ESTIMATE)
    for key in ("below", "above"):
        if key in decoder.values:
            decoder.number(key, 0, MAX_ESTIMATE)


def _anomaly(decoder: Fields, frontend: Fields, labels: tuple[str, ...], frame_s: float) -> None:
    _needs(decoder, frontend, "adaptive")
    decoder.number("threshold", 0.1, MAX_SURPRISE)
    for key in ("quiet", "level", "day", "long", "memory"):
        if key in decoder.values:
            decoder.integer(key, 1, MAX_PAST)


def _needs(decoder: Fields, frontend: Fields, *kinds: str) -> None:
    if frontend.values["kind"] not in kinds:
        raise BundleError(
            f"{decoder.where}: the decoder {decoder.values['kind']} goes with the front end {' or '.join(kinds)}, not "
            f"with {frontend.values['kind']}. Get the bundle again"
        )


_DECODERS = {"smooth": _smooth, "forecast": _forecast, "estimate": _estimate, "anomaly": _anomaly}
