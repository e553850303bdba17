"""microWakeWord's "alexa" by the package pymicro-wakeword: the same speech front end, then a small streaming CNN."""

from __future__ import annotations

from collections.abc import Sequence

from device_runtime.arithmetic import Float32
from device_runtime.frontends.speech import to_int16
from scenarios.benchmarks.turns import Run

NAME = "microWakeWord alexa"
PACKAGE = "pymicro_wakeword"


def listening(chunks: Sequence[Float32]) -> Run:
    """Hears the chunks, as its own command line does: any number of samples at a time."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    frontend, model = MicroWakeWordFeatures(), MicroWakeWord.from_builtin(Model.ALEXA)
    heard = [to_int16(chunk).tobytes() for chunk in chunks]

    def run(times: int) -> None:
        for _ in range(times):
            for chunk in heard:
                for features in frontend.process_streaming(chunk):
                    model.process_streaming(features)

    return run
