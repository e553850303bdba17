# Everything a person does here is one target; `make` alone lists them.
PYTHON ?= python3
# One thread a process: torch and BLAS are several times slower when threads compete for shared cores.
export OMP_NUM_THREADS = 1

BIN := .venv/bin
RUNTIME_FILES := $(shell find device_runtime -name build -prune -o -name '*.py' -print)
NATIVE_FILES := $(wildcard device_runtime/native/*.[ch])

.DEFAULT_GOAL := help
.PHONY: help demo test test-runtime check bench native wheels boards costs machine fuzz soak

help:  ## list these targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /|/' | awk -F'|' '{ printf "make %-13s %s\n", $$1, $$2 }'

demo: .venv/installed  ## build a keyword spotter from spoken voices and stream a recording through it
	@# a build that misses a promise (1) left its bundle and report: show both, and still end with 1
	@missed=0; $(BIN)/tinyrnn build demo || { missed=$$?; test $$missed -eq 1 || exit $$missed; }; \
	$(BIN)/tinyrnn run runs/demo/demo.bundle runs/demo/example.wav && \
	echo "The report: runs/demo/report.html" && exit $$missed

test: .venv/installed  ## run all tests; TINYRNN_DATA=DIR adds those on real recordings
	$(BIN)/python -m pytest -q

test-runtime: .venv-runtime/installed  ## run the device's tests where only numpy, pytest and the runtime are installed
	.venv-runtime/bin/pytest -q -o pythonpath=tests tests/test_runtime_*.py

check: .venv/installed  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/bench  ## time every engine and its peers side by side
	$(BIN)/python -m scenarios.benchmarks

native:  ## build the engine as a plain C library, and its example program
	$(MAKE) -C device_runtime/native

fuzz:  ## look for a hostile model.native that harms the engine, for a minute; needs clang
	$(MAKE) -C tests/fuzz

soak: .venv/installed  ## run 10 million frames through the native engine and hold it to the reference; takes minutes
	$(BIN)/python -m pytest -q -s tests/soak/ten_million_frames.py

wheels: .venv-wheels/installed  ## wheels of the runtime for x86-64 and every Raspberry Pi, in dist/
	.venv-wheels/bin/python device_runtime/native/wheels.py

boards: .venv/installed wheels  ## emulated Raspberry Pis for the tests, from Debian packages and wheels
	PYTHONPATH=.:tests $(BIN)/python -m boards

costs: boards  ## count what each engine costs on each board anew, and keep it in tests/boards/costs.json
	PYTHONPATH=.:tests $(BIN)/python -m boards.costs
	PYTHONPATH=.:tests $(BIN)/python -m boards.step_costs

machine: boards  ## boot a whole emulated Pi Zero 2 W and check a bundle in it
	TINYRNN_MACHINE=1 $(BIN)/python -m pytest -q tests/test_boards_machine.py

.venv/installed: pyproject.toml device_runtime/pyproject.toml constraints.txt $(NATIVE_FILES)
	$(call new_venv,.venv)
	$(BIN)/pip install -c constraints.txt -e device_runtime[onnx,litert,speech,audio] -e .[dev]
	@touch $@

# Peers that have wheels for few systems: without them the rest is timed, and their rows say what is missing.
.venv/bench: .venv/installed
	$(BIN)/pip install -q -c constraints.txt -e .[bench] && touch $@ || echo "going on without the peers of one second of audio"

# A wheel, not an editable install: what a board would get, so a file missing from the package fails here.
.venv-runtime/installed: .venv-runtime/tools $(RUNTIME_FILES) $(NATIVE_FILES) device_runtime/pyproject.toml
	rm -rf device_runtime/build
	.venv-runtime/bin/pip install -q --force-reinstall --no-deps ./device_runtime
	rm -rf device_runtime/build
	@touch $@

.venv-runtime/tools: constraints.txt
	$(call new_venv,.venv-runtime)
	.venv-runtime/bin/pip install -q -c constraints.txt numpy pytest
	@touch $@

.venv-wheels/installed: constraints.txt
	$(call new_venv,.venv-wheels)
	.venv-wheels/bin/pip install -q -c constraints.txt setuptools ziglang
	@touch $@

define new_venv
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V), but 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module. Install it, on Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@test -x $(1)/bin/pip || $(PYTHON) -m venv $(1)
endef
