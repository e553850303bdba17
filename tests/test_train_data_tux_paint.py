"""Tux Paint's stamps: spoken descriptions in many languages, less those that say one of the user's words."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="the stamps are Ogg files")
pytest.importorskip("espeakng_loader", reason="which phrases sound like a word is told by espeak-ng")

import soundfile

from device_runtime.errors import InputError
from device_runtime.recordings import read_audio
from train.data import tux_paint
from train.data.dataset import SPLITS
from train.data.tux_paint import TuxPaintStamps

TEXTS = {
    "animals/frogs/frog": "A frog.\nes.utf8=Una rana.\nel.utf8=Βάτραχος.\nxx.utf8=nonsense\n",
    "animals/frogs/none": "A frog that is no more.\nes.utf8=No es una rana.\nel.utf8=Κανένας.\n",
    "food/mystery": "A picture.\n",
}


@pytest.fixture
def stamps(tmp_path, monkeypatch):
    folder = tmp_path / "stamps"
    for stamp, text in TEXTS.items():
        path = folder / f"{stamp}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for end in ("_desc.ogg", "_desc_es.ogg", "_desc_el.ogg", "_desc_xx.ogg", ".ogg"):
            soundfile.write(path.with_name(path.stem + end), np.zeros(4410), 44100)
    monkeypatch.setattr(tux_paint, "INSTALLED", tmp_path / "nowhere")
    return folder


def said(stamps, split, *words):
    recordings = TuxPaintStamps(without=words, data=stamps).recordings(split)
    return {str(r.path.relative_to(stamps)) for r in recordings}


def test_languages_are_split_and_with_them_the_people(stamps):
    data = TuxPaintStamps(data=stamps)
    speakers = {split: {r.speaker for r in data.recordings(split)} for split in SPLITS}
    assert speakers == {"train": {"tuxpaint-en", "tuxpaint-es"}, "validation": {"tuxpaint-el"}, "test": set()}
    assert len(read_audio(data.recordings("train")[0].path)) == 1600


def test_only_descriptions_whose_text_is_known_are_taken(stamps):
    assert "food/mystery_desc.ogg" in said(stamps, "train")
    assert "food/mystery_desc_es.ogg" not in said(stamps, "train")


def test_phrases_with_a_word_of_the_user_in_any_language_are_left_out(stamps):
    left = said(stamps, "train") - said(stamps, "train", "no")
    assert left == {"animals/frogs/none_desc.ogg", "animals/frogs/none_desc_es.ogg"}


def test_the_installed_package_is_found_without_being_named(stamps, monkeypatch):
    monkeypatch.setattr(tux_paint, "INSTALLED", stamps)
    assert TuxPaintStamps().folder() == stamps


def test_missing_stamps_say_where_to_get_them(stamps, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TINYRNN_DATA", str(tmp_path / "stamps" / "food"))
    with pytest.raises(InputError, match=r"tuxpaint_stamps is not on this machine.*apt install tuxpaint-stamps"):
        TuxPaintStamps().recordings("train")
    with pytest.raises(InputError, match="there is no split 'dev'"):
        TuxPaintStamps().recordings("dev")
