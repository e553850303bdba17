"""The command line: the verbs of a board; a workstation adds others by entry points.

Exit codes: 0 fine, 1 a promise was missed, 2 bad input, with one line on stderr and never a traceback.
"""

from __future__ import annotations

import errno
import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

from device_runtime.arguments import Parser, examples
from device_runtime.errors import InputError, TinyRnnError
from device_runtime.meant import meant
from device_runtime.verbs import BUILT_IN

VERBS_GROUP = "tinyrnn.verbs"
"""Entry points here are functions `add_verb(subparsers)` that add a parser and set its default `handler`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a word may be in a script that the terminal lacks
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except TinyRnnError as error:
        print(f"tinyrnn: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head`: nobody reads on; keep Python from saying so at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        full = error.errno == errno.ENOSPC and error.filename is None  # files that are written say so themselves
        told = f"the output cannot be written: {error.strerror}. Make room, or write elsewhere" if full else error
        print(f"tinyrnn: {told}", file=sys.stderr)
        return 2


def _run(arguments: list[str]) -> int:
    parser = Parser(prog="tinyrnn", description="Small recurrent models on live streams.", allow_abbrev=False)
    parser.epilog = examples("run demo.bundle recording.wav", "run --help")
    parser.add_argument("--version", action="version", version=f"tinyrnn {_version()}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for add in BUILT_IN.values():
        add(verbs)
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    _add_others(verbs, verb)
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        asked = verbs.choices[verb] if verb else parser
        near = meant(unknown[0], re.findall(r"--[\w-]+", asked.format_help()))
        raise InputError(f"{asked.prog} does not take {unknown[0]!r}{near}. See: {asked.prog} --help")
    if not hasattr(args, "handler"):
        parser.print_help()
        return 0
    return args.handler(args) or 0


def _version() -> str:
    try:
        return importlib.metadata.version("tinyrnn-runtime")
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout that is not installed"


def _add_others(verbs: Any, verb: str | None) -> None:
    """Verbs of other distributions, loaded only when one is asked for or all are listed."""
    if verb in BUILT_IN:
        return
    others = {entry.name: entry for entry in importlib.metadata.entry_points(group=VERBS_GROUP)}
    if verb is not None and verb not in others:
        known = [*BUILT_IN, *others]
        comes = "" if others else "; more come with the workstation: pip install -e ."
        raise InputError(f"there is no verb {verb!r}{meant(verb, known)}. Choose one of: {', '.join(known)}{comes}")
    for name in others if verb is None else [verb]:
        try:
            others[name].load()(verbs)
        except ImportError as error:
            if verb is not None:
                raise InputError(
                    f"the verb {name} cannot be loaded: {error}. It needs the workstation: pip install -e ."
                ) from error
            verbs.add_parser(name, help=f"(cannot be loaded: {error})")


if __name__ == "__main__":
    sys.exit(main())
