"""The forecaster's shape, its decoding and its linear path."""

import pytest
import torch
from torch import nn

from device_runtime.errors import InputError
from train.forecaster import Forecaster, ForecasterConfig, by_quantile

SMALL = ForecasterConfig(segment=4, segments=5, horizon=12, hidden=8, dropout=0.0)


def small_forecaster() -> Forecaster:
    torch.manual_seed(1)
    model = Forecaster(SMALL).eval()
    nn.init.normal_(model.linear.weight)
    nn.init.normal_(model.linear.bias)
    return model


def test_each_segment_ahead_is_one_step_of_the_same_gru():
    model = small_forecaster()
    frames = torch.randn(2, 5, 4)
    gru = model.grus[0]
    _, last = gru(frames)
    cell = nn.GRUCell(3 * 8, 8)  # takes gate inputs as they are: its input weights are the identity
    _, weight_state, _, bias_state = gru.all_weights[0]
    with torch.no_grad():
        cell.weight_ih.copy_(torch.eye(24))
        cell.bias_ih.zero_()
        cell.weight_hh.copy_(weight_state)
        cell.bias_hh.copy_(bias_state)
        for position in range(3):
            stepped = cell(model.positions[position].expand(2, -1), last[0])
            torch.testing.assert_close(model.decode(last[0])[:, position], stepped)


def test_scores_are_position_major_then_quantile_then_sample():
    model = small_forecaster()
    frames = torch.randn(2, 5, 4)
    with torch.no_grad():
        scores = model(frames)
        lines = by_quantile(scores, SMALL)
        states = model.decode(model.grus[0](frames)[0][:, -1])
        rhythm = model.linear(frames.transpose(1, 2))  # (batch, segment, positions)
    for position in range(3):
        for quantile in range(3):
            at = position * 12 + quantile * 4
            head = states[:, position] @ model.head.weight[quantile * 4 : quantile * 4 + 4].T
            expected = head + model.head.bias[quantile * 4 : quantile * 4 + 4] + rhythm[:, :, position]
            torch.testing.assert_close(scores[:, at : at + 4], expected)
            torch.testing.assert_close(lines[:, quantile, position * 4 : position * 4 + 4], scores[:, at : at + 4])


def test_the_code_of_the_channel_does_not_enter_the_linear_path():
    model = Forecaster(ForecasterConfig(segment=4, segments=5, horizon=8, hidden=8, codes=3))
    assert model(torch.randn(2, 5, 7)).shape == (2, 2 * 3 * 4)


def test_a_dense_layer_and_no_linear_path_are_possible():
    model = Forecaster(ForecasterConfig(segment=4, segments=5, horizon=8, hidden=8, projection=6, linear=False))
    assert model(torch.randn(2, 5, 4)).shape == (2, 3 * 8)


def test_a_horizon_that_segments_do_not_fill_is_refused():
    with pytest.raises(InputError, match="horizon 10 is no multiple of segment 4"):
        ForecasterConfig(segment=4, horizon=10)


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), (0.9, 0.5, 0.1), ()])
def test_quantiles_that_do_not_rise_through_the_median_are_refused(quantiles):
    with pytest.raises(InputError, match="must rise and hold 0.5"):
        ForecasterConfig(quantiles=quantiles)
