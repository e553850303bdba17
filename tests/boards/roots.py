"""Debian's system for a foreign processor, with Python: unpacked packages, without changes to this machine's own.

apt gets folders of its own, so that neither a foreign architecture nor root is needed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .cache import boards_folder, made_once
from .missing import MissingError

SUITE = "bookworm"
PYTHON = (3, 11)
"""Of that suite."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGES = (
    *("libc6", "libc-bin", "libgcc-s1", "libstdc++6", "libgomp1", "zlib1g", "libexpat1", "libssl3", "libffi8"),
    *("liblzma5", "libbz2-1.0", "libsqlite3-0", "libuuid1"),
    *("libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal", "python3.11"),
)
NUMPY = ("python3-numpy", "libblas3", "liblapack3", "libgfortran5")
"""For 32 bits: PyPI has no wheel of NumPy for them."""

EXTRA = {"arm64": (), "armhf": NUMPY, "armel": NUMPY}
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/info")
UNUSED_PYTHON = ("test", "idlelib", "turtledemo", "lib2to3")
RECIPE = 1
"""Goes up when roots are to be made anew though no package has changed."""


def root(architecture: str) -> Path:
    """The root that `prepare` made last; MissingError if there is none."""
    found = sorted(boards_folder().glob(f"root_{architecture}-*"))
    if not found:
        raise MissingError(f"there is no {architecture} root. Run: make boards")
    return found[-1]


def prepare(architecture: str) -> Path:
    """A root of the packages as Debian has them today; the last one where Debian cannot be asked."""
    try:
        apt = Apt(architecture)
        files = apt.versions((*PACKAGES, *EXTRA[architecture]))
    except MissingError:
        return root(architecture)
    digest = hashlib.sha256("\n".join([str(RECIPE), *files]).encode()).hexdigest()[:12]

    def make(folder: Path) -> None:
        for package in apt.download((*PACKAGES, *EXTRA[architecture])):
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
            package.unlink()
        tidy(folder)
        (folder / "packages.txt").write_text("".join(f"{name}\n" for name in files))

    return made_once(boards_folder() / f"root_{architecture}-{digest}", make)


class Apt:
    """apt for one architecture, in folders of its own."""

    def __init__(self, architecture: str) -> None:
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise MissingError(f"{program} was not found: boards are made of Debian packages, on Debian")
        self.folder = boards_folder() / f"apt_{architecture}"
        for name in ("lists/partial", "archives/partial", "debs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").write_text("")
        sources = self.folder / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
        folders = {
            "Dir::State": self.folder,
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder,
            "Dir::Cache::archives": self.folder / "archives",
            "Dir::Etc::SourceList": sources,
            **dict.fromkeys(
                ("Dir::Etc::SourceParts", "Dir::Etc::Preferences", "Dir::Etc::PreferencesParts"), "/dev/null"
            ),
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            "APT::Sandbox::User": "root",  # there is no other: nothing is installed
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        }
        self._options = [f"-o{name}={value}" for name, value in folders.items()]

    def versions(self, packages: tuple[str, ...]) -> list[str]:
        """The names of the packages' files, which hold their versions."""
        self._run("update")
        return sorted(re.findall(r"^'\S+' (\S+)", self._run("download", "--print-uris", *packages), re.MULTILINE))

    def download(self, packages: tuple[str, ...]) -> list[Path]:
        """The packages' files."""
        self._run("download", *packages)
        return sorted((self.folder / "debs").glob("*.deb"))

    def depends(self, package: str) -> list[str]:
        """The packages that a package needs, as its newest version says."""
        found = re.search(
            r"^Depends: (.*)$", self._run("show", "--no-all-versions", package, program="apt-cache"), re.MULTILINE
        )
        return [] if found is None else re.findall(r"([\w.+-]+)(?: \([^)]*\))?(?:, |$)", found[1])

    def _run(self, *arguments: str, program: str = "apt-get") -> str:
        command = [program, "-qq", *self._options, *arguments]
        answer = subprocess.run(command, cwd=self.folder / "debs", capture_output=True, text=True, check=False)
        if answer.returncode:
            said = (answer.stderr.strip().splitlines() or ["nothing"])[-1]
            raise MissingError(
                f"{program} {arguments[0]} failed ({said}): boards are made of packages from Debian's mirror"
            )
        return answer.stdout


def mirror() -> str:
    """Debian's mirror that this machine uses."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(path.read_text() for path in files if path.is_file())
    found = re.search(r"^[^#\n]*?(https?://\S+/debian)/?(?:\s|$)", text, re.MULTILINE)
    if found is None or not KEYRING.exists():
        raise MissingError("this machine's apt names no Debian mirror: boards are made of Debian packages, on Debian")
    return found[1]


def tidy(folder: Path) -> None:
    """Drop what no test reads, link what the packages' scripts would link, and compile the Python files."""
    library = folder / "usr/lib/python3.11"
    for path in (*(folder / name for name in UNUSED), *(library / name for name in UNUSED_PYTHON)):
        shutil.rmtree(path, ignore_errors=True)
    for place in (folder / "usr/lib").glob("*-linux-*"):
        for linked in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
            if (place / linked).exists():
                (place / Path(linked).name).symlink_to(linked)
    if sys.version_info[:2] == PYTHON:  # else a guest compiles what it imports, each time
        packages = folder / "usr/lib/python3/dist-packages"
        compiled = [str(path) for path in (library, packages) if path.exists()]
        subprocess.run([sys.executable, "-m", "compileall", "-q", *compiled], check=True)
