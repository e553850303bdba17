"""Peers forecast what their idea can forecast exactly, never look at the test part, and stand in a table."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="a peer is trained by torch")
pytest.importorskip("sklearn", reason="a peer is scikit-learn's")
pytest.importorskip("statsmodels", reason="a peer is statsmodels'")

from device_runtime.errors import InputError
from scenarios.peers import forecast
from scenarios.peers.cross_period import CrossPeriod, SparseMap
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from scenarios.peers.peer import hold
from scenarios.peers.seasonal import Seasonal
from scenarios.peers.smoothing import Factors, HoltWinters, Smoothing
from scenarios.peers.trees import Trees
from train.data.ett import CHANNELS
from train.data.series import Series, Splits
from train.forecast_metrics import forecast_errors

LOOK_BACK, HORIZON, PERIOD = 48, 12, 12

PEERS = [
    LastValue(),
    Seasonal(PERIOD),
    LinearMap(),
    CrossPeriod((PERIOD, 4), epochs=4),
    Smoothing(PERIOD, fit_periods=12),
    Trees(PERIOD, rows=4000, iterations=40),
]


def daily(noise: float = 0.3, samples: int = 700, seed: int = 0) -> Series:
    """Two channels with a period of 12, on a level that wanders a little."""
    generator = np.random.default_rng(seed)
    time = np.arange(samples)[:, None]
    wave = np.sin(2 * np.pi * (time + np.array([0, 3])) / PERIOD)
    wander = np.cumsum(0.03 * generator.standard_normal((samples, 2)), axis=0)
    values = (wave + wander + noise * generator.standard_normal((samples, 2))).astype(np.float32)
    times = np.datetime64("2024-01-01", "s") + np.arange(samples) * np.timedelta64(2, "h")
    return Series("daily", ("a", "b"), 7200.0, times, values, Splits(400, 520, 700))


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_forecasts_every_channel_of_every_window(peer):
    series = daily().standardised()
    windows = series.windows("test", LOOK_BACK, HORIZON)
    given = peer.fit(series, LOOK_BACK, HORIZON)(windows.inputs)
    assert given.shape == windows.targets.shape
    assert given.dtype == np.float32
    assert np.isfinite(given).all()


@pytest.mark.parametrize("peer", PEERS[1:], ids=lambda peer: peer.name)
def test_peers_that_know_the_period_beat_the_last_value(peer):
    series = daily().standardised()
    windows = series.windows("test", LOOK_BACK, HORIZON)
    errors = forecast_errors(peer.fit(series, LOOK_BACK, HORIZON), windows)
    assert errors.mse < 0.5 * forecast_errors(LastValue().fit(series, LOOK_BACK, HORIZON), windows).mse


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_what_comes_after_the_validation_part_changes_no_peer(peer):
    series = daily(samples=700).standardised()
    values = series.values.copy()
    values[520:] = 1e3
    seen = series.windows("test", LOOK_BACK, HORIZON).inputs
    forecasts = [
        peer.fit(given, LOOK_BACK, HORIZON)(seen) for given in (series, dataclasses.replace(series, values=values))
    ]
    np.testing.assert_array_equal(*forecasts)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_window_is_forecast_alike_in_any_company(peer):
    series = daily().standardised()
    inputs = series.windows("test", LOOK_BACK, HORIZON).inputs
    fitted = peer.fit(series, LOOK_BACK, HORIZON)
    np.testing.assert_allclose(fitted(inputs)[5:6], fitted(inputs[5:6]), atol=1e-5)


@pytest.mark.parametrize("peer", [PEERS[1], *PEERS[3:]], ids=lambda peer: peer.name)
def test_a_look_back_without_a_period_is_refused(peer):
    with pytest.raises(InputError, match="a look-back of 3 holds no"):
        peer.fit(daily().standardised(), 3, HORIZON)


def test_last_value_and_seasonal_repeat_what_was():
    inputs = np.arange(20, dtype=np.float32).reshape(1, 10, 2)
    assert LastValue().fit(daily(), 10, 3)(inputs)[0, :, 0].tolist() == [18, 18, 18]
    assert Seasonal(4).fit(daily(), 10, 6)(inputs)[0, :, 0].tolist() == [12, 14, 16, 18, 12, 14]


def test_the_linear_map_is_exact_where_the_series_is_linear_in_its_past():
    series = daily(noise=0.0).standardised()
    time = np.arange(700)[:, None]
    values = np.sin(2 * np.pi * (time + np.array([0, 3])) / PERIOD).astype(np.float32)
    series = dataclasses.replace(series, values=values)
    errors = forecast_errors(LinearMap().fit(series, LOOK_BACK, HORIZON), series.windows("test", LOOK_BACK, HORIZON))
    assert errors.mse < 1e-6


def test_the_sparse_map_is_a_smoothing_and_one_map_for_all_phases():
    import torch

    model = SparseMap(LOOK_BACK, 10, PERIOD)
    inputs = torch.randn(3, LOOK_BACK, 2)
    moved = (inputs - inputs.mean(dim=1, keepdim=True)).permute(0, 2, 1).reshape(6, 1, LOOK_BACK)
    smoothed = moved + torch.nn.functional.conv1d(moved, model.smooth, padding=PERIOD // 2)
    phases = smoothed.reshape(6, LOOK_BACK // PERIOD, PERIOD)
    ahead = (model.across @ phases).reshape(3, 2, -1)[:, :, :10].permute(0, 2, 1) + inputs.mean(dim=1, keepdim=True)
    torch.testing.assert_close(model(inputs), ahead, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("damping", [0.0, 0.9])
def test_smoothing_is_the_recursion_of_statsmodels(damping):
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    samples = daily().values[:LOOK_BACK, 0].astype(np.float64)
    level = samples[:PERIOD].mean()
    trend = (samples[PERIOD : 2 * PERIOD].mean() - level) / PERIOD if damping else None
    model = ExponentialSmoothing(
        samples,
        trend="add" if damping else None,
        damped_trend=bool(damping),
        seasonal="add",
        seasonal_periods=PERIOD,
        initialization_method="known",
        initial_level=level,
        initial_trend=trend,
        initial_seasonal=samples[:PERIOD] - level,
    )
    factors = {"smoothing_level": 0.3, "smoothing_seasonal": 0.2}
    factors |= {"smoothing_trend": 0.1, "damping_trend": damping} if damping else {}
    expected = model.fit(**factors, optimized=False).forecast(HORIZON)
    ours = HoltWinters(Factors(*(np.array([value]) for value in (0.3, 0.1, 0.2, damping))), PERIOD, HORIZON)
    given = ours(samples[None, :, None].astype(np.float32))[0, :, 0]
    # The last phase apart: statsmodels forecasts it without what the last sample said of its season.
    np.testing.assert_allclose(given[:-1], expected[:-1], atol=1e-4)


def test_missing_inputs_hold_the_last_value_and_missing_targets_do_not_count():
    held = hold(np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan]], np.float32))
    assert held.tolist() == [[0, 1], [2, 1], [2, 1]]
    series = daily()
    values = series.values.copy()
    values[600:603] = np.nan
    values[100:140] = np.nan
    row, errors = forecast.compare(dataclasses.replace(series, values=values), LastValue(), LOOK_BACK, HORIZON)
    assert np.isfinite(row.mse)
    assert errors.known.sum() < errors.known.size * HORIZON


@pytest.fixture
def ett(tmp_path):
    series = daily(samples=14400)
    stamps = np.datetime64("2016-07-01T00:00:00") + np.arange(14400) * np.timedelta64(1, "h")
    lines = [
        f"{str(stamp).replace('T', ' ')},{','.join([f'{pair[0]:.3f}'] * 3 + [f'{pair[1]:.3f}'] * 4)}"
        for stamp, pair in zip(stamps, series.values, strict=True)
    ]
    (tmp_path / "ETTh1.csv").write_text("\n".join([",".join(("date", *CHANNELS)), *lines]))
    return tmp_path


COMMAND = ["ETTh1", "--look-back", "24", "--horizon", "4", "--peer", "last value", "--peer", "seasonal naive"]


def test_the_command_prints_a_table_or_json_and_saves_errors(ett, capsys):
    assert forecast.main([*COMMAND, "--data", str(ett), "--errors", str(ett), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["peer"] for row in answer["peers"]] == ["last value", "seasonal naive"]
    assert answer["windows"] == 2880 - 3
    saved = np.load(ett / "ETTh1-4-seasonal.npy")
    assert saved.shape == (2, 2877, 7)
    assert saved.mean(axis=(1, 2)) == pytest.approx([answer["peers"][1]["mse"], answer["peers"][1]["mae"]], rel=1e-5)
    assert forecast.main([*COMMAND, "--data", str(ett)]) == 0
    assert "ETTh1, 2877 test windows, look-back 24, horizon 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peer", "last"], r"there is no peer 'last'.* Expected one of: last value, seasonal naive"),
        (["--horizon", "0"], "a look-back of 24 and a horizon of 0: expected at least 1 each"),
        (["--errors", "/nowhere"], "/nowhere is no folder"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(arguments, message, ett, capsys):
    assert forecast.main([*COMMAND, "--data", str(ett), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    import re

    assert re.search(message, error)
