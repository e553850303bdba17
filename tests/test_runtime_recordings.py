"""Recordings: any WAV is read, broken ones say so in one line, and data sets are found in their own layouts."""

import struct
import sys
from collections import Counter

import numpy as np
import pytest

from device_runtime.errors import InputError
from device_runtime.recordings import Recording, audio_files, list_recordings, read_audio
from sounds import tone, wav_bytes


@pytest.mark.parametrize(
    ("coding", "bits", "tolerance"),
    [(1, 8, 1e-2), (1, 16, 1e-4), (1, 24, 1e-6), (1, 32, 1e-7), (3, 32, 1e-7), (3, 64, 1e-7)],
)
@pytest.mark.parametrize("extensible", [False, True])
def test_every_usual_coding_is_read(tmp_path, coding, bits, tolerance, extensible):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(16_000), coding=coding, bits=bits, extensible=extensible))
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert np.allclose(samples, tone(16_000), atol=tolerance)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000])
def test_every_usual_rate_becomes_the_rate_asked_for(tmp_path, rate):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(rate, 0.5), rate=rate, coding=3, bits=32))
    samples = read_audio(path, 16_000)
    assert abs(len(samples) - 8_000) <= 1
    assert np.allclose(samples[200:-200], tone(16_000, 0.51)[: len(samples)][200:-200], atol=1e-4)


def test_stereo_becomes_the_mean_of_its_channels(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(np.stack([tone(16_000), np.zeros(8_000)], axis=1)))
    assert np.allclose(read_audio(path), tone(16_000) / 2, atol=1e-4)


def test_a_clip_of_20_ms_is_read(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(8_000, 0.02), rate=8_000))
    assert len(read_audio(path)) == 320


def test_a_recorder_that_could_not_know_the_length_is_read_to_the_end(tmp_path):
    path = tmp_path / "a.wav"
    whole = wav_bytes(tone(16_000))
    at = whole.index(b"data") + 4
    for riff, size in ((0, 0), (36, 0), (0x7FFFFF24, 0x7FFFFF00), (0xFFFFFFFF, 0xFFFFFFFF)):
        unknown = whole[:4] + struct.pack("<I", riff) + whole[8:at] + struct.pack("<I", size)
        path.write_bytes(unknown + whole[at + 4 :])
        assert len(read_audio(path)) == 8_000


def flac(path, samples, rate=16_000):
    soundfile = pytest.importorskip("soundfile", reason="writing FLAC needs soundfile")
    soundfile.write(path, samples, rate)


def test_other_formats_are_read_by_soundfile(tmp_path):
    flac(tmp_path / "a.flac", tone(8_000), 8_000)
    assert np.allclose(read_audio(tmp_path / "a.flac")[200:-200], tone(16_000)[200:-200], atol=1e-3)


def test_without_soundfile_other_formats_say_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (tmp_path / "a.flac").write_bytes(b"fLaC and so on")
    with pytest.raises(InputError, match=r"needs soundfile, which is not installed.*pip install soundfile"):
        read_audio(tmp_path / "a.flac")


def test_text_instead_of_other_audio_says_so(tmp_path):
    pytest.importorskip("soundfile", reason="the line comes from soundfile")
    (tmp_path / "a.flac").write_bytes(b"good morning to all")
    with pytest.raises(InputError, match=r"a.flac is not audio that can be read: it starts with b'good morning"):
        read_audio(tmp_path / "a.flac")


GOOD = wav_bytes(tone(16_000))
NAN = wav_bytes(np.where(np.arange(8_000) == 77, np.nan, 0), coding=3, bits=32)
DATA_FIRST = GOOD[:12] + b"data" + bytes(8)
NO_CHANNELS = GOOD[:22] + b"\0\0" + GOOD[24:]
MU_LAW = GOOD[:20] + b"\x07\0" + GOOD[22:]
BROKEN = {
    "is empty: it has 0 bytes": b"",
    "is not a WAV file: it starts with b'good morning'": b"good morning to all",
    "is not a WAV file: it starts with b'RIFF....AVI": b"RIFF....AVI and so on",
    "is truncated: the WAV ends before its samples": GOOD[:40],
    "is truncated: the WAV's format takes 16 bytes, it has 8": GOOD[:28],
    "is truncated: its header promises 16000 bytes of samples, it holds 15000": GOOD[:-1000],
    "holds no samples": wav_bytes([]),
    "is a damaged WAV: its samples come before their format": DATA_FIRST,
    "is a damaged WAV: 0 channels at 16000 Hz; expected 1 to 64 at 1000 to 384000 Hz": NO_CHANNELS,
    "is a WAV of coding 7 with 16 bits; expected PCM": MU_LAW,
    "is damaged: its sample 77 is not a finite number": NAN,
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_wav_says_what_is_wrong_in_one_line(tmp_path, message):
    path = tmp_path / "a.wav"
    path.write_bytes(BROKEN[message])
    with pytest.raises(InputError, match=message) as caught:
        read_audio(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none.wav: No such file"):
        read_audio(tmp_path / "none.wav")


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def facts(folder):
    return [(r.path.name, r.label, r.speaker, r.split) for r in list_recordings(folder)]


def test_arabic_speech_commands_by_its_csv_files(tmp_path):
    touch(tmp_path / "dataset/no/00000014_NO_01.opus", tmp_path / "dataset/yes/00000002_NO_03.wav")
    (tmp_path / "train.csv").write_text("file,class\ndataset/no/00000014_NO_01.wav,no\n")
    (tmp_path / "test.csv").write_text("file,class\ndataset/yes/00000002_NO_03.wav,yes\n")
    assert facts(tmp_path) == [
        ("00000014_NO_01.opus", "no", "00000014", "train"),
        ("00000002_NO_03.wav", "yes", "00000002", "test"),
    ]


def test_speech_commands_by_its_lists(tmp_path):
    names = ["yes/aa_nohash_0.opus", "yes/bb_nohash_1.wav", "no/cc_nohash_0.flac", "_background_noise_/tap.wav"]
    touch(*(tmp_path / name for name in names))
    (tmp_path / "testing_list.txt").write_text("yes/aa_nohash_0.wav\nright/aa_nohash_0.wav\n")
    (tmp_path / "validation_list.txt").write_text("no/cc_nohash_0.wav\n")
    assert facts(tmp_path) == [
        ("cc_nohash_0.flac", "no", "cc", "validation"),
        ("aa_nohash_0.opus", "yes", "aa", "test"),
        ("bb_nohash_1.wav", "yes", "bb", "train"),
    ]


def test_spoken_digits_by_their_names(tmp_path):
    touch(tmp_path / "recordings/3_theo_4.flac", tmp_path / "recordings/7_lucas_12.wav", tmp_path / "recordings/x.wav")
    assert facts(tmp_path) == [("3_theo_4.flac", "3", "theo", "test"), ("7_lucas_12.wav", "7", "lucas", "train")]


def test_any_tree_of_words_is_a_test_set(tmp_path):
    touch(tmp_path / "yes/a.wav", tmp_path / "more/no/b.opus")
    touch(tmp_path / "beside.wav", tmp_path / "yes/notes.txt", tmp_path / "_background_noise_/more/tap.wav")
    assert facts(tmp_path) == [("b.opus", "no", "", "test"), ("a.wav", "yes", "", "test")]


def test_audio_files_are_found_at_any_depth(tmp_path):
    touch(tmp_path / "a/b/c.opus", tmp_path / "d.wav", tmp_path / "e.txt")
    assert [path.name for path in audio_files(tmp_path)] == ["c.opus", "d.wav"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty holds no audio files\. Expected \.wav, \.flac"):
        audio_files(tmp_path / "empty")


@pytest.mark.parametrize("listing", [audio_files, list_recordings])
def test_a_path_that_is_no_folder_of_recordings_is_named(tmp_path, listing):
    with pytest.raises(InputError, match=r"there is no data folder .*nowhere\. Expected a folder of recordings; check"):
        listing(tmp_path / "nowhere")
    touch(tmp_path / "a.wav")
    with pytest.raises(
        InputError, match=r"a\.wav is a file, expected a folder of recordings\. Name the folder that it"
    ):
        listing(tmp_path / "a.wav")


HOSTILE = {
    "has the columns \\['path', 'word'\\], expected file and class": b"path,word\na.wav,yes\n",
    "has the columns None, expected file and class": b"",
    "line 2 lacks a file or a class": b"file,class\nyes/a.wav\n",
    "line 2 lists '../../secret.wav', which is not inside": b"file,class\n../../secret.wav,yes\n",
    "line 2 lists '/etc/secret.wav', which is not inside": b"file,class\n/etc/secret.wav,yes\n",
    "line 3 lists 'yes/b.wav', which is not there under any": b"file,class\nyes/a.wav,yes\nyes/b.wav,yes\n",
    "is not a CSV file in UTF-8": b"file,class\n\xff\xfe\x00,yes\n",
    "is not a CSV file in UTF-8: field larger": b"file,class\n" + b"a" * 200_000 + b",yes\n",
    "is not a CSV file in UTF-8: .* expected after": b'file,class\n"a"b,yes\n',
}


@pytest.mark.parametrize("message", HOSTILE)
def test_a_hostile_csv_is_refused_in_one_line(tmp_path, message):
    touch(tmp_path / "yes/a.wav")
    (tmp_path / "test.csv").write_bytes(HOSTILE[message])
    with pytest.raises(InputError, match=message) as caught:
        list_recordings(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_text_is_refused(tmp_path):
    touch(tmp_path / "yes/a.wav")
    (tmp_path / "testing_list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not a list of files in UTF-8"):
        list_recordings(tmp_path)


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no data folder"):
        list_recordings(tmp_path / "none")
    touch(tmp_path / "beside.wav")
    with pytest.raises(InputError, match="holds no labelled recordings"):
        list_recordings(tmp_path)


def test_recordings_compare_by_value(tmp_path):
    assert Recording(tmp_path, "yes", "", "test") == Recording(tmp_path, "yes", "", "test")


@pytest.mark.parametrize(
    ("name", "splits", "labels", "speakers"),
    [
        ("arabic_speech_commands", {"train": 7200, "validation": 2400, "test": 2400}, 40, (18, 6, 6)),
        ("fsdd", {"train": 1800, "test": 200}, 10, (4, 0, 4)),
    ],
)
def test_real_data_sets_have_their_published_splits(real_data, name, splits, labels, speakers):
    recordings = list_recordings(real_data / "speech" / name)
    assert Counter(recording.split for recording in recordings) == splits
    assert len({recording.label for recording in recordings}) == labels
    there = {split: {r.speaker for r in recordings if r.split == split} for split in ("train", "validation", "test")}
    assert tuple(len(names) for names in there.values()) == speakers


def test_real_speech_commands_keep_each_speaker_in_one_split(real_data):
    recordings = list_recordings(real_data / "speech/speech_commands_v0.02")
    train, test = ({r.speaker for r in recordings if r.split == split} for split in ("train", "test"))
    assert len(train) > 1000
    assert not train & test
