"""The house keeps its shape: who may import whom, what a device has to load, and what no file may say."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
PACKAGES = ("train", "compress", "export", "device_runtime", "tests", "scenarios")
WORKSTATION = ("train", "compress", "export", "scenarios")

ARROWS = {
    "device_runtime": set(),
    "train": {"device_runtime"},
    "compress": {"device_runtime"},
    "export": {"device_runtime"},
    "scenarios": {"train", "compress", "export", "device_runtime"},
}

# Inside device_runtime a module may import from its own layer and from those before it. A module that is not named here
# is a piece: bundle, frontends, engines, decoders, sources and the like, which the session puts together.
PIECES = 1
LAYERS = {
    **dict.fromkeys(("errors", "times", "events", "arithmetic", "products", "fixed_point"), 0),
    "session": 2,
    **dict.fromkeys(
        ("bench", "evaluate", "evaluate_forecast", "evaluate_anomaly", "evaluate_life", "forecast_data", "listener"), 3
    ),
    **dict.fromkeys(("running", "evaluating", "verbs", "cli"), 4),
    **dict.fromkeys(("__init__", "__main__", "start"), 5),
}

# Extras of tinyrnn-runtime: imported inside the function that needs one, never when a module loads.
OPTIONAL = {"ai_edge_litert", "onnxruntime", "pymicro_features", "sounddevice", "soundfile", "tflite_runtime"}
HEAVY = ("torch", "onnx", "onnxruntime", "tensorflow", "ai_edge_litert", "scipy", "matplotlib", "soundfile")

# Written apart, so that this file does not say them.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home|opt|Users)/\w|\.librar" + r"y/")
REGISTRY_HOST = re.compile(r"py" + r"pi\.org|pythonhost" + r"ed|download\.pytor" + r"ch\.org|pypi-mi" + r"rror")


@dataclass(frozen=True)
class Import:
    """One import statement: which file imports which module, and whether that happens as soon as the file loads."""

    path: Path
    line: int
    module: str
    on_load: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(HOUSE)}:{self.line} imports {self.module}"


@cache
def files(package: str) -> tuple[Path, ...]:
    """The Python files of one package, without what a build leaves behind."""
    return tuple(path for path in sorted((HOUSE / package).rglob("*.py")) if "build" not in path.parent.parts)


@cache
def imports(package: str) -> tuple[Import, ...]:
    return tuple(found for path in files(package) for found in imports_of(path))


def imports_of(path: Path) -> Iterator[Import]:
    """Each imported module in full; `from package import name` yields package.name when that is a module of ours."""
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8"), path), True)]
    while waiting:
        node, on_load = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, name.name, on_load) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            here = path.relative_to(HOUSE).parent.parts
            base = ".".join((*here[: len(here) - node.level + 1], *filter(None, [node.module])))
            parent = base if node.level else node.module or ""
            for name in node.names:
                inner = f"{parent}.{name.name}"
                yield Import(path, node.lineno, inner if is_ours(inner) else parent, on_load)
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_for_types_only(node)
        waiting += [(child, on_load and not later) for child in ast.iter_child_nodes(node)]


def is_ours(module: str) -> bool:
    place = HOUSE.joinpath(*module.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def layer(module: str) -> int:
    """Where a module of device_runtime stands in LAYERS."""
    return LAYERS.get([*module.split("."), "__init__"][1], PIECES)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("package", ARROWS)
def test_packages_import_only_along_the_arrows(package):
    allowed = ARROWS[package] | {package}
    against = [found for found in imports(package) if found.top in PACKAGES and found.top not in allowed]
    assert not against, f"{package} may import only {sorted(allowed)}: " + "; ".join(map(str, against))


def test_inside_the_runtime_nothing_imports_from_a_layer_above():
    inner = [found for found in imports("device_runtime") if found.top == "device_runtime"]
    against = [found for found in inner if layer(found.module) > layer(module_of(found.path))]
    assert not against, "; ".join(map(str, against))


@pytest.mark.parametrize("package", ARROWS)
def test_modules_do_not_import_in_circles(package):
    graph: dict[str, set[str]] = {}
    for found in imports(package):
        if found.top == package and found.module != module_of(found.path):
            graph.setdefault(module_of(found.path), set()).add(found.module)
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle in its message


def test_the_runtime_loads_only_numpy_and_the_standard_library():
    for found in imports("device_runtime"):
        if found.top in {"device_runtime", "numpy", "__future__"} or found.top in sys.stdlib_module_names:
            continue
        assert found.top in OPTIONAL, f"{found}, which is no extra of tinyrnn-runtime"
        assert not found.on_load, f"{found} while it loads; import it inside the function that needs it"


def test_device_tests_import_nothing_of_the_workstation():
    device_tests = [found for found in imports("tests") if found.path.name.startswith("test_runtime_")]
    against = [found for found in device_tests if found.top in {*WORKSTATION, "torch", "scipy", "onnx"}]
    assert not against, "; ".join(map(str, against))


def test_whatever_the_workstation_imports_is_declared():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    extras = tomllib.loads((HOUSE / "device_runtime/pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for extra in ("bench", "peers", "light", "keras"):
        wanted += project["optional-dependencies"][extra]
    wanted += [name for names in extras.values() for name in names]
    declared = {re.split(r"[^\w-]", name)[0].replace("_", "-").lower() for name in wanted}
    distributions = packages_distributions()
    for package in WORKSTATION:
        for found in imports(package):
            if found.top in sys.stdlib_module_names or found.top in PACKAGES or found.top == "__future__":
                continue
            homes = {name.replace("_", "-").lower() for name in distributions.get(found.top, [found.top])}
            assert homes & declared, f"{found}, but pyproject.toml does not list {sorted(homes)}"


def test_every_folder_of_the_runtime_is_in_its_wheel():
    settings = tomllib.loads((HOUSE / "device_runtime/pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {module_of(path).rpartition(".")[0] or "device_runtime" for path in files("device_runtime")}
    folders |= {module_of(path) for path in files("device_runtime") if path.name == "__init__.py"}
    holding_code = {name for name in folders if (HOUSE / name.replace(".", "/") / "__init__.py").is_file()}
    assert set(settings["packages"]) == holding_code


def test_both_distributions_carry_one_version():
    workstation = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    runtime = tomllib.loads((HOUSE / "device_runtime/pyproject.toml").read_text())["project"]
    assert workstation["version"] == runtime["version"]
    assert any(re.fullmatch(r"tinyrnn-runtime\[.*\]==" + runtime["version"], d) for d in workstation["dependencies"])


def test_importing_the_runtime_is_light_and_quick():
    program = (
        "import sys, time, numpy; start = time.perf_counter(); import device_runtime; "
        f"print(time.perf_counter() - start, *[name for name in {HEAVY} if name in sys.modules])"
    )
    seconds = []
    for _ in range(5):  # the best of several: another process may have had the core
        answer = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, capture_output=True, text=True, check=True)
        took, *loaded = answer.stdout.split()
        assert not loaded, f"import device_runtime loads {loaded}"
        seconds.append(float(took))
    assert min(seconds) < 0.150, f"import device_runtime takes {min(seconds):.3f} s beyond numpy"


@pytest.mark.parametrize("package", ARROWS)
def test_examples_in_docstrings_hold(package):
    for path in files(package):
        if ">>>" in path.read_text(encoding="utf-8"):
            module = importlib.import_module(module_of(path))
            failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            assert not failed, f"{failed} examples of {path.relative_to(HOUSE)} fail"


def test_make_help_lists_exactly_the_targets_that_exist():
    makefile = (HOUSE / "Makefile").read_text()
    answer = subprocess.run(["make", "help"], cwd=HOUSE, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^make (\S+)", answer.stdout, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert listed == set(phony[1].split()) == set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"help", "demo", "test", "check", "bench"} <= listed


def test_the_top_level_is_the_fixed_one():
    left_behind = {"runs", "build", "dist"}
    folders = {path.name for path in HOUSE.iterdir() if path.is_dir() and not path.name.startswith(".")}
    folders -= left_behind | {name for name in folders if name.endswith(".egg-info") or name == "__pycache__"}
    assert folders == set(PACKAGES)
    assert (HOUSE / "README.md").is_file()


def test_the_readme_shows_every_module_of_the_house_and_none_that_is_gone():
    tree = (HOUSE / "README.md").read_text().partition("## The house")[2].partition("```\n")[2].partition("```")[0]
    named = set(re.findall(r"\b[a-z]\w*\.py\b", tree)) - {"test_FOLDER_TOPIC.py"}
    inside = {path.name for package in PACKAGES for path in (HOUSE / package).rglob("*.py")}
    at_the_door = {path.name for package in {*PACKAGES} - {"tests"} for path in (HOUSE / package).glob("*.py")}
    assert sorted(named - inside) == [], "gone"
    assert sorted(at_the_door - named - {"__init__.py", "__main__.py"}) == [], "not shown"


def test_no_file_speaks_of_unfinished_work_or_of_one_machine():
    suffixes = {".py", ".md", ".toml", ".txt", ".json", ".html", ".c", ".h"}
    inside = [path for package in PACKAGES for path in (HOUSE / package).rglob("*") if path.suffix in suffixes]
    beside = [path for path in HOUSE.iterdir() if path.is_file()] + [HOUSE / ".ci/run"]
    for path in inside + beside:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            for forbidden in (UNFINISHED, MACHINE_PATH, REGISTRY_HOST):
                found = forbidden.search(line)
                assert not found, f"{path.relative_to(HOUSE)}:{number} says {found[0]!r}"
