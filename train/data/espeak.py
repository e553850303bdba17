"""Speech and phonemes from the espeak-ng library inside the `espeakng-loader` wheel: nothing to download or install.

espeak-ng keeps its state (the flutter of a voice, its noise, an echo) in global variables that survive even
`espeak_Terminate`, so a word sounds a little different depending on what was spoken before it. To give the same samples
for the same request, in any order and in any process, the library is loaded afresh for each utterance and C's `rand` is
seeded: 2 ms instead of 0.7. One process speaks one utterance at a time; a lock holds other threads back. POSIX only.
"""

from __future__ import annotations

import _ctypes
import atexit
import ctypes
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import espeakng_loader
import numpy as np
import numpy.typing as npt

from device_runtime.errors import InputError

SAMPLE_RATE_HZ = 22050

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_PHONEMES_APART = ord("_") << 8
_IPA = 2

_LONGEST_DATA_PATH = 120
"""espeak-ng cuts the path of its data at 160 characters, its own sub-folders included."""

_SpeechCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_lock = threading.Lock()


def speak(name: str, text: str, rate_wpm: int, pitch: int, pitch_range: int) -> npt.NDArray[np.int16]:
    """What the voice says, as int16 at 22050 Hz, with espeak's own silence around it."""
    heard: list[npt.NDArray[np.int16]] = []

    @_SpeechCallback
    def collect(samples, count, _events):  # type: ignore[no-untyped-def]
        if samples and count > 0:
            heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    encoded = _encoded(text)
    with _library() as espeak:
        espeak.espeak_SetSynthCallback(collect)
        _set_voice(espeak, name)
        for parameter, value in ((_RATE, rate_wpm), (_PITCH, pitch), (_PITCH_RANGE, pitch_range)):
            _check(espeak.espeak_SetParameter(parameter, value, 0), f"parameter {parameter} = {value} for {name!r}")
        size = ctypes.c_size_t(len(encoded) + 1)
        _check(espeak.espeak_Synth(encoded, size, 0, 0, 0, _UTF8, None, None), f"the text {text!r}")
    return np.concatenate(heard) if heard else np.zeros(0, np.int16)


def phonemes(texts: Sequence[str], name: str = "en-us") -> list[tuple[str, ...]]:
    """The sounds of each text, without stress marks and pauses.

    >>> know, no = phonemes(["know", "no"])
    >>> know == no
    True
    """
    with _library() as espeak:
        _set_voice(espeak, name)
        return [_sounds(espeak, text) for text in texts]


def ipa(text: str, name: str = "en-us") -> str:
    """The sounds of a text in the international alphabet, with stress marks, as neural voices read them.

    >>> ipa("yes")
    'jˈɛs'
    """
    with _library() as espeak:
        _set_voice(espeak, name)
        return " ".join(clause.decode() for clause in _clauses(espeak, text, _IPA))


def refuses(name: str) -> bool:
    """Whether espeak-ng does not know the voice; it accepts any variant after `+`, so look those up in `variants`."""
    with _library() as espeak:
        return bool(espeak.espeak_SetVoiceByName(name.encode()))


def version() -> str:
    """Of espeak-ng: another version speaks other samples."""
    with _library() as espeak:
        return str(espeak.espeak_Info(None).decode())


def languages() -> tuple[str, ...]:
    """Every language and accent in espeak-ng's data, as the names that its voices answer to."""
    folder = Path(espeakng_loader.get_data_path()) / "lang"
    return tuple(sorted({path.name.lower() for path in folder.rglob("*") if path.is_file()}))


def variants() -> tuple[str, ...]:
    """Every speaker in espeak-ng's data: what may follow the `+` of a voice's name."""
    return tuple(sorted(path.name for path in (Path(espeakng_loader.get_data_path()) / "voices" / "!v").iterdir()))


@contextmanager
def _library() -> Iterator[ctypes.CDLL]:
    """A library with no memory of earlier utterances."""
    with _lock:
        espeak = ctypes.CDLL(espeakng_loader.get_library_path())
        espeak.espeak_Info.restype = ctypes.c_char_p
        espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
        try:
            _start(espeak)
            yield espeak
        finally:
            espeak.espeak_Terminate()
            _ctypes.dlclose(espeak._handle)


def _start(espeak: ctypes.CDLL) -> None:
    """Initialize and seed both random generators: espeak's own, and the `rand` of C for breath and whispers."""
    path = _data_path()
    rate = espeak.espeak_Initialize(_SYNCHRONOUS, 0, path.encode(), _DO_NOT_EXIT)
    if rate != SAMPLE_RATE_HZ:
        raise InputError(
            f"espeak-ng could not start from {path} (it answered {rate}, expected {SAMPLE_RATE_HZ}). "
            "Install it again with: pip install --force-reinstall espeakng-loader"
        )
    ctypes.CDLL(None).srand(1)
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))


@lru_cache(maxsize=1)
def _data_path() -> str:
    """Where espeak's data lie, by a short link if the environment lies too deep."""
    path = espeakng_loader.get_data_path()
    if len(path) <= _LONGEST_DATA_PATH:
        return path
    folder = Path(tempfile.mkdtemp(prefix="tinyrnn-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = folder / "espeak-ng-data"
    link.symlink_to(path)
    return str(link)


def _sounds(espeak: ctypes.CDLL, text: str) -> tuple[str, ...]:
    sounds: list[str] = []
    for clause in _clauses(espeak, text, _PHONEMES_APART):
        sounds += clause.decode().replace(" ", "_").split("_")
    bare = (sound.strip("',%=|;") for sound in sounds)
    return tuple(sound for sound in bare if sound and sound != ":")


def _clauses(espeak: ctypes.CDLL, text: str, mode: int) -> Iterator[bytes]:
    rest = ctypes.c_char_p(_encoded(text))
    while rest.value is not None:  # espeak takes one clause at a time, and moves the pointer on
        yield espeak.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, mode)


def _encoded(text: str) -> bytes:
    if not text.strip() or "\0" in text:
        raise InputError(f"there is nothing to speak in {text!r}: give a word or a sentence.")
    return text.encode()


def _set_voice(espeak: ctypes.CDLL, name: str) -> None:
    _check(espeak.espeak_SetVoiceByName(name.encode()), f"the voice {name!r}")


def _check(status: int, what: str) -> None:
    """espeak-ng answers 0 where it agrees, and says nothing else."""
    if status:
        raise InputError(
            f"espeak-ng refuses {what} (status {status}). Choose a language among: {', '.join(languages())}."
        )
