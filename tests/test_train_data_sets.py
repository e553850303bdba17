"""Each data set in its official layout: words, splits, speakers, and clear words where something is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rich", reason="data sets need the workstation's packages")
pytest.importorskip("soundfile", reason="the generated recordings are FLAC")

import soundfile

from device_runtime.errors import InputError
from device_runtime.recordings import read_audio
from train.data.arabic import ArabicCommands
from train.data.dataset import SILENCE, SPLITS, UNKNOWN
from train.data.digits import SpokenDigits
from train.data.negatives import AsteriskPrompts, AudioFolder, PreciseCommunity, split_by_chance
from train.data.speech_commands import WORDS, SpeechCommands


def record(path: Path, rate: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, str(path.name)))
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.1, 0.1, rate // 10), rate)
    return path


@pytest.fixture(autouse=True)
def elsewhere(request, tmp_path, monkeypatch):
    if "real_data" not in request.fixturenames:
        monkeypatch.delenv("TINYRNN_DATA", raising=False)
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def commands(tmp_path) -> Path:
    folder = tmp_path / "speech" / "speech_commands_v0.02"
    for word in ("yes", "no", "go", "seven"):
        for speaker in ("aaaa", "bbbb", "cccc"):
            record(folder / word / f"{speaker}_nohash_0.flac")
    (folder / "validation_list.txt").write_text("".join(f"{w}/bbbb_nohash_0.wav\n" for w in WORDS))
    (folder / "testing_list.txt").write_text("".join(f"{w}/cccc_nohash_0.wav\n" for w in WORDS))
    for noise in ("white_noise", "running_tap", "exercise_bike", "dude_miaowing"):
        record(folder / "_background_noise_" / f"{noise}.flac")
    return tmp_path


def test_speech_commands_come_by_the_official_lists(commands):
    data = SpeechCommands(words=("yes", "no"), data=commands)
    assert data.labels == ("yes", "no", UNKNOWN, SILENCE)
    for split, speaker in zip(SPLITS, ("aaaa", "bbbb", "cccc"), strict=True):
        recordings = data.recordings(split)
        assert {r.speaker for r in recordings} == {speaker}
        assert {r.split for r in recordings} == {split}
        assert sorted(r.label for r in recordings) == [UNKNOWN, UNKNOWN, "no", "yes"]


def test_the_other_words_can_be_few_or_none(commands):
    def unknown(**options) -> int:
        recordings = SpeechCommands(words=("yes",), data=commands, **options).recordings("train")
        return sum(r.label == UNKNOWN for r in recordings)

    assert unknown() == 3
    assert unknown(unknown_clips=2) == 2
    assert unknown(unknown=False) == unknown(unknown=False, unknown_clips=2) == 0
    assert SpeechCommands(words=("yes",), unknown=False, silence=False).labels == ("yes",)


def test_all_thirty_five_words_can_be_asked_for():
    assert len(WORDS) == len(set(WORDS)) == 35
    assert SpeechCommands(unknown=False, silence=False).labels == WORDS


def test_a_word_that_is_not_there_names_what_is(commands):
    with pytest.raises(
        InputError, match=r"no word 'sevn' in .* \(did you mean seven\?\)\. It holds: go, no, seven, yes"
    ):
        SpeechCommands(words=("sevn",), data=commands).recordings("train")
    with pytest.raises(InputError, match=r"no word 'stop' .* The official archive has it: http"):
        SpeechCommands(words=("stop",), data=commands).recordings("train")


def test_noise_of_the_test_is_never_heard_in_training(commands):
    data = SpeechCommands(data=commands)
    names = {split: [r.path.stem for r in data.noise(split)] for split in SPLITS}
    assert names == {
        "train": ["dude_miaowing", "white_noise"],
        "validation": ["exercise_bike"],
        "test": ["running_tap"],
    }


@pytest.fixture
def arabic(tmp_path) -> Path:
    folder = tmp_path / "arabic_speech_commands"
    for name, speaker in (("train", 1), ("val", 2), ("test", 3)):
        lines = ["file,class"]
        for word in ("yes", "zoom in", "no"):
            record(folder / "dataset" / word / f"0000000{speaker}_NO_01.flac")
            lines.append(f"dataset/{word}/0000000{speaker}_NO_01.wav,{word}")
        (folder / f"{name}.csv").write_text("\n".join(lines))
    return folder


def test_arabic_commands_come_by_their_csv_files(arabic):
    data = ArabicCommands(data=arabic)
    assert len(data.labels) == 40
    for split, speaker in zip(SPLITS, ("00000001", "00000002", "00000003"), strict=True):
        assert {r.speaker for r in data.recordings(split)} == {speaker}
        assert len(data.recordings(split)) == 3
    some = ArabicCommands(words=("zoom in",), data=arabic)
    assert [r.label for r in some.recordings("test")] == ["zoom in"]


def test_arabic_noise_has_splits_of_its_own(arabic):
    data = ArabicCommands(data=arabic)
    assert data.noise("train") == []
    for number in range(10):
        record(arabic / "background_noise" / f"noise{number}.flac")
    assert [len(data.noise(split)) for split in SPLITS] == [6, 2, 2]


def test_an_unknown_arabic_word_suggests_the_near_one(arabic):
    with pytest.raises(InputError, match=r"no word 'zoomin' in arabic_speech_commands \(did you mean zoom in\?\)"):
        ArabicCommands(words=("zoomin",), data=arabic).recordings("test")


def test_digits_are_split_by_take(tmp_path):
    for take in range(12):
        record(tmp_path / "fsdd" / "recordings" / f"7_jackson_{take}.flac", rate=8000)
    data = SpokenDigits(data=tmp_path)
    assert [len(data.recordings(split)) for split in SPLITS] == [2, 5, 5]
    assert {r.label for r in data.recordings("test")} == {"7"}
    assert {r.split for r in data.recordings("validation")} == {"validation"}
    assert len(read_audio(data.recordings("test")[0].path)) == 1600, "at 16 kHz, whatever the file's rate"


@pytest.fixture
def precise(tmp_path) -> Path:
    folder = tmp_path / "precise_community"
    for name in ("athena/en/athena-1", "computer/en/computer-1", "amelia/en/amelia-1", "not-wake-words/es/not-1"):
        record(folder / f"{name}.flac")
    record(folder / "heysavant" / "not-wake-words" / "en" / "HeyVermont" / "notwakeword-1.flac")
    (folder / "licenses").mkdir()
    (folder / "licenses" / "license-20190801-el-tocino.txt").write_text(
        "I waive.\nathena-1.wav\ncomputer/en/computer-1.wav"
    )
    return tmp_path


def test_negative_speech_of_the_test_is_by_others_and_of_other_words(precise):
    data = PreciseCommunity(data=precise)
    said = {split: {(r.speaker, r.path.stem) for r in data.recordings(split)} for split in SPLITS}
    assert said["train"] == {("el-tocino", "athena-1"), ("el-tocino", "computer-1"), ("not-wake-words", "not-1")}
    assert said["validation"] == {("amelia", "amelia-1")}
    assert said["test"] == {("heysavant", "notwakeword-1")}
    assert {r.label for r in data.recordings("test")} == {UNKNOWN}


def test_negative_speech_leaves_the_users_words_out(precise):
    train = PreciseCommunity(without=("computer",), data=precise).recordings("train")
    assert {r.path.stem for r in train} == {"athena-1", "not-1"}


def test_prompts_that_may_hold_a_word_are_left_out(tmp_path):
    folder = tmp_path / "negatives" / "asterisk_en"
    kept = ["vm-goodbye", "conf-now-muted", "notify-caller", "agent-update"]
    dropped = ["vm-no", "vm-nomore", "conf-enteringno", "hang-up"]
    for name in [*kept, *dropped, "silence__3", "x__ascending-2tone", "x__beep"]:
        record(folder / f"{name}.flac")

    def prompts(*words: str) -> set[str]:
        data = AsteriskPrompts(without=words, data=tmp_path)
        return {r.path.stem for split in SPLITS for r in data.recordings(split)}

    assert prompts() == {*kept, *dropped}
    assert prompts("no", "up") == {"vm-goodbye", "conf-now-muted", "agent-update"}, (
        "notify is no common word: rather not"
    )


def test_any_folder_is_split_by_its_speakers_or_else_by_file(tmp_path):
    for speaker in "abcdefghijkl":
        for number in range(2):
            record(tmp_path / "people" / speaker / f"{number}.flac")
    people = AudioFolder(tmp_path / "people")
    by_split = {split: {r.speaker for r in people.recordings(split)} for split in SPLITS}
    assert sum(map(len, by_split.values())) == 12
    assert all(by_split.values())
    for number in range(20):
        record(tmp_path / "rooms" / f"room{number}.flac")
    rooms = AudioFolder(tmp_path / "rooms", label=SILENCE)
    files = [r for split in SPLITS for r in rooms.recordings(split)]
    assert len({r.path for r in files}) == 20
    assert {r.label for r in files} == {SILENCE}


def test_the_shares_of_a_split_by_chance_are_60_20_20():
    chosen = [split_by_chance(str(number)) for number in range(5000)]
    assert [round(chosen.count(split) / 5000, 1) for split in SPLITS] == [0.6, 0.2, 0.2]


@pytest.mark.parametrize("data", [PreciseCommunity(), AsteriskPrompts(), AudioFolder(Path("x"))], ids=lambda d: d.name)
def test_a_split_that_does_not_exist_is_refused(data, precise, tmp_path, monkeypatch):
    record(tmp_path / "negatives" / "asterisk_en" / "vm-goodbye.flac")
    monkeypatch.setenv("TINYRNN_DATA", str(tmp_path))
    with pytest.raises(InputError, match="there is no split 'dev'. Choose one of: train, validation, test"):
        data.recordings("dev")


def test_a_folder_of_speech_that_is_not_there_says_so():
    with pytest.raises(InputError, match="there is no folder nowhere. Expected a folder of recordings"):
        AudioFolder(Path("nowhere")).recordings("train")


def test_every_set_says_where_it_comes_from_and_under_which_licence(tmp_path):
    for data in (
        SpeechCommands(),
        ArabicCommands(),
        SpokenDigits(),
        PreciseCommunity(),
        AsteriskPrompts(),
    ):
        assert data.source.startswith("http")
        assert "CC BY" in data.licence or "public domain" in data.licence


def test_real_recordings_are_all_there(real_data):
    counts = {
        SpeechCommands(words=("yes", "no", "up", "down")): (12440, 1530, 1655),
        ArabicCommands(): (7200, 2400, 2400),
        SpokenDigits(): (1600, 200, 200),
        PreciseCommunity(): (791, 223, 383),
    }
    for data, expected in counts.items():
        speakers, words = {}, set()
        for split, count in zip(SPLITS, expected, strict=True):
            recordings = data.recordings(split)
            assert len(recordings) == count
            speakers[split] = {r.speaker for r in recordings}
            words |= {r.label for r in recordings}
        assert data.name == "fsdd" or not speakers["train"] & speakers["test"]
    clip = read_audio(ArabicCommands(words=("yes",)).recordings("test")[0].path)
    assert abs(len(clip) - 16000) < 200
    assert 400 < sum(len(AsteriskPrompts(without=("no",)).recordings(split)) for split in SPLITS) < 568
