"""What fuzzing has found or reached stays harmless: its corpus runs under the sanitizers, on every kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
CORPUS = sorted((FUZZ / "corpus").iterdir())
SANITIZED = ["-fsanitize=address,undefined", "-x", "c", "-", "-o", os.devnull]


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    compiler = os.environ.get("CC") or shutil.which("cc")
    if not compiler or not shutil.which("make"):
        pytest.skip("needs make and a C compiler: install them, or name the compiler in CC")
    if subprocess.run([compiler, *SANITIZED], input=b"int main(void) {}", capture_output=True, check=False).returncode:
        pytest.skip(f"{compiler} has no address and undefined behaviour sanitizers: install libasan and libubsan")
    out = tmp_path_factory.mktemp("fuzz")
    build = ["make", "-s", "-C", FUZZ, f"OUT={out}", out / "replay"]
    subprocess.run(build, check=True, env={**os.environ, "MAKEFLAGS": ""})
    return out / "replay"


def test_the_corpus_is_small_and_does_no_harm(replay):
    assert sum(path.stat().st_size for path in CORPUS) < 200_000
    answer = subprocess.run([replay, *CORPUS], capture_output=True, text=True, check=False)
    assert answer.stdout == f"{len(CORPUS)} files without harm\n", answer.stderr[-3000:]


def test_a_crash_names_its_file(replay, tmp_path):
    answer = subprocess.run([replay, tmp_path / "nowhere"], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (2, f"{tmp_path / 'nowhere'} cannot be read\n")
