"""Simple forecasters on every test window of a published series: the numbers that a model has to beat.

python -m scenarios.peers.forecast ETTh1 --horizon 96 [--look-back 720] [--peer NAME ...] [--errors DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from device_runtime.errors import InputError, TinyRnnError
from device_runtime.meant import meant
from device_runtime.tables import table
from scenarios.peers.cross_period import CrossPeriod
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from scenarios.peers.peer import Peer, hold
from scenarios.peers.seasonal import Seasonal
from scenarios.peers.smoothing import Smoothing
from scenarios.peers.trees import Trees
from train.data.ett import FILES, Ett
from train.data.series import Series
from train.forecast_metrics import ForecastErrors, forecast_errors

DAY_S = 86400


@dataclass(frozen=True)
class Row:
    """One peer in the table."""

    peer: str
    mse: float
    mae: float
    fit_s: float
    forecast_s: float
    """For all windows together."""


def peers(series: Series) -> tuple[Peer, ...]:
    """All of them, with the day as their period."""
    day = round(DAY_S / series.interval_s)
    return LastValue(), Seasonal(day), LinearMap(), CrossPeriod((day,)), Smoothing(day), Trees(day)


def compare(series: Series, peer: Peer, look_back: int, horizon: int) -> tuple[Row, ForecastErrors]:
    """A peer on every test window; the series may have gaps and any unit, errors are in standard deviations.

    Where a reading is missing, the inputs hold the last one; as a target it does not count.
    """
    standardised = series.standardised()
    held = replace(standardised, values=hold(standardised.values))
    started = time.perf_counter()
    forecast = peer.fit(held, look_back, horizon)
    fitted = time.perf_counter()
    targets = standardised.windows("test", look_back, horizon).targets
    errors = forecast_errors(forecast, replace(held.windows("test", look_back, horizon), targets=targets))
    return Row(peer.name, errors.mse, errors.mae, fitted - started, time.perf_counter() - fitted), errors


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 0, or 2 after one line that says what is wrong."""
    args = _parser().parse_args(arguments)
    try:
        return _run(args)
    except TinyRnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _run(args: argparse.Namespace) -> int:
    if args.horizon < 1 or args.look_back < 1:
        raise InputError(f"a look-back of {args.look_back} and a horizon of {args.horizon}: expected at least 1 each.")
    if args.errors and not args.errors.is_dir():
        raise InputError(f"{args.errors} is no folder: errors are written to a folder that exists. Make it first.")
    series = Ett(args.series, args.data).series()
    every = {peer.name: peer for peer in peers(series)}
    for name in args.peer:
        if name not in every:
            raise InputError(f"there is no peer {name!r}{meant(name, every)}. Expected one of: {', '.join(every)}.")
    rows = []
    for name in args.peer or every:
        row, errors = compare(series, every[name], args.look_back, args.horizon)
        rows.append(row)
        if args.errors:
            both = np.stack([errors.squared, errors.absolute]).astype(np.float32)
            np.save(args.errors / f"{args.series}-{args.horizon}-{name.split()[0]}.npy", both)
    windows = len(series.windows("test", args.look_back, args.horizon))
    about = {"series": args.series, "split": "test", "windows": windows}
    about |= {"look_back": args.look_back, "horizon": args.horizon}
    if args.json:
        print(json.dumps({**about, "peers": [asdict(row) for row in rows]}))
    else:
        print(table([{"peer": row.peer, "MSE": f"{row.mse:.4f}", "MAE": f"{row.mae:.4f}"} for row in rows]))
        print(f"{args.series}, {windows} test windows, look-back {args.look_back}, horizon {args.horizon}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scenarios.peers.forecast", description=__doc__)
    parser.add_argument("series", metavar="SERIES", help=f"one of {', '.join(FILES)}")
    parser.add_argument("--horizon", type=int, default=96, help="samples ahead (default: %(default)s)")
    parser.add_argument(
        "--look-back", type=int, default=720, help="samples that a forecast sees (default: %(default)s)"
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME", help="only this peer; may be repeated")
    parser.add_argument("--data", type=Path, help="the folder of the data")
    parser.add_argument("--errors", type=Path, metavar="DIR", help="save each window's errors (2, windows, channels)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
