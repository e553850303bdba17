"""The boards: what the tests know of each, and what a guest may ask of it."""

from __future__ import annotations

from dataclasses import dataclass

ARMV8 = "fp asimd evtstrm crc32 cpuid"
ARMV8_2 = f"{ARMV8} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
ARMV6 = "half thumb fastmult vfp edsp java tls"


@dataclass(frozen=True)
class Processor:
    """A core as QEMU and /proc/cpuinfo name it."""

    qemu: str
    """Of -cpu: instructions that it does not have end a program with SIGILL."""

    part: int
    variant: int
    revision: int
    architecture: int
    features: str
    l1_kb: int
    l2_kb: int
    l3_kb: int
    instructions_per_cycle: float
    """A guess, on the low side for code that branches and calls as Python does. Every estimate of load rests on it."""


A53 = Processor("cortex-a53", 0xD03, 0, 4, 8, ARMV8, 32, 512, 0, instructions_per_cycle=0.6)
A72 = Processor("cortex-a72", 0xD08, 0, 3, 8, ARMV8, 32, 1024, 0, instructions_per_cycle=1.1)
A76 = Processor("cortex-a76", 0xD0B, 4, 1, 8, ARMV8_2, 64, 512, 2048, instructions_per_cycle=1.8)
A7 = Processor("cortex-a7", 0xC07, 0, 5, 7, ARMV7, 32, 512, 0, instructions_per_cycle=0.5)
ARM1176 = Processor("arm1176", 0xB76, 0, 7, 7, ARMV6, 16, 128, 0, instructions_per_cycle=0.4)


@dataclass(frozen=True)
class Board:
    """One board."""

    key: str
    model: str
    processor: Processor
    architecture: str
    """Debian's name for the system that runs on it."""

    cores: int
    clock_mhz: int
    memory_mb: int
    kernel: str
    """Of the native engine: what must be chosen there."""

    engines: tuple[str, ...]
    """That have a wheel for it, of those that a bundle can be run by; native where a Python loads it."""

    @property
    def emulator(self) -> str:
        """QEMU's program for it."""
        return "qemu-aarch64" if self.is_64_bit else "qemu-arm"

    @property
    def has_pymicro(self) -> bool:
        """Whether pymicro-features has a wheel for it.

        Its features are not quite those of x86-64: it makes tables by the C library's log1pf, which rounds otherwise.
        """
        return self.is_64_bit

    @property
    def is_64_bit(self) -> bool:
        """Whether its system is."""
        return self.architecture == "arm64"


EVERY = ("native", "reference", "onnx", "litert")
BOARDS = {
    board.key: board
    for board in (
        Board("zero2w", "Raspberry Pi Zero 2 W Rev 1.0", A53, "arm64", 4, 1000, 512, "neon", EVERY),
        Board("pi3", "Raspberry Pi 3 Model B Rev 1.2", A53, "arm64", 4, 1200, 1024, "neon", EVERY),
        Board("pi4", "Raspberry Pi 4 Model B Rev 1.4", A72, "arm64", 4, 1500, 2048, "neon", EVERY),
        Board("pi5", "Raspberry Pi 5 Model B Rev 1.0", A76, "arm64", 4, 2400, 4096, "sdot", EVERY),
        Board(
            "pi2",
            "Raspberry Pi 2 Model B Rev 1.1",
            A7,
            "armhf",
            4,
            900,
            1024,
            "neon",
            ("native", "reference", "litert"),
        ),
        # Debian has no hard-float system for ARMv6: Python runs in the soft-float one, which cannot load our wheel
        Board("pizero", "Raspberry Pi Zero W Rev 1.1", ARM1176, "armel", 1, 1000, 512, "portable", ("reference",)),
    )
}
