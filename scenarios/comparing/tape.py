"""Clips as a model hears them, kept as frames: any change of the model is heard on them without the front end.

What is decided of the scores is `device_runtime.listener.hear`, word for word: a tape answers it as a session would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from device_runtime import extension, flat
from device_runtime.arithmetic import Float32, Model, step
from device_runtime.clips import in_a_room, with_prerolls
from device_runtime.engines.native import NativeEngine
from device_runtime.evaluate import Clip, Evaluation
from device_runtime.listener import hear
from device_runtime.session import Session, Step


@dataclass(frozen=True)
class Stream:
    """What was heard from one reset to the next."""

    frames: Float32
    """(n, feature_size)."""

    times_s: tuple[float, ...]
    counts: tuple[int, ...]
    """Frames that each call completed."""


@dataclass(frozen=True)
class Heard:
    """One clip: its streams in the order in which they were heard, and the lengths that were played."""

    streams: tuple[Stream, ...]
    before: int
    heard: int


@dataclass(frozen=True)
class Tape:
    """Clips of an evaluation, warm, as the front end of a session makes frames of them."""

    session: Session
    evaluation: Evaluation
    """Of the clips on the tape, in their order."""

    heard: tuple[Heard, ...]

    @classmethod
    def record(cls, session: Session, evaluation: Evaluation, count: int) -> Tape:
        """The first clips of an evaluation, which are in random order; each after the same other clip as there."""
        heard = []
        for before, clip in islice(warm_audio(session, evaluation), count):
            recorder = _Recorder(session)
            hear(recorder, before, clip, window(session))
            heard.append(Heard(tuple(recorder.streams()), len(before), len(clip)))
        return cls(session, replace(evaluation, clips=evaluation.clips[:count]), tuple(heard))

    def first(self, count: int) -> Tape:
        """The tape up to so many clips."""
        return replace(
            self,
            evaluation=replace(self.evaluation, clips=self.evaluation.clips[:count]),
            heard=self.heard[:count],
        )

    def play(self, model: Model) -> Evaluation:
        """What the session would decide if this were its model."""
        scores = iter(all_scores(model, [stream.frames for heard in self.heard for stream in heard.streams]))
        clips = []
        for clip, heard in zip(self.evaluation.clips, self.heard, strict=True):
            player = _Player(self.session, [(stream, next(scores)) for stream in heard.streams])
            peaks, fired = hear(player, _silence(heard.before), _silence(heard.heard), window(self.session))
            clips.append(Clip(clip.recording, clip.truth, peaks, peaks, None, {"warm": fired}))
        return replace(self.evaluation, clips=clips)


def window(session: Session) -> int:
    """Samples over which the session's scores are averaged."""
    return int(session.decoder.window_s * int(session.frontend.sample_rate_hz))


def warm_audio(session: Session, evaluation: Evaluation) -> Iterator[tuple[Float32, Float32]]:
    """What is played of each clip: the end of another before it, and the clip in its room."""
    rate = int(session.frontend.sample_rate_hz)
    order = [(clip.recording, clip.truth) for clip in evaluation.clips]
    for _, _, audio, before in with_prerolls(order, rate):
        yield before, in_a_room(audio, rate, window(session))


def all_scores(model: Model, streams: Sequence[Float32]) -> list[Float32]:
    """The scores of every frame of each stream, (n, labels), all streams from the initial state.

    By the native engine, many streams in one call; where it is not built by the reference, with the same bits.
    """
    scores = [np.empty((len(frames), model.score_size), np.float32) for frames in streams]
    order = sorted(range(len(streams)), key=lambda i: -len(streams[i]))
    try:
        engine = NativeEngine(extension.load().Model(flat.to_bytes(model)))
    except ImportError:
        for i in order:
            state = model.initial_state()
            for at, frame in enumerate(streams[i]):
                scores[i][at], state = step(model, frame, state)
        return scores
    states = np.zeros((len(streams), model.state_size), np.float32)
    for at in range(len(streams[order[0]]) if order else 0):
        going = [i for i in order if len(streams[i]) > at]  # the longest first, so that states stay in their places
        now, states = engine.streams(np.stack([streams[i][at] for i in going]), states[: len(going)])
        for row, i in zip(now, going, strict=True):
            scores[i][at] = row
    return scores


def _silence(samples: int) -> Float32:
    """Only how long it is counts here; takes no memory."""
    return np.broadcast_to(np.float32(0), (samples,))


class _Recorder:
    """Keeps the frames of what it is played; hears nothing in them."""

    def __init__(self, session: Session) -> None:
        self.labels, self.decoder, self._frontend = session.labels, session.decoder, session.frontend
        self._kept: list[list[list[tuple[Float32, float]]]] = []

    def reset(self) -> None:
        self._frontend.reset()
        self.decoder.reset()
        self._kept.append([])

    def push(self, samples: Float32) -> None:
        self._kept[-1].append([(frame.values, frame.time_s) for frame in self._frontend.push(samples)])

    def listen(self, samples: Float32) -> Iterable[Step]:
        self.push(samples)
        return ()

    def streams(self) -> Iterator[Stream]:
        for calls in self._kept:
            frames = [frame for call in calls for frame in call]
            values = np.array([values for values, _ in frames], np.float32)
            yield Stream(
                values.reshape(len(frames), self._frontend.feature_size),
                tuple(time_s for _, time_s in frames),
                tuple(map(len, calls)),
            )


class _Player:
    """Answers what a clip is played to with scores that are known."""

    def __init__(self, session: Session, streams: Sequence[tuple[Stream, Float32]]) -> None:
        self.labels, self.decoder = session.labels, session.decoder
        self._streams = iter(streams)

    def reset(self) -> None:
        self.decoder.reset()
        self._stream, self._scores = next(self._streams)
        self._counts, self._at = iter(self._stream.counts), 0

    def push(self, samples: Float32) -> None:
        times_s, scores = self._next()
        if times_s:
            self.decoder.events(scores, times_s)

    def listen(self, samples: Float32) -> Iterator[Step]:
        times_s, scores = self._next()
        if times_s:
            decoded = self.decoder.push(scores, times_s)
            for told in zip(times_s, decoded.scores, decoded.events, decoded.armed, strict=True):
                yield Step(*told)

    def _next(self) -> tuple[tuple[float, ...], Float32]:
        first, self._at = self._at, self._at + next(self._counts)
        return self._stream.times_s[first : self._at], self._scores[first : self._at]
