"""Which known name a person may have meant by one that is unknown."""

from __future__ import annotations

from collections.abc import Iterable


def meant(word: str, known: Iterable[str]) -> str:
    """A remark that follows the unknown word in a message; empty where no known name is like it.

    >>> meant("rnu", ["run", "check"])
    ' (did you mean run?)'
    """
    import difflib  # only when something is wrong

    found = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""
