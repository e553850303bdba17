"""What can go wrong, in four words a caller may catch.

TinyRnnError
├── InputError     samples, audio files or arguments that cannot be used
├── BundleError    a bundle that is incomplete, altered, too new or malformed
├── EngineError    an engine that is not installed or cannot load its file
└── PromiseError   a promise was missed: a differing bit, a budget, an accuracy
"""


class TinyRnnError(Exception):
    """One line for a person: what is wrong, what was expected, what to do."""

    exit_code = 2


class InputError(TinyRnnError):
    """The data or the arguments cannot be used as they are."""


class BundleError(TinyRnnError):
    """The bundle cannot be trusted or read."""


class EngineError(TinyRnnError):
    """The engine that was asked for cannot run here."""


class PromiseError(TinyRnnError):
    """Something that was promised does not hold."""

    exit_code = 1
