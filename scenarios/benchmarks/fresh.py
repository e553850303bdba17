"""A fresh process that runs one peer on one second of input and prints the most memory that it held, in MB.

python -m scenarios.benchmarks.fresh BUNDLE PEER FILE
"""

import sys
from pathlib import Path

from device_runtime import bench, bundle
from scenarios.benchmarks.compare import session_with_peer


def run(folder: str, name: str, path: str) -> None:
    """Open, hear one second, tell."""
    session = session_with_peer(bundle.read(folder), name, Path(path))
    session.push(bench.example_signal(session, 1.0))
    print(bench.own_peak_mb())


if __name__ == "__main__":
    run(*sys.argv[1:])
