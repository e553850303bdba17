"""Where the command `tinyrnn` begins: Ctrl-C ends it without a traceback from the first import on."""

from __future__ import annotations


def main() -> int:
    """Run one command and return its exit code."""
    try:
        from device_runtime import cli  # within, since it is the imports that take a slow board a second

        return cli.main()
    except KeyboardInterrupt:
        return 130
