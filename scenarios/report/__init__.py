"""The report of a build: `write(report, folder)` leaves report.html for a person and report.json for a program."""

from scenarios.report.content import (
    Comparison,
    Confusion,
    Curve,
    DataSet,
    Evaluation,
    Example,
    FalseAccepts,
    Heard,
    Operating,
    Promise,
    Report,
    Sizes,
    Span,
    Speed,
    TradeOff,
    UnknownWords,
    Word,
)
from scenarios.report.figures import envelope
from scenarios.report.html import render
from scenarios.report.write import write

__all__ = [
    "Comparison",
    "Confusion",
    "Curve",
    "DataSet",
    "Evaluation",
    "Example",
    "FalseAccepts",
    "Heard",
    "Operating",
    "Promise",
    "Report",
    "Sizes",
    "Span",
    "Speed",
    "TradeOff",
    "UnknownWords",
    "Word",
    "envelope",
    "render",
    "write",
]
