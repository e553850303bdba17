"""Fresh processes for tests: one, or several that meet as torchrun's do."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

HOUSE = Path(__file__).parent.parent


def environment(**more: str) -> dict[str, str]:
    """This process's, with the house and its tests importable and one thread each."""
    paths = os.pathsep.join([str(HOUSE), str(HOUSE / "tests")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR", **more}


def run_processes(command: Sequence[str], count: int) -> list[tuple[int, str, str]]:
    """The command in so many processes at once: exit code, stdout and stderr of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    started = [
        subprocess.Popen(
            command,
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **meet),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    said = [process.communicate(timeout=180) for process in started]
    return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]
