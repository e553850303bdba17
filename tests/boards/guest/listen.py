"""On a board, and on the machine that it is compared with: golden frames and whole recordings through one engine.

Reads a request from standard input, {"engine": NAME, "golden": [BUNDLE], "recordings": {BUNDLE: [WAV]}, "frontend":
"its own"}, and prints what came out: differing golden values, a digest of every frame, score and state, and the events.
With another "frontend", frames that were made elsewhere are taken instead.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import device_runtime
from device_runtime import bundle, engines, frontends, golden
from device_runtime.frontends import Frame
from device_runtime.recordings import read_audio
from device_runtime.session import Session

Float32 = Any


class Recorder:
    """An engine that keeps a digest of all that goes in and comes out."""

    def __init__(self, engine: engines.Engine) -> None:
        self.engine, self.name = engine, engine.name
        self.forget()

    def forget(self) -> None:
        self.seen, self.steps = hashlib.sha256(), 0

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        answer = self.engine.step(frame, state)
        for values in (frame, *answer):
            self.seen.update(np.ascontiguousarray(values).tobytes())
        self.steps += 1
        return answer


class MadeElsewhere:
    """Stands in for the speech front end: frames that another machine made of the recording."""

    recording = Path()
    sample_rate_hz: float = 16_000
    feature_size, frame_s = 200, 0.03

    def __init__(self, **settings: object) -> None:
        self.reset()

    def check(self, samples: Float32) -> None:
        """Samples that were read from a file are fine."""

    def push(self, samples: Float32) -> list[Frame]:
        first = len(samples) and self._samples == 0
        self._samples += len(samples)
        if first:
            made = np.load(self.recording.with_suffix(".npz"))
            self._frames = list(map(Frame, made["values"], made["times"].tolist()))
        until = self._samples / self.sample_rate_hz
        ready = [frame for frame in self._frames if frame.time_s <= until]
        del self._frames[: len(ready)]
        return ready

    def reset(self) -> None:
        self._samples, self._frames = 0, []


def listen(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request."""
    if request["frontend"] != "its own":
        frontends.FRONTENDS["speech"] = MadeElsewhere
    kernel, differing, heard = None, {}, {}
    for folder in request["golden"]:
        opened = bundle.read(folder)
        engine = engines.load(request["engine"], opened)
        kernel = getattr(getattr(engine, "model", None), "kernel", None)
        differing[Path(folder).stem] = golden.replay(engine, golden.read(opened))
    for folder, paths in request["recordings"].items():
        session = Session.open(folder, request["engine"])
        recorder = Recorder(session.engine)
        session.engine = recorder
        for path in map(Path, paths):
            MadeElsewhere.recording = path
            session.reset()
            recorder.forget()
            events = [event.as_dict() for event in session.push(read_audio(path))]
            heard[path.stem] = {"bits": recorder.seen.hexdigest(), "steps": recorder.steps, "events": events}
    runtime = device_runtime.__file__
    return {"kernel": kernel, "runtime": runtime, "golden": differing, "heard": heard}


if __name__ == "__main__":
    print(json.dumps(listen(json.load(sys.stdin))))
