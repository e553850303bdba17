"""What `tinyrnn` does on a board: run, evaluate, check, bench, info and pack, each with a function that adds it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from device_runtime import bench, bundle, engines, golden, sources
from device_runtime.arguments import Parser, examples, given, seed, threshold
from device_runtime.arithmetic import Float32
from device_runtime.card import card, matrices, sizes
from device_runtime.errors import InputError
from device_runtime.evaluating import measured
from device_runtime.nearest import Nearest
from device_runtime.pack import pack
from device_runtime.piped import standard_input
from device_runtime.recordings import SPLITS
from device_runtime.running import run_sensors
from device_runtime.session import Session
from device_runtime.tables import table


def _verb(verbs: Any, name: str, text: str, handler: Callable[[argparse.Namespace], int], *shown: str) -> Parser:
    """A verb on a bundle, with examples."""
    title = f"{text[0].upper()}{text[1:]}."
    parser: Parser = verbs.add_parser(name, help=text, description=title, epilog=examples(*shown), allow_abbrev=False)
    parser.add_argument("bundle", type=given, metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=handler)
    return parser


def _add_run(verbs: Any) -> None:
    parser = _verb(
        verbs,
        "run",
        "turn a recording, a log of sensors, a pipe or the microphone into events",
        _run_stream,
        "run demo.bundle recording.wav",
        "run demo.bundle recording.wav --threshold yes=0.7 --json",
        "arecord -q -f S16_LE -r 16000 | run demo.bundle -",
        "run forecaster.bundle sensor.csv --every 1",
        "tail -n +1 -f sensor.csv | run forecaster.bundle - --state forecaster.state",
    )
    from_ = (
        "an audio file, or - for standard input (raw 16-bit mono or WAV); else the microphone. Of sensors: a CSV file, "
        "or - for lines as they come"
    )
    parser.add_argument("source", type=given, metavar="SOURCE", nargs="?", help=from_)
    _add_engine(parser)
    _add_thresholds(parser)
    often = "samples of sensors from one forecast to the next (default: the bundle's own)"
    parser.add_argument("--every", type=int, metavar="N", help=often)
    kept = "of sensors: go on from this file if it is there; save to it every minute and at the end"
    parser.add_argument("--state", type=given, metavar="FILE", help=kept)


def _json(facts: Any) -> str:
    """For programs, and for people who look at what programs get; NaN is no JSON."""
    return json.dumps(facts, indent=2, allow_nan=False)


def _add_engine(parser: Parser, default: str = engines.DEFAULT) -> None:
    choices = f"one of {', '.join(engines.ENGINES)} (default: {default})"
    parser.add_argument("--engine", metavar="NAME", default=default, help=choices)


def _add_thresholds(parser: Parser) -> None:
    instead = "instead of the bundle's own; may be given for several words"
    parser.add_argument("--threshold", action="append", default=[], type=threshold, metavar="WORD=0.7", help=instead)


def _add_all_engines(parser: Parser) -> None:
    choices = f"one of {', '.join(engines.ENGINES)}, or all that this machine has (default: all)"
    parser.add_argument("--engine", metavar="NAME", default="all", help=choices)


def _run_stream(args: argparse.Namespace) -> int:
    session = Session.open(args.bundle, args.engine, dict(args.threshold), args.every)
    if session.watches:
        return run_sensors(session, args)
    if args.state is not None:
        raise InputError(f"--state keeps what a bundle of sensors has learned; {args.bundle} hears words. Leave it out")
    nearest, fired = Nearest(session.labels, session.thresholds, session.decoder.window_steps), False
    for chunk in _source(args.source, int(session.frontend.sample_rate_hz)):
        for step in session.listen(chunk):
            nearest.take(step.scores, step.time_s)
            for event in step.events:
                fired = True
                print(json.dumps(event.as_dict(), allow_nan=False) if args.json else event.line(), flush=True)
    if not fired and sys.stderr.isatty():
        print(nearest.told(), file=sys.stderr)
    return 0


def _source(name: str | None, rate: int) -> Iterator[Float32]:
    if name is None:
        if sys.stderr.isatty():
            print("listening to the microphone; stop with Ctrl-C", file=sys.stderr)
        return sources.microphone_chunks(rate)
    if name == "-":
        use = "arecord -q -f S16_LE -r 16000 | tinyrnn run BUNDLE -"
        return sources.stream_chunks(standard_input("audio", use), rate)
    return sources.file_chunks(name, rate)


def _add_evaluate(verbs: Any) -> None:
    parser = _verb(
        verbs,
        "evaluate",
        "measure accuracy, false accepts or the errors of forecasts as a device has them",
        _evaluate,
        "evaluate demo.bundle recordings          # recordings/yes/1.wav, recordings/no/1.wav, ...",
        "evaluate demo.bundle speech_commands_v0.02 --split test --json",
        "evaluate demo.bundle --negatives podcasts",
        "evaluate forecaster.bundle ETTh1.csv --split test --json",
        "evaluate remaining_life.bundle CMAPSS --split test --json",
    )
    labelled = "labelled recordings: LABEL/NAME.wav, or a known data set in its own layout; of sensors: a CSV file"
    parser.add_argument("data", type=given, metavar="DATA", nargs="?", help=labelled)
    splits = "as the data set has them; LABEL/NAME.wav is all test (default: test)"
    parser.add_argument("--split", default="test", choices=[*SPLITS, "all"], help=splits)
    beside = "recordings of noise that training has not heard; else DATA/_background_noise_, or made"
    parser.add_argument("--noise", type=given, metavar="DIR", help=beside)
    parser.add_argument(
        "--negatives", type=given, metavar="DIR", help="recordings without the words, played as one stream"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only N clips, drawn at random by --seed")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the order, the noise and --limit (0)")
    _add_engine(parser)
    _add_thresholds(parser)


def _evaluate(args: argparse.Namespace) -> int:
    numbers, told = measured(args)
    print(_json(numbers) if args.json else told)
    return 0


def _add_check(verbs: Any) -> None:
    text = "replay the golden frames; exit 1 on any differing bit"
    _add_all_engines(_verb(verbs, "check", text, _check, "check demo.bundle", "check demo.bundle --engine onnx --json"))


def _check(args: argparse.Namespace) -> int:
    checked = bundle.read(args.bundle)
    frames = golden.read(checked)
    rows: list[dict[str, Any]] = []
    for name, missing in _missing(args.engine, checked).items():
        differing = None if missing else golden.replay(engines.load(name, checked), frames)
        result = missing or ("every bit is equal" if differing == 0 else "DIFFERS")
        rows.append({"engine": name, "frames": len(frames.frames), "differing_values": differing, "result": result})
    print(_json({"engines": rows}) if args.json else table(rows))
    # the reference engine needs nothing, so that at least one has run
    return int(any(row["differing_values"] for row in rows))


def _missing(engine: str, opened: bundle.Bundle) -> dict[str, str | None]:
    """The engines to run, each with what it lacks; one that was asked for by name says so itself."""
    if engine != "all":
        return {engine: None}
    why: dict[str, str | None] = {}
    for name, choice in engines.ENGINES.items():
        lacking = None if choice.is_installed() else "not installed"
        why[name] = lacking if choice.file in opened.manifest.files else f"not in this bundle: {choice.file}"
    return why


def _add_bench(verbs: Any) -> None:
    text = "time each engine, and take its memory"
    _add_all_engines(_verb(verbs, "bench", text, _bench, "bench demo.bundle", "bench demo.bundle --engine litert"))


def _bench(args: argparse.Namespace) -> int:
    opened = bundle.read(args.bundle)
    missing = _missing(args.engine, opened)
    costs = [bench.measure(args.bundle, name).as_dict() for name, why in missing.items() if why is None]
    if args.json:
        print(_json({"engines": costs}))
    else:
        print("\n".join([table(costs), *(f"{name}: {why}" for name, why in missing.items() if why)]))
    return 0


def _add_info(verbs: Any) -> None:
    _verb(verbs, "info", "say what is in a bundle", _info, "info demo.bundle", "info demo.bundle --json")


def _info(args: argparse.Namespace) -> int:
    opened = bundle.read(args.bundle)
    facts = {**opened.manifest.as_dict(), "size_bytes": opened.size_bytes, "device_bytes": opened.device_bytes}
    facts["matrices"] = matrices(opened.model)
    print(_json(facts) if args.json else card(opened))
    return 0


def _add_pack(verbs: Any) -> None:
    text = "copy a bundle with only what one engine needs, for a small board"
    shown = ("pack demo.bundle small.bundle", "pack demo.bundle small.bundle --engine onnx")
    parser = _verb(verbs, "pack", text, _pack, *shown)
    parser.add_argument(
        "out", type=given, metavar="OUT", help="the folder to write; a bundle that is there is replaced"
    )
    _add_engine(parser, engines.REFERENCE)


def _pack(args: argparse.Namespace) -> int:
    pack(args.bundle, args.out, args.engine)
    packed = bundle.read(args.out)
    if args.json:
        facts = {"bundle": args.out, "engine": args.engine, "files": sizes(packed), "bytes": packed.size_bytes}
        print(_json(facts))
    else:
        print(table([{"file": name, "bytes": size} for name, size in sizes(packed).items()]))
        print(f"wrote {args.out}: {packed.size_bytes:,} bytes for the engine {args.engine}")
    return 0


BUILT_IN = {
    "run": _add_run,
    "evaluate": _add_evaluate,
    "check": _add_check,
    "bench": _add_bench,
    "info": _add_info,
    "pack": _add_pack,
}
"""Each verb, with what adds it to the parser."""
