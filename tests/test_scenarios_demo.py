"""`make demo` shows what it made, also where the build misses a promise."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent

FAKE = """#!/bin/sh
echo "$@"
if [ "$1" = build ]; then exit {status}; fi
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_demo_ends_with_detections_and_the_report_and_keeps_the_build_s_status(tmp_path, status):
    """1 is a missed promise, which leaves a bundle to be looked at; 2 leaves none."""
    program = tmp_path / "tinyrnn"
    program.write_text(FAKE.format(status=status))
    program.chmod(0o755)
    without_data = {
        name: value for name, value in os.environ.items() if name not in ("TINYRNN_DATA", "MAKEFLAGS", "MAKELEVEL")
    }
    made = subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/installed", "demo", f"BIN={tmp_path}"],
        cwd=HOUSE,
        env=without_data,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = ["run runs/demo/demo.bundle runs/demo/example.wav", "The report: runs/demo/report.html"]
    assert made.stdout.splitlines() == ["build demo", *(shown if status < 2 else [])]
    assert (made.returncode == 0) == (status == 0)
    assert (f"Error {status}" in made.stderr) == (status > 0)
