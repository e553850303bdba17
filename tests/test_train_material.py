"""A mix of data sets becomes labelled feature sets: words, other speech and noise, in each way of hearing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from device_runtime.errors import InputError
from tones import Folder
from train.augment import CLEAN
from train.data.background import BackgroundNoise
from train.data.dataset import SILENCE, SPLITS, UNKNOWN
from train.data.some import Some
from train.features import quiet_tails
from train.material import COLD, HEARINGS, WARM, Material, Mix


@pytest.fixture
def words(tmp_path):
    return Folder(tmp_path, ("yes", "no"))


@pytest.fixture
def speech(tmp_path):
    return Folder(tmp_path, ("talk",), each=2, seconds=4.0, name="talk")


def material(mix, tmp_path, split="train"):
    return Material(mix, split, tmp_path / "cache")


def test_labels_are_the_words_then_unknown_if_any_then_silence(words, speech):
    assert Mix(words).labels == ("yes", "no", SILENCE)
    assert Mix(words, unknown=(speech,)).labels == ("yes", "no", UNKNOWN, SILENCE)
    assert Mix(words, negatives=(speech,)).labels == ("yes", "no", UNKNOWN, SILENCE)
    own = replace(words, labels=("yes", UNKNOWN, SILENCE))
    assert Mix(own).labels == ("yes", UNKNOWN, SILENCE)


def test_each_source_is_named_once_for_the_model_card(words, speech):
    mix = Mix(words, unknown=(speech,), negatives=(speech, replace(speech, name="more")), noises=(words,))
    assert [source.name for source in mix.sources] == ["tones", "talk", "more"]


def test_every_hearing_gives_one_copy_with_the_same_words(words, tmp_path):
    copies = material(Mix(words), tmp_path).copies()
    assert [copy.vectors.shape[1] for copy in copies] == [168 if hearing.warm else 98 for hearing in HEARINGS]
    for copy in copies:
        assert copy.labels[~copy.whole].tolist() == [0, 0, 0, 1, 1, 1]
    assert not np.array_equal(copies[3].vectors, copies[4].vectors), "equal hearings, other draws"


def test_warm_copies_hold_pieces_of_speech_and_noise_marked_as_wordless(words, speech, tmp_path):
    mix = Mix(words, negatives=(speech,), hearings=(COLD, WARM), negative_share=1.0)
    cold, warm = material(mix, tmp_path).copies()
    assert not cold.whole.any()
    unknown, silence = mix.labels.index(UNKNOWN), mix.labels.index(SILENCE)
    assert warm.labels[warm.whole].tolist() == [unknown] * 5 + [silence]
    assert len(warm) == 12


def test_ends_of_words_are_not_looked_for_unless_asked(words, speech, tmp_path):
    for copy in material(Mix(words, negatives=(speech,)), tmp_path).copies():
        assert copy.tails.shape == copy.labels.shape
        assert not copy.tails.any()


def test_word_ends_are_those_of_the_words_as_each_copy_hears_them(words, speech, tmp_path):
    mix = Mix(words, negatives=(speech,), hearings=(COLD, WARM, WARM), negative_share=1.0, seed=3)
    made = material(replace(mix, word_ends=True), tmp_path)
    copies = made.copies()
    for number, copy in enumerate(copies):
        expected = quiet_tails(made.clips, mix.hearings[number], 3000 + number)
        np.testing.assert_array_equal(copy.tails[~copy.whole], expected)
        assert expected.all(), "these words end before their clips"
        assert not copy.tails[copy.whole].any(), "speech and noise without words have no word's end"
    assert not np.array_equal(copies[1].tails, copies[2].tails), "equal hearings, other draws"
    for copy, without in zip(copies, material(mix, tmp_path).copies(), strict=True):
        np.testing.assert_array_equal(copy.vectors, without.vectors)


def test_without_negative_speech_only_noise_is_wordless(words, tmp_path):
    warm = material(Mix(words, hearings=(WARM,)), tmp_path).copies()[0]
    assert set(warm.labels[warm.whole].tolist()) == {Mix(words).labels.index(SILENCE)}


def test_other_words_are_unknown_whatever_their_labels_say(words, speech, tmp_path):
    mix = Mix(words, unknown=(replace(words, labels=("maybe",), name="others"),))
    labels = material(mix, tmp_path).clips.labels
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert mix.labels[2] == UNKNOWN


def test_the_same_seed_gives_the_same_copies_and_another_seed_others(words, tmp_path):
    first, again, other = (
        Material(Mix(words, hearings=(WARM,), seed=seed), "train", tmp_path / folder).copies()[0]
        for seed, folder in ((1, "a"), (1, "b"), (2, "c"))
    )
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.vectors, other.vectors)


def test_noise_of_one_split_is_in_no_other(words, tmp_path):
    noises = [material(Mix(words), tmp_path, split).noises for split in SPLITS]
    assert not any(np.array_equal(a, b) for a, b in zip(noises[0], noises[1], strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(noises[0], noises[2], strict=True))


def test_recorded_noise_is_heard_beside_the_made_one(words, tmp_path):
    background = BackgroundNoise(words)
    assert (background.name, background.source, background.licence) == ("tones, noise", "this test", "CC0")
    with_recorded = material(Mix(words, noises=(background,)), tmp_path).noises
    assert len(with_recorded) == len(material(Mix(words), tmp_path).noises) + 1
    assert background.recordings("train")[0].path.parts[-3:] == ("train", SILENCE, "0.wav")


def test_a_split_without_recordings_says_which(words, tmp_path):
    empty = replace(words, each=0)
    with pytest.raises(
        InputError,
        match=r"tones has no recordings of yes, no for validation\. Name other data, or complete its folder\.",
    ):
        material(Mix(empty), tmp_path, "validation").copy(CLEAN, 0)


def test_some_of_a_set_are_the_same_few_each_time_in_their_order(words):
    every = replace(words, each=20).recordings("train")
    some = Some(replace(words, each=20), count=7).recordings("train")
    assert len(some) == 7
    assert some == [recording for recording in every if recording in some]
    assert some == Some(replace(words, each=20), count=7).recordings("train")
    assert some != Some(replace(words, each=20), count=7, seed=1).recordings("train")
    assert Some(words, count=100).recordings("train") == words.recordings("train")
    assert (Some(words, 7).name, Some(words, 7).source, Some(words, 7).licence) == ("tones", "this test", "CC0")
