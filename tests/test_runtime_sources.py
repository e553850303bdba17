"""Sources: files, pipes and microphones deliver the same samples, whatever the pieces they come in."""

import io
import struct
import sys
import tracemalloc
import types

import numpy as np
import pytest

from device_runtime import resample
from device_runtime.errors import InputError
from device_runtime.resample import Resampler
from device_runtime.sources import file_chunks, microphone_chunks, raw_chunks, stream_chunks
from sounds import tone, wav_bytes


class Trickle(io.RawIOBase):
    """A pipe that delivers a few bytes at a time."""

    def __init__(self, data, size):
        self._data, self._size = io.BytesIO(data), size

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(memoryview(buffer)[: self._size])


def pipe(data, size=333):
    return io.BufferedReader(Trickle(data, size))


INT16 = np.arange(-2000, 2000, dtype="<i2")


@pytest.mark.parametrize("size", [1, 7, 333, 100_000])
@pytest.mark.parametrize("with_header", [False, True])
def test_a_pipe_is_raw_or_a_wav(size, with_header):
    payload = wav_bytes(INT16 / 32767)[:-8000] + INT16.tobytes() if with_header else INT16.tobytes()
    samples = np.concatenate(list(stream_chunks(pipe(payload, size))))
    assert np.array_equal(samples * 32768, INT16)


def test_a_wav_from_a_pipe_may_have_any_rate():
    samples = np.concatenate(list(stream_chunks(pipe(wav_bytes(tone(8_000), rate=8_000)), 16_000)))
    assert np.allclose(samples[200:-200], tone(16_000)[200:-200], atol=1e-3)


@pytest.mark.parametrize("told", [True, False])
def test_a_wav_may_be_an_rf64_with_its_size_in_a_chunk_of_its_own(told, tmp_path):
    plain = wav_bytes(INT16 / 32767)
    sizes = struct.pack("<QQQI", 0, 8000 if told else 0, 4000, 0)
    header = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", len(sizes)) + sizes + plain[12:36]
    whole = header + b"data\xff\xff\xff\xff" + INT16.tobytes() + b"LIST" * 4 * told
    (tmp_path / "long.rf64").write_bytes(whole)
    for chunks in (stream_chunks(pipe(whole)), file_chunks(tmp_path / "long.rf64")):
        assert np.array_equal(np.concatenate(list(chunks)) * 32768, INT16)


def test_a_data_size_of_zero_is_none_where_chunks_follow_and_unknown_where_the_file_should_end(tmp_path):
    plain, path = wav_bytes(INT16 / 32767), tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 48) + plain[8:36] + b"data\0\0\0\0LIST\x04\0\0\0INFO")
    with pytest.raises(InputError, match=r"a\.wav holds no samples, expected a recording"):
        list(file_chunks(path))
    path.write_bytes(b"RIFF" + struct.pack("<I", 36) + plain[8:36] + b"data\0\0\0\0" + INT16.tobytes())
    assert np.array_equal(np.concatenate(list(file_chunks(path))) * 32768, INT16), "a recorder into a pipe"


def test_samples_of_a_pipe_come_as_they_arrive():
    chunks = raw_chunks(pipe(INT16.tobytes(), 320))
    assert len(next(chunks)) == 160


def test_half_a_sample_at_the_end_is_dropped():
    assert len(np.concatenate(list(stream_chunks(pipe(INT16.tobytes() + b"\x01"))))) == len(INT16)


def test_very_short_pipes_are_fine():
    for size in (1, 2, 3):
        assert sum(map(len, stream_chunks(pipe(bytes(size))))) == size // 2


@pytest.mark.parametrize("size", [1, 333, 100_000])
@pytest.mark.parametrize("text", [b"hello\n", b"?", b"\t1.5, 2.5\r\n" * 10_000])
def test_text_is_not_taken_for_sound(size, text):
    with pytest.raises(InputError, match=r"standard input is text \('.*'\), not audio\. Expected 16-bit mono PCM or a"):
        stream_chunks(pipe(text, size))


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_sound_that_begins_like_text_is_heard_whole(size):
    payload = b"AB" * 2000 + INT16.tobytes()  # 2000 samples of 0x4241
    samples = np.concatenate(list(stream_chunks(pipe(payload, size))))
    assert (samples * 32768).astype("<i2").tobytes() == payload


def test_silence_and_noise_are_never_text():
    noise = np.random.default_rng(0).normal(0, 3000, (200, 320)).astype("<i2")
    for clip in (np.zeros(320, "<i2"), np.full(320, -1, "<i2"), *noise):
        assert sum(map(len, stream_chunks(pipe(clip.tobytes())))) == 320


def test_a_pipe_without_any_sample_says_what_was_expected():
    with pytest.raises(InputError, match=r"standard input ended before any sample\. Expected 16-bit mono PCM or a WAV"):
        stream_chunks(pipe(b""))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("chunk", [1, 77, 5_000])
def test_resampling_does_not_depend_on_the_chunks(rate, chunk):
    samples = tone(rate, 0.1).astype(np.float32)
    whole, pieces = Resampler(rate, 16_000), Resampler(rate, 16_000)
    expected = np.concatenate([whole.push(samples), whole.finish()])
    got = [pieces.push(samples[at : at + chunk]) for at in range(0, len(samples), chunk)]
    assert np.array_equal(np.concatenate([*got, pieces.finish()]), expected)


@pytest.mark.parametrize(("start", "kind"), [(b"fLaC", "FLAC"), (b"OggS", "Ogg"), (b"ID3\4", "MP3")])
def test_other_audio_on_a_pipe_is_not_heard_as_noise(start, kind):
    with pytest.raises(InputError, match=f"standard input is {kind}, expected 16-bit mono PCM or a WAV. Name the file"):
        list(stream_chunks(io.BytesIO(start + bytes(9000))))


def test_channels_that_overflow_together_are_one_clear_error(tmp_path):
    loud = np.full((100, 2), np.finfo(np.float32).max, np.float32)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + loud.nbytes,
        b"WAVE",
        b"fmt ",
        16,
        3,
        2,
        16_000,
        128_000,
        8,
        32,
        b"data",
        loud.nbytes,
    )
    (tmp_path / "loud.wav").write_bytes(header + loud.tobytes())
    with pytest.raises(InputError, match="its sample 0 is not a finite number"):
        list(file_chunks(tmp_path / "loud.wav"))


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("hz", [100, 1_000, 3_300])
def test_resampling_keeps_a_tone(rate, hz):
    resampler = Resampler(rate, 16_000)
    got = np.concatenate([resampler.push(tone(rate, 0.5, hz).astype(np.float32)), resampler.finish()])
    assert np.abs(got - tone(16_000, 0.6, hz)[: len(got)])[200:-200].max() < 1e-4


@pytest.mark.parametrize("hz", [8_600, 12_000, 20_000])
def test_resampling_leaves_nothing_of_what_would_alias(hz):
    resampler = Resampler(44_100, 16_000)
    got = np.concatenate([resampler.push(tone(44_100, 0.5, hz).astype(np.float32)), resampler.finish()])
    assert np.abs(got)[200:-200].max() < 1e-4


def test_the_same_rate_changes_nothing():
    samples = tone(16_000).astype(np.float32)
    resampler = Resampler(16_000, 16_000)
    assert resampler.push(samples) is samples
    assert len(resampler.finish()) == 0


RATES_OF_MANY_PHASES = [15_999, 16_001, 44_101]


@pytest.mark.parametrize("rate", RATES_OF_MANY_PHASES)
def test_phases_computed_on_demand_give_the_same_samples(rate, monkeypatch):
    samples = tone(rate, 0.1).astype(np.float32)
    on_demand, pieces = Resampler(rate, 16_000), Resampler(rate, 16_000)
    monkeypatch.setattr(resample, "BLOCK_VALUES", 2**24)
    kept = Resampler(rate, 16_000)
    expected = np.concatenate([kept.push(samples), kept.finish()])
    assert np.array_equal(np.concatenate([on_demand.push(samples), on_demand.finish()]), expected)
    got = [pieces.push(samples[at : at + 500]) for at in range(0, len(samples), 500)]
    assert np.array_equal(np.concatenate([*got, pieces.finish()]), expected)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(383_999, 16_000), (384_000, 100), (1_009, 199_999), (48_000, 7)])
def test_no_pair_of_rates_takes_much_memory(rate_in, rate_out):
    tracemalloc.start()
    resampler = Resampler(rate_in, rate_out)
    got = sum(len(resampler.push(np.ones(1_000, np.float32))) for _ in range(5)) + len(resampler.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got == -(-5_000 * rate_out // rate_in)
    assert peak < 60_000_000


def test_a_rate_that_is_very_much_lower_is_refused():
    with pytest.raises(
        InputError, match="48000 Hz cannot become 1 Hz: that is more than 10000 times lower. Give a rec"
    ):
        Resampler(48_000, 1)


@pytest.mark.parametrize("rate", [0, 999, 384_001, 767_999, 2**32 - 1])
def test_a_wav_has_a_rate_that_recordings_have(tmp_path, rate):
    data = wav_bytes(tone(16_000, 0.01))
    (tmp_path / "a.wav").write_bytes(data.replace(struct.pack("<I", 16_000), struct.pack("<I", rate), 1))
    with pytest.raises(InputError, match=f"1 channels at {rate} Hz; expected 1 to 64 at 1000 to 384000 Hz. Convert it"):
        list(file_chunks(tmp_path / "a.wav"))


@pytest.mark.parametrize("rate", [1, 999, 384_001, 1_999_999_973])
def test_other_audio_has_a_rate_that_recordings_have(tmp_path, rate):
    pytest.importorskip("soundfile", reason="audio other than WAV needs soundfile")
    header = b".snd" + struct.pack(">IIIII", 24, 2_000, 3, rate, 1)  # AU, 16 bits, one channel
    (tmp_path / "a.au").write_bytes(header + bytes(2_000))
    with pytest.raises(
        InputError, match=rf"a\.au says that it was sampled at {rate} Hz; expected 1000 to 384000\. Conv"
    ):
        list(file_chunks(tmp_path / "a.au"))


def test_a_long_file_comes_in_small_pieces(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(44_100, 20), rate=44_100))
    sizes = [len(chunk) for chunk in file_chunks(path)]
    assert max(sizes) < 16_384
    assert sum(sizes) == 320_000


class PortAudioError(Exception):
    """As in sounddevice."""


def microphone(read):
    """A module that looks like sounddevice."""

    class InputStream:
        def __init__(self, samplerate, channels, dtype):
            assert (samplerate, channels, dtype) == (16_000, 1, "float32")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    InputStream.read = staticmethod(read)
    module = types.ModuleType("sounddevice")
    module.InputStream, module.PortAudioError = InputStream, PortAudioError
    return module


def test_a_microphone_delivers_chunks(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", microphone(lambda n: (np.ones((n, 1), np.float32), False)))
    assert np.array_equal(next(microphone_chunks()), np.ones(480, np.float32))


def test_a_slow_microphone_delivers_at_least_a_sample(monkeypatch):
    module = microphone(lambda n: (np.ones((n, 1), np.float32), False))
    monkeypatch.setattr(module.InputStream, "__init__", lambda self, **settings: None)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    assert len(next(microphone_chunks(10))) == 1


def test_an_unplugged_microphone_says_what_to_do(monkeypatch):
    def read(samples):
        raise PortAudioError("Device unavailable")

    monkeypatch.setitem(sys.modules, "sounddevice", microphone(read))
    with pytest.raises(InputError, match=r"microphone cannot be used: Device unavailable\. Plug one in"):
        next(microphone_chunks())


def test_without_sounddevice_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(InputError, match=r"needs sounddevice.*pip install tinyrnn-runtime\[mic\]"):
        next(microphone_chunks())


def test_without_portaudio_the_line_says_how_to_get_it(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"PortAudio library not found\. Install it with: apt install libportaudio2"):
        next(microphone_chunks())
