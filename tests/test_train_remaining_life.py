"""Lives are made of those of real engines, and a small model learns from them how many cycles are left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from compress.quantize import calibrate
from device_runtime.errors import InputError
from device_runtime.frontends import WindowFrontend
from train.data.cmapss import CHANNELS, Engine
from train.life_channels import LifeChannels
from train.lives import POINTS, Lives, Variation
from train.loop import Schedule, fit
from train.measure import ERROR
from train.remaining_life import LifeConfig, LifeLoss, LifeModel, life_errors, made_epochs

NOISE = np.array([0.3, 0.5, 1.0])


def worn(count: int = 12, seed: int = 0) -> list[np.ndarray]:
    """Lives of three sensors that wear ever faster towards the same end."""
    rng = np.random.default_rng(seed)
    lives = []
    for _ in range(count):
        cycles = int(rng.integers(60, 140))
        wear = (np.arange(1, cycles + 1) / cycles)[:, None] ** 3 * [4.0, -4.0, 2.0]
        lives.append((wear + NOISE * rng.normal(size=(cycles, 3))).astype(np.float32))
    return lives


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_life_is_taken_apart_into_path_and_noise():
    lives = Lives(worn(), Variation(directions=1))
    assert lives.paths.shape == (12, POINTS, 3)
    assert np.allclose(lives.noise, NOISE, rtol=0.1)
    assert torch.allclose(lives.paths[:, -1].mean(dim=0), torch.tensor([4.0, -4.0, 2.0]), atol=0.3)


def test_a_made_life_ends_as_the_engines_did_under_fresh_noise():
    lives = Lives(worn(), Variation(directions=1, shortest=20))
    frames, left, known = lives.draw(200, drawn())
    last = (left == 0) & (known > 0)
    assert last.sum() == 200
    ends = frames[last]
    assert torch.allclose(ends.mean(dim=0), torch.tensor([4.0, -4.0, 2.0]), atol=0.3)
    assert torch.allclose(ends.std(dim=0), torch.tensor(NOISE).float(), rtol=0.4)
    assert not frames[known == 0].any()
    again = lives.draw(200, drawn())[0]
    assert torch.equal(frames, again)
    assert not torch.equal(frames, lives.draw(200, drawn(1))[0])


def test_lives_last_as_long_as_the_variation_lets_them():
    engines = worn()
    as_they_were = Lives(engines, Variation(stretch=0.0, mix=0.0, shortest=20)).draw(300, drawn())
    assert {int(life) for life in as_they_were[2].sum(dim=1)} <= {len(values) for values in engines}
    stretched = Lives(engines, Variation(stretch=0.5, shortest=50, longest=200)).draw(300, drawn())
    lengths = stretched[2].sum(dim=1)
    assert (lengths.min(), lengths.max()) == (50, 200)


def test_a_life_without_a_path_is_refused():
    with pytest.raises(InputError, match="a life of 5 cycles has no path to follow: expected more than 5"):
        Lives([np.zeros((5, 3), np.float32)])
    with pytest.raises(InputError, match="a life of 0 cycles has no path"):
        Lives([])


def _engine(number: int, seed: int) -> Engine:
    values = np.full((40, len(CHANNELS)), 5.0, np.float32)
    rng = np.random.default_rng(seed)
    values[:, 0] = rng.normal(size=40)  # a setting
    values[:, 4] = 600 + 3 * rng.normal(size=40)  # sensor_2
    values[:, 8] = np.where(rng.random(40) < 0.5, 21.60, 21.61)  # sensor_6 knows two values
    return Engine(number, values, 0)


def test_sensors_that_stand_still_are_left_out():
    engines = [_engine(1, 0), _engine(2, 1)]
    channels = LifeChannels.of(engines)
    assert channels.names == ("sensor_2",)
    assert channels.mean[0] == pytest.approx(600, abs=1)
    device = WindowFrontend(1.0, channels.mean, channels.std, 1, channels=channels.names)
    frames = np.stack([frame.values for frame in device.push(engines[0].values[:, 4:5])])
    assert (frames == channels.normalised(engines[0])).all(), "what a device makes of the readings, to the bit"


def test_engines_that_say_nothing_are_refused():
    with pytest.raises(InputError, match="there are no engines to train on"):
        LifeChannels.of([])
    with pytest.raises(InputError, match="no sensor of these engines ever changes"):
        LifeChannels.of([Engine(1, np.zeros((9, len(CHANNELS)), np.float32), 0)])


def test_a_model_learns_the_cycles_that_are_left_of_engines_it_never_saw():
    torch.manual_seed(0)
    model = LifeModel(LifeConfig(channels=3, hidden=12))
    unseen = worn(6, seed=9)
    before = life_errors(model, unseen, first=10)
    lives = Lives(worn(20), Variation(directions=1, shortest=40, longest=150))
    schedule = Schedule(epochs=2, learning_rate=2e-2)
    history = fit(
        model,
        made_epochs(lives, steps=40, batch_size=16),
        LifeLoss(),
        lambda trained: life_errors(trained, unseen, first=10).rmse,
        schedule,
        measure=ERROR,
    )
    after = life_errors(model, unseen, first=10)
    assert after.rmse == min(history.validation) < 0.7 * before.rmse
    int8 = calibrate(model, torch.from_numpy(unseen[0])[None])
    assert life_errors(int8, unseen, first=10).rmse < 1.2 * after.rmse + 1


def test_the_loss_asks_for_the_mean_between_its_quantiles():
    left = torch.tensor([[0.0, 62.5, 200.0]])
    frames, known = torch.zeros(1, 3, 1), torch.ones(1, 3)

    def says(*scores: float):
        return lambda frames: torch.tensor(scores).expand(1, 3, 3)

    loss = LifeLoss(early=0.0)  # of 0 and half of the cap the mean is a quarter
    best = min(np.arange(0, 1, 0.05), key=lambda mean: float(loss(says(0.0, mean, 0.5), (frames, left, known))))
    assert best == pytest.approx(0.25)
    taught = torch.full((1, 3, 3), 0.4)
    assert float(loss(says(0.4, 0.4, 0.4), (frames, left, known, taught))) == 0
    hidden = replace(loss, early=1.0)(says(0.0, 0.25, 0.5), (frames, left, torch.tensor([[1.0, 0.0, 0.0]])))
    assert float(hidden) == pytest.approx(0.25**2 + 0.2 * (0.1 * 0.5), rel=1e-5)


def test_teachers_answer_for_every_life():
    lives = Lives(worn(), Variation(directions=1))
    teachers = [lambda frames: torch.zeros(*frames.shape[:2], 3), lambda frames: torch.ones(*frames.shape[:2], 3)]
    batches = list(made_epochs(lives, 2, 4, teachers).draw(drawn()))
    assert len(batches) == 2
    assert torch.equal(batches[0][3], torch.full((*batches[0][0].shape[:2], 3), 0.5))


def test_errors_count_cycles_where_the_end_is_in_doubt():
    says_all = torch.nn.Module()
    says_all.forward = lambda frames: torch.ones(1, frames.shape[1], 3)  # always the cap
    told = life_errors(says_all, [np.zeros((300, 3), np.float32)], most=150)
    left = np.minimum(np.arange(0, 151), 125)
    assert told.rmse == pytest.approx(np.sqrt(np.mean((125.0 - left) ** 2)))
    assert told.coverage == pytest.approx(np.mean(left == 125))
