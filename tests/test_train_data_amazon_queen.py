"""Flight of the Amazon Queen: one archive, its dialogues and which recording says which line."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="the recordings are MP3 files")
pytest.importorskip("espeakng_loader", reason="which lines sound like a word is told by espeak-ng")

import soundfile

from device_runtime.errors import InputError
from device_runtime.recordings import read_audio
from train.data import amazon_queen
from train.data.amazon_queen import AmazonQueen
from train.data.dataset import SPLITS
from train.data.queen_archive import files, lines

KEY = 20
JOE_SAYS = {8: "Where the heck am I?*02Boy, am I glad!", 9: "No way."}
FAYE_SAYS = {8: "I know that.*02*05It's lucky for you.", 0xA7: "Okay."}
CHEF_SAYS = {1: "Soup!"}


def records(said):
    """Lines as an archive has them, each padded to a multiple of four from the bank's start, which they begin at."""
    out = b""
    for identity, text in said.items():
        out += struct.pack(">HHB", 0, identity, len(text)) + text.encode("latin-1")
        out += bytes(-len(out) % 4)
    return out


def dialogue(joe, person, key=KEY, levels=-2):
    first = 32 + abs(levels) * 96
    spoken = records(joe)
    header = struct.pack(">12h", levels, key, key, len(joe), len(person), 0, 0, 0, 0, 0, 0, first + len(spoken))
    return b"AmBk" + bytes(16) + header.ljust(first, b"\0") + spoken + records(person)


def mp3(seconds=0.5, rate_hz=11025):
    sound = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate_hz))
    soundfile.write(sound, noise, rate_hz, format="MP3")
    return sound.getvalue()


def archive(contents):
    table, body = b"", b""
    first = 15 + 21 * len(contents)
    for name, content in contents.items():
        table += struct.pack(">12sBII", name.encode(), 1, first + len(body), len(content))
        body += content
    return b"QTBLCEM10\0\0\0\1" + struct.pack(">H", len(contents)) + table + body


WHOLE = archive(
    {
        "FAYE4.DOG": dialogue(JOE_SAYS, FAYE_SAYS),
        "CHEF.DOG": dialogue({1: "Hello."}, CHEF_SAYS, key=7),
        **dict.fromkeys(
            ("200008J1.SB", "200008J2.SB", "200009J1.SB", "200008P1.SB", "200008P3.SB", "2000A7P1.SB"), mp3()
        ),
        **dict.fromkeys(("070001J1.SB", "070001P1.SB", "C18A_052.SB"), mp3()),
    }
)


@pytest.fixture
def game(tmp_path, monkeypatch):
    folder = tmp_path / "game"
    folder.mkdir()
    (folder / "queen.1c").write_bytes(WHOLE)
    monkeypatch.setattr(amazon_queen, "INSTALLED", tmp_path / "nowhere")
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    return folder


def test_every_recorded_part_of_a_dialogue_is_found_with_its_text(tmp_path):
    said = {line.name: line.text for line in lines(WHOLE, tmp_path)}
    assert said == {
        "200008J1.SB": "Where the heck am I?",
        "200008J2.SB": "Boy, am I glad!",
        "200009J1.SB": "No way.",
        "200008P1.SB": "I know that.",
        "200008P3.SB": "It's lucky for you.",
        "2000A7P1.SB": "Okay.",
        "070001J1.SB": "Hello.",
        "070001P1.SB": "Soup!",
    }


def test_lines_that_say_a_word_or_sound_like_it_are_left_out(game):
    every = {r.path.stem for r in AmazonQueen(data=game).recordings("train")}
    less = {r.path.stem for r in AmazonQueen(without=("no",), data=game).recordings("train")}
    assert every - less == {"200009J1", "200008P1"}, "know sounds like no"


def test_characters_are_split_and_decoded_to_16_khz(game, capfd):
    data = AmazonQueen(data=game)
    speakers = {split: {r.speaker for r in data.recordings(split)} for split in SPLITS}
    assert speakers == {"train": {"joe", "faye"}, "validation": {"chef"}, "test": set()}
    samples = read_audio(data.recordings("validation")[0].path)
    assert len(samples) == pytest.approx(8000, abs=1600)
    assert samples.std() > 0.02
    assert capfd.readouterr() == ("", "")


def test_decoded_recordings_are_kept(game):
    path = AmazonQueen(data=game).recordings("train")[0].path
    before = path.stat().st_mtime_ns
    (path.parent / "200008P1.wav").unlink()
    AmazonQueen(data=game).recordings("train")
    assert path.stat().st_mtime_ns == before
    assert (path.parent / "200008P1.wav").exists()


def test_the_installed_package_is_found_without_being_named(game, monkeypatch):
    monkeypatch.setattr(amazon_queen, "INSTALLED", game)
    assert AmazonQueen().folder() == game


def test_a_missing_game_says_where_to_get_it(game, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"amazon_queen is not on this machine.*apt install flight-of-the-amazon"):
        AmazonQueen().recordings("train")
    with pytest.raises(InputError, match="there is no split 'dev'"):
        AmazonQueen(data=game).recordings("dev")


CUT_DIALOGUE = archive({"FAYE4.DOG": dialogue(JOE_SAYS, FAYE_SAYS)[:-30]})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"queen\.1c does not begin with QTBL: expected"),
        (b"RIFF" + bytes(40), r"queen\.1c does not begin with QTBL: expected"),
        (WHOLE[:30], r"ends within its table of 11 files: it is cut off"),
        (WHOLE[:-10], r"has [\d,]+ bytes but lists one at [\d,]+\. Get it again"),
        (CUT_DIALOGUE, r"the dialogue FAYE4\.DOG ends too early"),
    ],
)
def test_a_broken_archive_is_told_in_one_line(tmp_path, content, complaint):
    with pytest.raises(InputError, match=complaint):
        lines(content, tmp_path / "queen.1c")


def test_a_recording_that_is_no_sound_is_named(game):
    broken = {"FAYE4.DOG": dialogue(JOE_SAYS, {}), "200008J1.SB": b"no sound at all"}
    (game / "queen.1c").write_bytes(archive(broken))
    with pytest.raises(InputError, match=r"200008J1\.SB in .*queen\.1c is no MP3 file"):
        AmazonQueen(data=game).recordings("train")


def test_no_more_is_read_than_the_table_says(tmp_path):
    found = files(WHOLE, tmp_path)
    assert all(first > 0 and first + size <= len(WHOLE) for first, size in found.values())
