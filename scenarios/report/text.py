"""Numbers as a person reads them, each with its unit (after a narrow no-break space)."""

from __future__ import annotations

THIN = "\u202f"


def percent(fraction: float, digits: int = 1) -> str:
    """Half of it: 50.0 %."""
    if 0 < fraction < 0.001:
        return f"{100 * fraction:.2g}{THIN}%"
    return f"{100 * fraction:.{digits}f}{THIN}%"


def number(value: float) -> str:
    """Thousands apart: 43 600; three digits where it is small."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", THIN)
    return f"{value:.3g}"


def kilobytes(size: float) -> str:
    """1 KB is 1000 bytes."""
    if size >= 999_500:
        return f"{size / 1e6:.2f}{THIN}MB"
    if size < 100:
        return f"{size:.0f}{THIN}bytes"
    return f"{size / 1000:.1f}{THIN}KB"


def microseconds(value: float) -> str:
    """In the unit that leaves it readable."""
    if value >= 9_999.5:
        return f"{value / 1000:.1f}{THIN}ms"
    return f"{value:.0f}{THIN}µs" if value >= 100 else f"{value:.1f}{THIN}µs"


def seconds(value: float) -> str:
    """How long a training took."""
    if value >= 5400:
        return f"{value / 3600:.1f}{THIN}h"
    return f"{value / 60:.1f}{THIN}min" if value >= 90 else f"{value:.0f}{THIN}s"


def setting(value: float) -> str:
    """A threshold, or what it was moved by: 0.7, and never -0."""
    return f"{round(value, 4) + 0.0:.3g}"


def moment(iso: str) -> str:
    """An ISO time as people write it: 2025-01-31 14:05:09 UTC."""
    return iso.replace("T", " ").replace("+00:00", " UTC")


def interval(bounds: tuple[float, float]) -> str:
    """Two fractions: 96.5–97.8 %."""
    return f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}{THIN}%"


def amount(value: float, unit: str) -> str:
    """A promised or measured number with the unit that the budget gave it."""
    return percent(value, 2) if unit == "%" else f"{number(float(value))}{THIN}{unit}".strip(THIN)


FILTERS = {
    "percent": percent,
    "number": number,
    "kilobytes": kilobytes,
    "microseconds": microseconds,
    "seconds": seconds,
    "setting": setting,
    "moment": moment,
    "interval": interval,
    "amount": amount,
}
