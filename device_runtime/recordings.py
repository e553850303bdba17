"""Folders of labelled recordings: which words, by whom, in which split, in the layouts that the data sets come in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.sources import file_chunks

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
CSV_SPLITS = {"train.csv": "train", "val.csv": "validation", "test.csv": "test"}
LIST_SPLITS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
SPLITS = ("train", "validation", "test")
FSDD_NAME = re.compile(r"(?P<label>\d)_(?P<speaker>[^_]+)_(?P<take>\d+)")
FSDD_TEST_TAKES = 5
"""The Free Spoken Digit Dataset holds out takes 0 to 4 of each speaker and digit."""


@dataclass(frozen=True)
class Recording:
    """One audio file and what is said in it."""

    path: Path
    label: str
    speaker: str
    """Empty where the layout does not tell."""

    split: str
    """train, validation or test."""


def read_audio(path: Path | str, sample_rate_hz: int = 16_000) -> Float32:
    """A whole recording as mono float32 in -1..1, whatever its format, rate and channels."""
    return np.concatenate(list(file_chunks(path, sample_rate_hz)))


def list_recordings(folder: Path | str) -> list[Recording]:
    """All labelled recordings of a data set, in a fixed order.

    Knows train/val/test.csv with columns file and class (Arabic Speech Commands), testing_list.txt and
    validation_list.txt (Speech Commands), recordings/DIGIT_SPEAKER_TAKE (Free Spoken Digits), and any tree of
    LABEL/recording, which is all test.
    """
    folder = _folder(folder)
    recordings = _layout(folder)
    if not recordings:
        raise InputError(
            f"{folder} holds no labelled recordings. Expected LABEL/NAME.wav below it, or a data set in its own layout."
        )
    return recordings


def audio_files(folder: Path | str) -> list[Path]:
    """All audio files below a folder at any depth, sorted."""
    folder = _folder(folder)
    found = [path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()]
    if not found:
        raise InputError(f"{folder} holds no audio files. Expected {', '.join(AUDIO_SUFFIXES)} at any depth.")
    return sorted(found)


def _folder(path: Path | str) -> Path:
    folder = Path(path)
    if not folder.exists():
        raise InputError(f"there is no data folder {folder}. Expected a folder of recordings; check the path.")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder of recordings. Name the folder that it lies in.")
    return folder


def _layout(folder: Path) -> list[Recording]:
    if any((folder / name).is_file() for name in CSV_SPLITS):
        return [recording for name in CSV_SPLITS for recording in _from_csv(folder, name)]
    if any((folder / name).is_file() for name in LIST_SPLITS):
        return _from_lists(folder)
    if (folder / "recordings").is_dir():
        return _from_digits(folder / "recordings")
    return [_from_tree(path, folder) for path in _labelled(folder)]


def _from_csv(folder: Path, name: str) -> Iterator[Recording]:
    table = folder / name
    if not table.is_file():
        return
    found = _Finder(folder)
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines, strict=True)
            if not {"file", "class"} <= set(rows.fieldnames or ()):
                raise InputError(f"{table} has the columns {rows.fieldnames}, expected file and class. Add a header.")
            for row in rows:
                file, label = row["file"], row["class"]
                if not file or not label:
                    raise InputError(f"{table} line {rows.line_num} lacks a file or a class. Complete or delete it.")
                path = found.path(file, f"{table} line {rows.line_num}")
                yield Recording(path, label, _speaker(path.stem), CSV_SPLITS[name])
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{table} is not a CSV file in UTF-8: {error}. Expected columns file and class.") from error


def _from_lists(folder: Path) -> list[Recording]:
    split_of: dict[str, str] = {}
    for name, split in LIST_SPLITS.items():
        table = folder / name
        try:
            lines = table.read_text(encoding="utf-8").split() if table.is_file() else []
        except UnicodeDecodeError as error:
            raise InputError(f"{table} is not a list of files in UTF-8: {error}. Get it again.") from error
        split_of |= {str(PurePosixPath(line).with_suffix("")): split for line in lines}

    def recording(path: Path) -> Recording:
        key = f"{path.parent.name}/{path.stem}"
        return Recording(path, path.parent.name, _speaker(path.stem), split_of.get(key, "train"))

    return [recording(path) for path in _labelled(folder)]


def _from_digits(folder: Path) -> list[Recording]:
    def recording(path: Path, name: re.Match[str]) -> Recording:
        split = "test" if int(name["take"]) < FSDD_TEST_TAKES else "train"
        return Recording(path, name["label"], name["speaker"], split)

    return [recording(path, name) for path in audio_files(folder) if (name := FSDD_NAME.fullmatch(path.stem))]


def _from_tree(path: Path, folder: Path) -> Recording:
    return Recording(path, path.parent.name, _speaker(path.stem), "test")


def _labelled(folder: Path) -> list[Path]:
    """Audio files in folders that are words: not beside the folders, and not in _background_noise_."""
    found = []
    for path in audio_files(folder):
        folders = path.relative_to(folder).parts[:-1]
        if folders and not any(name.startswith("_") for name in folders):
            found.append(path)
    return found


def _speaker(stem: str) -> str:
    """HASH_nohash_0 and 00000014_NO_01 start with their speaker; other names do not tell."""
    name = re.fullmatch(r"(.+?)_(?:nohash|NO)_\d+", stem)
    return name[1] if name else ""


class _Finder:
    """Finds a listed file under any audio suffix, reading each folder once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._by_stem: dict[Path, dict[str, Path]] = {}

    def path(self, listed: str, where: str) -> Path:
        """The file that a table lists; never one outside the data folder."""
        relative = PurePosixPath(listed)
        if relative.is_absolute() or ".." in relative.parts or "\0" in listed:
            raise InputError(f"{where} lists {listed!r}, which is not inside the data folder. Correct it.")
        parent = self._folder / relative.parent
        if parent not in self._by_stem:
            there = sorted(parent.iterdir()) if parent.is_dir() else []
            self._by_stem[parent] = {path.stem: path for path in there if path.suffix.lower() in AUDIO_SUFFIXES}
        path = self._by_stem[parent].get(relative.stem)
        if path is None:
            raise InputError(
                f"{where} lists {listed!r}, which is not there under any of {', '.join(AUDIO_SUFFIXES)}. "
                "Get the whole data set, or delete the line."
            )
        return path
