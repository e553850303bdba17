"""Commands that are typed in tests, and recordings for them."""

import json

from device_runtime import cli
from sounds import babble, wav_bytes


def failed(capsys, *arguments):
    """What a command answered before it failed, and its one line on stderr."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("tinyrnn: ")
    assert err.count("\n") == 1
    return out, err


def complaint(capsys, *arguments):
    """The one line on stderr of a command that failed, whatever it answered before."""
    return failed(capsys, *arguments)[1]


def refused(capsys, *arguments):
    """The one line on stderr of a command that was refused."""
    out, err = failed(capsys, *arguments)
    assert out == ""
    return err


def events_of(capsys, *arguments):
    """What a command told with --json, line by line."""
    assert cli.main([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def typist(capsys):
    """Type a command; get its exit code, what it answered and the last line that it complained with."""

    def typed(*arguments):
        code = cli.main([*map(str, arguments)])
        answer = capsys.readouterr()
        complaint = answer.err.strip().splitlines()[-1] if answer.err.strip() else ""
        return code, answer.out, complaint

    return typed


def write_recording(folder):
    """Three seconds of tones in a folder; the path as it is typed."""
    (folder / "a.wav").write_bytes(wav_bytes(babble(3.0)))
    return str(folder / "a.wav")


def write_words(folder):
    """A data set of five clips: yes and no twice, and a word that the tiny bundle does not know."""
    for seed, label in enumerate(["yes", "yes", "no", "no", "maybe"]):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{seed}.wav").write_bytes(wav_bytes(babble(1.0, seed)))
    return str(folder)
