"""What a board's /proc and /sys say. Without it ONNX Runtime and LiteRT read this machine's, and crash.

QEMU takes a file from the prefix of its -L option wherever that has one: a profile is such a prefix, with links to a
root and these files over it.
"""

from __future__ import annotations

from pathlib import Path

from .board import Board

ARM_LIMITED = 0x41


def write(board: Board, root: Path, folder: Path) -> None:
    """A prefix for -L."""
    for entry in root.iterdir():
        (folder / entry.name).symlink_to(entry)
    for name, text in (_proc(board) | _sys(board)).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _proc(board: Board) -> dict[str, str]:
    core = board.processor
    cores = "".join(
        f"processor\t: {number}\n"
        "BogoMIPS\t: 38.40\n"
        f"Features\t: {core.features}\n"
        f"CPU implementer\t: {ARM_LIMITED:#04x}\n"
        f"CPU architecture: {core.architecture}\n"
        f"CPU variant\t: {core.variant:#x}\n"
        f"CPU part\t: {core.part:#05x}\n"
        f"CPU revision\t: {core.revision}\n\n"
        for number in range(board.cores)
    )
    total_kb = board.memory_mb * 1024 * 15 // 16  # the rest is the graphics processor's
    return {
        "proc/cpuinfo": f"{cores}Hardware\t: BCM2835\nRevision\t: 902120\nModel\t\t: {board.model}\n",
        "proc/meminfo": "".join(
            f"{name + ':':<15}{kb:8d} kB\n"
            for name, kb in (
                ("MemTotal", total_kb),
                ("MemFree", total_kb * 3 // 4),
                ("MemAvailable", total_kb * 3 // 4),
            )
        ),
    }


def _sys(board: Board) -> dict[str, str]:
    every = f"0-{board.cores - 1}" if board.cores > 1 else "0"
    mask = f"{(1 << board.cores) - 1:x}"
    files = {**dict.fromkeys(("possible", "present", "online"), every), "kernel_max": "255"}
    for number in range(board.cores):
        files |= {f"cpu{number}/cpufreq/{name}": text for name, text in _clock(board).items()}
        files |= {f"cpu{number}/topology/{name}": text for name, text in _topology(number, every, mask).items()}
        for at, cache in enumerate(_caches(board, number, every)):
            files |= {f"cpu{number}/cache/index{at}/{name}": text for name, text in cache.items()}
    return {f"sys/devices/system/cpu/{name}": f"{text}\n" for name, text in files.items()}


def _clock(board: Board) -> dict[str, str]:
    top = dict.fromkeys(("cpuinfo_max_freq", "scaling_max_freq"), f"{board.clock_mhz * 1000}")
    return {**top, "cpuinfo_min_freq": "600000"}


def _topology(number: int, every: str, mask: str) -> dict[str, str]:
    own = f"{1 << number:x}"
    return {
        **{"physical_package_id": "0", "cluster_id": "0", "core_id": f"{number}"},
        **dict.fromkeys(("core_siblings_list", "cluster_cpus_list", "package_cpus_list"), every),
        **dict.fromkeys(("core_siblings", "cluster_cpus", "package_cpus"), mask),
        **dict.fromkeys(("thread_siblings_list", "core_cpus_list"), f"{number}"),
        **dict.fromkeys(("thread_siblings", "core_cpus"), own),
    }


def _caches(board: Board, number: int, every: str) -> list[dict[str, str]]:
    core, own = board.processor, f"{number}"
    shared_l2 = every if core.l3_kb == 0 else own
    kinds = [(1, "Data", core.l1_kb, own), (1, "Instruction", core.l1_kb, own), (2, "Unified", core.l2_kb, shared_l2)]
    if core.l3_kb:
        kinds.append((3, "Unified", core.l3_kb, every))
    return [
        {
            "level": f"{level}",
            "type": kind,
            "size": f"{size_kb}K",
            "shared_cpu_list": shared,
            "coherency_line_size": "64",
            "ways_of_associativity": "4",
            "number_of_sets": f"{size_kb * 1024 // 256}",
        }
        for level, kind, size_kb, shared in kinds
    ]
