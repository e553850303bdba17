"""Spoken voices: many, split by speaker, the same at every call, and any words the user types."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("espeakng_loader", reason="spoken voices need the espeakng-loader wheel")

from device_runtime.errors import InputError
from device_runtime.recordings import read_audio
from train.data import espeak, spoken_words
from train.data.dataset import SPLITS, UNKNOWN
from train.data.other_words import OTHER_WORDS, near_misses, other_words
from train.data.spoken_streams import SpokenStreams
from train.data.spoken_words import SpokenWords
from train.data.voices import EspeakVoices, Voice, accents, speak, speaker_family, voices


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def family(voice: Voice) -> str:
    return speaker_family(voice.name.split("+")[1])


def test_there_are_sixty_voices_that_all_sound_different():
    sixty = voices(60, seed=1)
    assert len({voice.name for voice in sixty}) == 60
    assert len({speak("yes", voice).tobytes() for voice in sixty}) == 60


@pytest.mark.parametrize("count", [20, 60, 87, 200])
def test_no_speaker_is_in_two_splits(count):
    chosen = voices(count, seed=count)
    assert len(chosen) == count
    of = {split: {family(voice) for voice in chosen if voice.split == split} for split in SPLITS}
    assert all(of.values()), "each split has a speaker"
    assert sum(len(families) for families in of.values()) == len(set().union(*of.values()))


def test_english_accents_of_the_test_are_never_heard_in_training():
    chosen = voices(87)
    of = {split: {voice.name.split("+")[0] for voice in chosen if voice.split == split} for split in SPLITS}
    assert {"en-us", "en-029"} <= of["train"]
    assert of["test"] == {"en-gb-x-gbclan", "en-us-nyc"}
    assert not of["train"] & of["test"]


def test_a_voice_says_the_same_whatever_was_said_before_and_in_any_process():
    chosen = [*voices(12), Voice("en-us+Reed"), Voice("en-us+whisper"), Voice("en-us+caleb")]
    forward = [speak("down", voice) for voice in chosen]
    backward = [speak("down", voice) for voice in reversed(chosen)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forward, backward, strict=True))
    program = (
        "import hashlib; from train.data.voices import EspeakVoices, Voice, speak; "
        "print(hashlib.sha256(speak('down', Voice('en-us+whisper')).tobytes()).hexdigest())"
    )
    heard = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(heard) == 1


def test_rate_pitch_and_accent_change_what_is_heard():
    voice = Voice("en-us+f3", rate_wpm=120)
    assert len(speak("computer", voice)) > 1.3 * len(speak("computer", Voice("en-us+f3", rate_wpm=220)))
    assert not np.array_equal(speak("no", voice), speak("no", Voice("en-us+f3", rate_wpm=120, pitch=90)))


@pytest.mark.parametrize(("text", "language"), [("نعم", "ar"), ("ja", "de"), ("turn on the light", "en")])
def test_any_words_of_any_language_can_be_spoken(text, language):
    samples = speak(text, voices(10, language=language)[0])
    assert samples.dtype == np.float32
    assert 0.1 * 16000 < len(samples) < 3 * 16000
    assert 0.05 < np.abs(samples).max() <= 1.2


def test_what_cannot_be_spoken_is_said_in_one_line():
    with pytest.raises(InputError, match="nothing to speak in '  '"):
        speak("  ", Voice("en-us"))
    with pytest.raises(InputError, match=r"refuses the voice 'en-gb' \(status 2\)"):
        speak("yes", Voice("en-gb"))
    with pytest.raises(InputError, match="does not speak the language 'xx'"):
        voices(10, language="xx")
    with pytest.raises(InputError, match=r"5000 voices were asked for, but 'en' has \d+ "):
        voices(5000)
    with pytest.raises(InputError, match="pitch is 100, but espeak-ng takes 0 to 99"):
        Voice("en-us", pitch=100)


def test_a_voice_that_makes_no_sound_is_an_error(monkeypatch):
    monkeypatch.setattr(espeak, "speak", lambda *_: np.zeros(1000, np.int16))
    with pytest.raises(InputError, match="makes no sound of 'hm'"):
        speak("hm", Voice("en-us"))


def test_refused_accents_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr(espeak, "refuses", lambda name: name == "en-029")
    usable, refused = accents("en")
    assert "en-029" not in usable
    assert refused == ("en-029",)


def test_a_library_that_does_not_start_says_how_to_mend_it(monkeypatch):
    monkeypatch.setattr(espeak, "_data_path", lambda: "/nowhere")
    with pytest.raises(InputError, match="espeak-ng could not start from /nowhere"):
        espeak.version()


def test_data_in_a_very_deep_folder_are_found(monkeypatch, tmp_path):
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeak.espeakng_loader.get_data_path())
    monkeypatch.setattr(espeak.espeakng_loader, "get_data_path", lambda: str(deep / "espeak-ng-data"))
    espeak._data_path.cache_clear()
    try:
        assert espeak.phonemes(["no"]) == [("n", "oU")]
    finally:
        espeak._data_path.cache_clear()


def test_other_words_leave_out_the_words_and_their_homophones():
    assert len(OTHER_WORDS) > 600
    assert len(set(OTHER_WORDS)) == len(OTHER_WORDS)
    left = other_words(["no", "two", "dog"])
    assert not {"no", "know", "two", "too", "dog"} & set(left)
    assert "now" in left


def test_near_misses_sound_near():
    assert {"now", "snow", "low", "go"} <= set(near_misses(["no"], 30))
    assert {"cup", "us", "upper"} <= set(near_misses(["up"], 15))
    assert {"town", "gown", "drown"} <= set(near_misses(["down"], 10))
    assert near_misses(["marvin"], 3, candidates=["marvellous", "starving", "tree"])[-1] == "tree"


def test_each_word_gets_its_share_of_near_misses():
    of_no, of_computer = set(near_misses(["no"], 10)), set(near_misses(["computer"], 10))
    both = near_misses(["no", "computer"], 20)
    assert set(both) == of_no | of_computer


def test_spoken_words_come_as_equal_clips_with_labels_and_speakers(own_cache):
    data = SpokenWords(words=("yes", "no"), cast=EspeakVoices(20), takes=2, unknown_words=20, unknown_voices=2)
    assert data.labels == ("yes", "no", UNKNOWN)
    clips = {split: data.clips(split) for split in SPLITS}
    speakers = {split: {clip.speaker for clip in clips[split]} for split in SPLITS}
    assert not speakers["train"] & speakers["test"]
    assert not set(data.words_of("train")) & set(data.words_of("test"))
    for clip in clips["train"]:
        assert clip.samples.shape == (16000,)
        assert clip.samples.dtype == np.float32
        assert clip.label in data.labels
    assert sum(clip.label == "yes" for clip in clips["train"]) == 2 * len(speakers["train"])
    assert sum(clip.label == UNKNOWN for clip in clips["train"]) == 2 * len(data.words_of("train"))


def test_spoken_words_are_spoken_once_and_then_read(monkeypatch, own_cache):
    data = SpokenWords(words=("yes",), cast=EspeakVoices(20), takes=1)
    first = data.clips("test")
    monkeypatch.setattr(espeak, "speak", None)
    again = data.clips("test")
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, again, strict=True))
    assert [clip.speaker for clip in again] == [clip.speaker for clip in first]


def test_half_a_cache_file_is_made_again(own_cache):
    data = SpokenWords(words=("yes",), cast=EspeakVoices(20), takes=1)
    first = data.clips("test")
    (stored,) = (own_cache / "spoken").glob("*.npz")
    stored.write_bytes(stored.read_bytes()[:5000])
    assert np.array_equal(first[0].samples, data.clips("test")[0].samples)


def test_spoken_words_can_be_read_as_files(own_cache):
    data = SpokenWords(words=("yes",), cast=EspeakVoices(20), takes=1)
    recordings, clips = data.recordings("test"), data.clips("test")
    assert [r.label for r in recordings] == [clip.label for clip in clips]
    np.testing.assert_allclose(read_audio(recordings[0].path), clips[0].samples, atol=2**-15)


def test_a_phrase_too_long_for_the_clip_says_so(own_cache):
    with pytest.raises(InputError, match=r"takes \d\.\d s at the fastest, but a clip is 0\.5 s"):
        SpokenWords(words=("please turn on the kitchen light",), cast=EspeakVoices(10), clip_s=0.5).clips("train")


def test_requests_that_make_no_sense_are_refused(own_cache):
    with pytest.raises(InputError, match="give one or more different words"):
        SpokenWords(words=("yes", "yes"))
    with pytest.raises(InputError, match="9000 other words were asked for, but there are"):
        SpokenWords(words=("yes",), unknown_words=9000).words_of("train")
    with pytest.raises(InputError, match="there is no split 'dev'"):
        SpokenWords(words=("yes",)).clips("dev")
    with pytest.raises(InputError, match="of 1 voices none is for"):
        SpokenWords(words=("yes",), cast=EspeakVoices(1)).clips("test")


def test_streams_are_negative_speech_or_babble_by_the_voices_of_a_split(own_cache):
    alone = SpokenStreams(without=("no",), streams=3, seconds=4.0)
    crowd = SpokenStreams(without=("no",), streams=3, seconds=4.0, at_once=5)
    assert (alone.label, crowd.label) == (UNKNOWN, "_silence_")
    assert alone.name != crowd.name
    assert "synthetic" in alone.licence
    assert "5 at once" in crowd.source
    for streams in (alone, crowd):
        heard = {split: streams.recordings(split) for split in SPLITS}
        assert not {r.speaker for r in heard["train"]} & {r.speaker for r in heard["test"]}
        samples = read_audio(heard["test"][0].path)
        assert len(samples) == 4 * 16000
        assert 0.05 < np.sqrt(np.mean(samples**2)) < 0.11
        assert heard["test"] == streams.recordings("test")
    with pytest.raises(InputError, match="there is no split 'dev'"):
        alone.recordings("dev")


def test_a_full_disk_leaves_nothing_behind(monkeypatch, own_cache):
    def no_room(*_args, **_arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spoken_words.np, "savez", no_room)
    with pytest.raises(InputError, match="could not be kept in .*No space left on device"):
        SpokenWords(words=("yes",), cast=EspeakVoices(20), takes=1).clips("test")
    assert list((own_cache / "spoken").iterdir()) == []


def test_no_word_of_a_data_set_is_lost_between_labels_and_splits(own_cache):
    data = SpokenWords(words=("yes", "no"), cast=EspeakVoices(20), unknown_words=30)
    near = set(near_misses(data.words, 15))
    said = [word for split in SPLITS for word in data.words_of(split)]
    assert len(said) == len(set(said)) == 30
    assert near <= set(said)
