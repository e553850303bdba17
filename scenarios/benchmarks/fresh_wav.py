"""A fresh process that runs a bundle on a WAV file and prints the most memory that it held, in MB.

python -m scenarios.benchmarks.fresh_wav BUNDLE ENGINE WAV
"""

import contextlib
import os
import sys
from pathlib import Path

from device_runtime import bench, cli


def run(folder: str, engine: str, wav: str) -> int:
    """`tinyrnn run`, without its events."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        status = cli.main(["run", folder, wav, "--engine", engine])
    print(bench.own_peak_mb())
    return status


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
