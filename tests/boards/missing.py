"""What the boards need and this machine lacks."""

from __future__ import annotations


class MissingError(Exception):
    """One line: what is missing, and what to do. Tests of boards skip with it."""
