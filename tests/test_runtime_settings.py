"""What a manifest may say of sensors: every setting has its bounds, and a wrong one is named."""

import pytest

from device_runtime.errors import BundleError
from device_runtime.manifest import Manifest
from sensors import FORECAST, LOOKBACK, QUANTILES

WINDOW = {"kind": "window", **{key: LOOKBACK[key] for key in ("interval_s", "channels", "mean", "std")}, "segment": 5}
ESTIMATE = {"kind": "estimate", "name": "life", "scale": 100, "cap": 125}


def read(frontend, decoder, labels=QUANTILES, task="forecasting"):
    values = Manifest(name="a", task=task, labels=labels, frontend=frontend, decoder=decoder).as_dict()
    values["model"] = {"feature_size": 6, "input_gain": 1.0, "layers": []}
    return Manifest.from_dict(values)


def test_good_settings_pass():
    read(LOOKBACK, FORECAST)
    read(
        {**LOOKBACK, "channel_code": True, "level": "mean"},
        {**FORECAST, "below": [0.5], "above": [0, 1], "drift": 0.01},
    )
    read(WINDOW, {**ESTIMATE, "below": 5}, ("life",), "remaining_life")


WRONG = {
    r"frontend\.interval_s must be a number from 5e-06 to 3\.16224e\+07, got -1": (LOOKBACK, "interval_s", -1),
    r"frontend\.segment must be a whole number from 1 to 65536, got 0": (LOOKBACK, "segment", 0),
    r"frontend\.segments must be a whole number from 1 to 10000, got 99999999": (LOOKBACK, "segments", 99_999_999),
    r"frontend\.every must be a whole number from 1 to 48, got 49": (LOOKBACK, "every", 49),
    r"frontend\.level must be one of last, mean, none, got 'first'": (LOOKBACK, "level", "first"),
    r"frontend\.gaps must be one of hold, interpolate, mask, got 'zero'": (LOOKBACK, "gaps", "zero"),
    r"frontend\.channel_code must be true or false, got 1": (LOOKBACK, "channel_code", 1),
    r"frontend\.channels must differ from one another, got 'load' twice": (LOOKBACK, "channels", ["load", "load"]),
    r"frontend\.channels has 1 names, but frontend\.mean has 2 numbers": (LOOKBACK, "channels", ["load"]),
    r"frontend\.mean and frontend\.std must have one number for each of 1 to 256": (LOOKBACK, "std", [1]),
    r"a look-back of 1440000 values is more than 1048576\. Get the bundle again": (LOOKBACK, "segment", 90_000),
    r"frontend\.forget must be a whole number from 1": (WINDOW, "forget", 0),
    r"decoder\.positions must be a whole number from 1 to 1000, got 0": (FORECAST, "positions", 0),
    r"decoder\.coverage must be a number from 0\.01 to 0\.99, got 1": (FORECAST, "coverage", 1),
    r"decoder\.rate must be a number from 0 to 1, got -1": (FORECAST, "rate", -1),
    r"decoder\.near must be a whole number from 1 to 10,?000, got 0": (FORECAST, "near", 0),
    r"decoder\.drift must be a number from 1e-12 to 0\.5, got 0": (FORECAST, "drift", 0),
    r"decoder\.below\[0\] must be a number from -1e\+06 to 1e\+06, got 1e\+99": (FORECAST, "below", [1e99]),
    r"decoder\.scale must be a number from 1e-12 to 1e\+12, got 0": (ESTIMATE, "scale", 0),
    r"decoder\.cap must be a number from 0 to 1e\+12, got -1": (ESTIMATE, "cap", -1),
    r"decoder\.name must be 1 to 200 printable characters, got ''": (ESTIMATE, "name", ""),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_setting_is_named(message):
    of, key, value = WRONG[message]
    changed = {**of, key: value}
    if value == 90_000:  # too many values together, none too many by itself
        changed = {**LOOKBACK, "segment": 15_000, "segments": 48}
    frontend = changed if "interval_s" in changed else WINDOW if of is ESTIMATE else LOOKBACK
    decoder = changed if "interval_s" not in changed else ESTIMATE if of is WINDOW else FORECAST
    with pytest.raises(BundleError, match=message):
        read(frontend, decoder)


def test_a_look_back_names_its_channels():
    with pytest.raises(BundleError, match=r"has no frontend\.channels"):
        read({key: value for key, value in LOOKBACK.items() if key != "channels"}, FORECAST)


def test_decoders_go_with_their_front_ends():
    line = "the decoder forecast goes with the front end lookback, not with window. Get the bundle again"
    with pytest.raises(BundleError, match=line):
        read(WINDOW, FORECAST)
    with pytest.raises(BundleError, match="the decoder estimate goes with the front end window, not with lookback"):
        read(LOOKBACK, ESTIMATE)


def test_forecasts_that_would_fill_the_memory_are_refused():
    frontend = {**LOOKBACK, "segment": 24, "segments": 30, "every": 1, "channels": [str(i) for i in range(99)]}
    frontend |= {"mean": [0] * 99, "std": [1] * 99}
    with pytest.raises(
        BundleError, match="forecasts of 720 values for 99 channels, every 1 samples, are more than this"
    ):
        read(frontend, {**FORECAST, "positions": 30})
    read({**frontend, "every": 24}, {**FORECAST, "positions": 30})
    with pytest.raises(BundleError, match="forecasts of 24000 values for 2 channels"):
        read({**LOOKBACK, "segment": 24, "every": 24}, {**FORECAST, "positions": 1000})


def test_quick_sensors_are_bounded_together():
    many = {"channels": [str(i) for i in range(20)], "mean": [0] * 20, "std": [1] * 20}
    with pytest.raises(BundleError, match="20 channels every 5e-06 s are more than 2000000 readings a second"):
        read({**LOOKBACK, **many, "interval_s": 5e-6}, FORECAST)
