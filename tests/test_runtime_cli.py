"""The command line: what each verb prints, its exit code, and one line on stderr for whatever a user gets wrong."""

import importlib.metadata
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, cli, golden, sources
from device_runtime.engines.reference import ReferenceEngine
from device_runtime.noise import Noises
from device_runtime.session import Session
from models import tiny_model, write_tiny_bundle
from sounds import EAGER, babble, wav_bytes, write_bundle


@pytest.fixture
def folder(tmp_path):
    return str(write_bundle(tmp_path / "tiny.bundle"))


@pytest.fixture
def recording(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes(babble(3.0)))
    return str(tmp_path / "a.wav")


def refused(capsys, *arguments):
    """The one line on stderr of a command that was refused."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tinyrnn: ")
    assert err.count("\n") == 1
    return err


def test_run_prints_a_line_for_each_event(capsys, folder, recording):
    assert cli.main(["run", folder, recording]) == 0
    lines = capsys.readouterr().out.splitlines()
    events = Session.open(folder).push(np.concatenate(list(sources.file_chunks(recording))))
    assert lines == [f"{event.time_s:7.2f} s  {event.label}  {event.score:.2f}" for event in events]
    assert lines


def test_run_prints_json_lines_that_equal_the_events(capsys, folder, recording):
    assert cli.main(["run", folder, recording, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"event", "label", "time_s", "score"} == set(lines[0])


@pytest.mark.parametrize("header", [True, False])
def test_run_listens_to_a_pipe_with_or_without_a_wav_header(capsys, monkeypatch, folder, recording, header):
    cli.main(["run", folder, recording])
    expected = capsys.readouterr().out
    data = Path(recording).read_bytes()
    piped = data if header else data[data.index(b"data") + 8 :]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert cli.main(["run", folder, "-"]) == 0
    assert capsys.readouterr().out == expected


def start(*arguments):
    program = [sys.executable, "-m", "device_runtime.cli", *arguments]
    home = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(program, env=home, bufsize=0, **pipes)


def test_run_prints_an_event_as_soon_as_it_happens(folder):
    with start("run", folder, "-") as process:
        process.stdin.write((babble(1.0) * 32767).astype("<i2").tobytes())
        assert process.stdout.readline(), "an event, though the pipe is still open"
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_a_reader_that_leaves_ends_a_run_quietly(folder, recording):
    with start("run", folder, recording) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


def test_thresholds_can_be_overridden_for_one_run(capsys, folder, recording):
    silent = [f"--threshold={label}=1" for label in EAGER["thresholds"]]
    assert cli.main(["run", folder, recording, *silent]) == 0
    assert capsys.readouterr().out == ""


def write_words(folder):
    for seed, label in enumerate(["yes", "yes", "no", "no", "maybe"]):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{seed}.wav").write_bytes(wav_bytes(babble(1.0, seed)))
    return str(folder)


def test_evaluate_prints_what_was_measured(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    data = write_words(tmp_path / "words")
    command = ["evaluate", folder, data, "--negatives", f"{data}/maybe", "--json"]
    assert cli.main(command) == 0
    numbers = json.loads(capsys.readouterr().out)
    wanted = {"task", "engine", "split", "clips", "accuracy", "interval_95", "accuracy_cold", "accuracy_noise_10db"}
    wanted |= {"accuracy_unknown_allowed", "bundle_bytes", "device_bytes"}
    wanted |= {"per_label", "seconds", "hours", "false_accepts", "false_accepts_per_hour", "negatives", "detection"}
    assert wanted <= set(numbers)
    assert (numbers["clips"], numbers["skipped"], numbers["negatives"]["clips"]) == (4, 1, 1)
    assert numbers["noise"]["source"] == "generated"
    assert cli.main(command[:-1]) == 0
    assert "false accepts in 0.00 hours" in capsys.readouterr().out


def test_evaluate_of_negatives_alone_prints_just_these(capsys, tmp_path, folder):
    data = write_words(tmp_path / "words")
    assert cli.main(["evaluate", folder, "--negatives", data, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers.pop("negatives") == numbers
    assert numbers["clips"] == 5


def test_evaluate_takes_noise_from_where_it_is_told_or_from_the_data(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    data = write_words(tmp_path / "words")
    for place in (Path(data, "_background_noise_"), tmp_path / "noise"):
        place.mkdir()
        (place / f"in {place.name}.wav").write_bytes(wav_bytes(babble(2.0)))
    cli.main(["evaluate", folder, data, "--json"])
    assert json.loads(capsys.readouterr().out)["noise"]["names"] == ["in _background_noise_"]
    cli.main(["evaluate", folder, data, "--noise", str(tmp_path / "noise"), "--json"])
    assert json.loads(capsys.readouterr().out)["noise"]["names"] == ["in noise"]
    monkeypatch.setattr(Noises, "choose", lambda *_: Noises.generated([]))  # as if training had heard it all
    message = refused(capsys, "evaluate", folder, data, "--noise", str(tmp_path / "noise"))
    assert "noise has no noise that training has not heard" in message


def test_noise_that_cannot_be_decoded_here_is_passed_over_unless_it_is_named(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "soundfile", None)  # as where it is not installed
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    data = write_words(tmp_path / "words")
    place = Path(data, "_background_noise_")
    place.mkdir()
    (place / "tap.opus").write_bytes(b"OggS" + bytes(100))
    assert cli.main(["evaluate", folder, data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["noise"]["source"] == "generated"
    message = refused(capsys, "evaluate", folder, data, "--noise", str(place))
    assert "other audio needs soundfile, which is not installed" in message


def test_evaluate_draws_a_limited_number_of_clips_by_seed(capsys, tmp_path, folder):
    data = write_words(tmp_path / "words")
    assert cli.main(["evaluate", folder, data, "--limit", "2", "--seed", "1", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["clips"] + numbers["skipped"] == 2
    assert "--limit must be at least 1, got 0" in refused(capsys, "evaluate", folder, data, "--limit", "0")


def test_check_replays_the_golden_frames(capsys, tmp_path):
    write_tiny_bundle(tmp_path / "tiny.bundle")
    assert cli.main(["check", str(tmp_path / "tiny.bundle")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == ["reference", "20", "0", "every", "bit", "is", "equal"]
    assert out[2].split()[:2] == ["native", "20"]
    assert out[2].split()[2] in "0-", "equal bits, or not built here"
    assert out[3].split()[:3] == ["onnx", "20", "-"]


def test_check_exits_1_on_a_differing_bit(capsys, tmp_path, monkeypatch):
    write_tiny_bundle(tmp_path / "tiny.bundle")
    other = tiny_model(seed=1)
    monkeypatch.setattr("device_runtime.engines.reference.load_engine", lambda _: ReferenceEngine(other))
    assert cli.main(["check", str(tmp_path / "tiny.bundle"), "--engine", "reference"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_check_reports_engines_that_are_not_installed(capsys, tmp_path, monkeypatch):
    def also_onnx(folder):
        golden.write(folder / golden.GOLDEN, golden.record(model, np.zeros((3, 200), np.float32)))
        (folder / "model.onnx").write_bytes(b"")

    model = tiny_model()
    bundle.write(tmp_path / "tiny.bundle", bundle.read(write_bundle(tmp_path / "a")).manifest, model, also_onnx)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["check", str(tmp_path / "tiny.bundle"), "--json"]) == 0
    rows = {row["engine"]: row for row in json.loads(capsys.readouterr().out)["engines"]}
    assert rows["reference"]["differing_values"] == 0
    assert rows["onnx"]["result"] == "not installed"
    assert rows["onnx"]["differing_values"] is None
    message = refused(capsys, "check", str(tmp_path / "tiny.bundle"), "--engine", "onnx")
    assert "the engine onnx needs the package onnxruntime" in message


def test_bench_prints_what_each_engine_costs(capsys, folder):
    assert cli.main(["bench", folder, "--engine", "all", "--json"]) == 0
    row, *others = json.loads(capsys.readouterr().out)["engines"]
    assert row["engine"] == "reference"
    assert [other["engine"] for other in others] in ([], ["native"]), "as it was built here, or not"
    assert {"step_us_median", "step_us_p99", "audio_second_us", "real_time_factor", "peak_mb"} <= set(row)
    assert cli.main(["bench", folder]) == 0
    lines = capsys.readouterr().out.splitlines()
    missing = [line for line in lines[2 + len(others) :] if not line.startswith("native: ")]
    assert missing == ["onnx: not in this bundle: model.onnx", "litert: not in this bundle: model.tflite"]
    assert cli.main(["bench", folder, "--engine", "reference"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2, "no empty line where nothing is missing"


def test_info_says_what_is_in_a_bundle(capsys, tmp_path):
    stages = [{"stage": "teacher", "accuracy": 0.981}, {"stage": "int8", "accuracy": 0.955, "bytes": 40_000}]
    opened = write_tiny_bundle(tmp_path / "a")
    data = [{"name": "speech_commands", "licence": "CC BY 4.0"}]
    card = {"seed": 7, "noises_heard": [], "data": data, "stages": stages}
    manifest = bundle.Manifest(**{**vars(opened.manifest), "card": card})
    bundle.write(tmp_path / "tiny.bundle", manifest, opened.model, lambda _: None)
    assert cli.main(["info", str(tmp_path / "tiny.bundle")]) == 0
    out = capsys.readouterr().out
    for line in ("yes            0.5", "silence          -", "model.npz", "seed: 7", "noises_heard: -"):
        assert line in out
    assert "\n\ndata:\nname             licence\nspeech_commands  CC BY 4.0\n\nstages:\n" in out
    assert out.splitlines()[-3:] == ["stage    accuracy  bytes", "teacher     0.981      -", "int8        0.955  40000"]
    assert cli.main(["info", str(tmp_path / "tiny.bundle"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] == card


def test_info_and_pack_say_what_a_device_must_store(capsys, tmp_path):
    whole = write_tiny_bundle(tmp_path / "whole.bundle")
    assert cli.main(["info", str(whole.folder)]) == 0
    line = f"{whole.device_bytes:,} bytes on a device (what tinyrnn pack writes), {whole.size_bytes:,} in the whole"
    assert line in capsys.readouterr().out
    cli.main(["info", str(whole.folder), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert (facts["device_bytes"], facts["size_bytes"]) == (whole.device_bytes, whole.size_bytes)

    packed = tmp_path / "small.bundle"
    assert cli.main(["pack", str(whole.folder), str(packed)]) == 0
    written = bundle.read(packed)
    assert written.size_bytes == written.device_bytes == whole.device_bytes < whole.size_bytes
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"wrote {packed}: {written.size_bytes:,} bytes for the engine reference"
    assert [line.split()[0] for line in out[:-1]] == ["file", "manifest.json", "model.npz"]
    assert cli.main(["pack", str(whole.folder), str(packed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == written.size_bytes


@pytest.mark.parametrize("verb", [["info"], ["info", "--json"], ["pack", "out"]])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ' + "[" * 900 + "]" * 900 + "}", "card.a is nested more than 8 levels deep"),
        ('{"a": "\\u001b]0;owned\\u0007"}', "card.a must be printable text without control characters"),
    ],
)
def test_a_hostile_card_is_refused_in_one_line(capsys, folder, verb, text, message):
    path = Path(folder, "manifest.json")
    assert '"card": {\n    "seed": 0\n  }' in path.read_text()
    path.write_text(path.read_text().replace('"card": {\n    "seed": 0\n  }', f'"card": {text}'))
    assert message in refused(capsys, verb[0], folder, *verb[1:])


def test_evaluate_refuses_noises_heard_that_are_no_names(capsys, tmp_path, folder):
    path = Path(folder, "manifest.json")
    path.write_text(path.read_text().replace('"seed": 0', '"noises_heard": 5'))
    message = refused(capsys, "evaluate", folder, write_words(tmp_path / "words"))
    assert "the card of tiny must have a list of names as noises_heard. Get the bundle again" in message


def test_text_from_a_pipe_is_no_sound(capsys, monkeypatch, folder):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))
    message = refused(capsys, "run", folder, "-")
    assert "standard input is text ('hello\\n'), not audio. Expected 16-bit mono PCM or a WAV: arecord" in message


def test_an_unknown_verb_suggests_the_near_one(capsys):
    assert "there is no verb 'rnu' (did you mean run?). Choose one of: run, evaluate" in refused(capsys, "rnu")


def test_an_unknown_option_suggests_the_near_one(capsys, folder):
    message = refused(capsys, "run", "--enigne", folder)
    assert "tinyrnn run does not take '--enigne' (did you mean --engine?)" in message
    assert "tinyrnn does not take '--versoin' (did you mean --version?)" in refused(capsys, "--versoin")


REFUSED = {
    "the following arguments are required: BUNDLE. See: tinyrnn run --help": ["run"],
    "argument --threshold: expected WORD=0.7, got 'yes'. See": ["run", "{bundle}", "--threshold", "yes"],
    "argument --threshold: expected WORD=0.7, got '0.5'. See": ["run", "{bundle}", "--threshold", "0.5"],
    "no word 'yess' (did you mean yes?). Its words: silence": ["run", "{bundle}", "{wav}", "--threshold", "yess=0.7"],
    "threshold of yes must be a probability from 0 to 1, got 7.0": ["run", "{bundle}", "{wav}", "--threshold=yes=7"],
    "there is no engine 'onyx' (did you mean onnx?)": ["run", "{bundle}", "{wav}", "--engine", "onyx"],
    "{tmp} is not a bundle: it has no manifest.json": ["info", "{tmp}"],
    "there is no folder {tmp}/none. Check the path": ["info", "{tmp}/none"],
    "{wav} is a file; the bundle comes first: tinyrnn run BUNDLE SOURCE": ["run", "{wav}", "{bundle}"],
    "/none.wav: No such file or directory. Expected an audio file.": ["run", "{bundle}", "{tmp}/none.wav"],
    "cannot read {tmp}: Is a directory": ["run", "{bundle}", "{tmp}"],
    "there is no data folder {tmp}/none": ["evaluate", "{bundle}", "{tmp}/none"],
    "nothing to evaluate: name a folder": ["evaluate", "{bundle}"],
    "{words} has no recordings in the split train; it has: test": ["evaluate", "{bundle}", "{words}", "--split=train"],
    "there is no data folder {tmp}/none. Expected": ["evaluate", "{bundle}", "--negatives", "{tmp}/none"],
    "{wav} is a file, expected a folder of recordings": ["evaluate", "{bundle}", "--negatives", "{wav}"],
    "{wav} is a file, expected a folder": ["evaluate", "{bundle}", "{wav}"],
    "there is no data folder {tmp}/none. Expected a": ["evaluate", "{bundle}", "{words}", "--noise", "{tmp}/none"],
    "{wav} is a file, expected": ["evaluate", "{bundle}", "{words}", "--noise", "{wav}"],
    "{tmp}/tiny.bundle holds no audio files. Expected .wav": ["evaluate", "{bundle}", "{words}", "--noise", "{bundle}"],
    "{bundle} is the bundle itself, which packing would cut down": ["pack", "{bundle}", "{bundle}"],
    "{bundle} has no model.onnx, which the engine onnx reads": ["pack", "{bundle}", "{tmp}/out", "--engine=onnx"],
    "argument --seed: expected a whole number from 0 to 4294967295, got '-1'": ["evaluate", "{bundle}", "--seed", "-1"],
    "expected a whole number from 0 to 4294967295, got '4294967296'": ["evaluate", "{bundle}", "--seed=4294967296"],
    "expected a whole number from 0 to 4294967295, got '1.5'": ["evaluate", "{bundle}", "--seed", "1.5"],
    "invalid choice: 'all of it' (choose from": ["evaluate", "{bundle}", "{words}", "--split", "all of it"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_user_gets_wrong_takes_one_line(capsys, tmp_path, folder, recording, message):
    places = {"bundle": folder, "wav": recording, "tmp": tmp_path, "words": write_words(tmp_path / "words")}
    arguments = [argument.format(**places) for argument in REFUSED[message]]
    assert message.format(**places) in refused(capsys, *arguments)


def test_an_unknown_verb_on_a_board_says_where_more_come_from(capsys, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [])
    message = refused(capsys, "build", "demo")
    assert message.endswith(
        "Choose one of: run, evaluate, check, bench, info, pack; more come with the workstation: pip install -e .\n"
    )


def test_no_words_print_the_help(capsys):
    assert cli.main([]) == 0
    assert "evaluate" in capsys.readouterr().out


def test_the_version_is_that_of_the_installed_runtime(capsys, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", {"tinyrnn-runtime": "1.2.3"}.__getitem__)
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == "tinyrnn 1.2.3\n"


def test_without_an_installation_there_is_no_version(capsys, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert cli.main([]) == 0


class Entry:
    """An entry point of another distribution."""

    def __init__(self, name, load):
        self.name, self.load = name, load


def build_verb(verbs):
    parser = verbs.add_parser("build", help="make a bundle")
    parser.add_argument("scenario")
    parser.set_defaults(handler=lambda args: sys.stdout.write(f"building {args.scenario}\n") and 0)


def absent():
    raise ImportError("No module named 'torch'")


@pytest.fixture
def entries(monkeypatch):
    loaded = []
    found = [Entry("build", lambda: loaded.append("build") or build_verb), Entry("sweep", absent)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found if group == "tinyrnn.verbs" else [])
    return loaded


def test_a_workstation_adds_its_verbs(capsys, entries):
    assert cli.main(["build", "demo"]) == 0
    assert capsys.readouterr().out == "building demo\n"
    assert "required: scenario. See: tinyrnn build --help" in refused(capsys, "build")
    assert "did you mean build?" in refused(capsys, "biuld")


def test_verbs_of_a_workstation_are_loaded_only_when_asked_for(capsys, entries, folder):
    cli.main(["info", folder])
    assert entries == []


def test_a_verb_that_cannot_be_loaded_says_why(capsys, entries):
    message = "the verb sweep cannot be loaded: No module named 'torch'. It needs the workstation"
    assert message in refused(capsys, "sweep")
    cli.main([])
    assert "(cannot be loaded: No module named 'torch')" in capsys.readouterr().out


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left"), 2)])
def test_an_interruption_or_a_full_disk_leaves_no_traceback(capsys, monkeypatch, folder, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(bundle, "read", fail)
    assert cli.main(["info", folder]) == code
    assert capsys.readouterr().err == ("" if code == 130 else "tinyrnn: [Errno 28] No space left\n")
