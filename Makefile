# Thin targets; `make help` lists them. VENV and PYTHON may be set: make PYTHON=python3.12 VENV=/tmp/venv test
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
export M4ALLOC_REQUIRE_FAST := 1
export PATH := $(abspath $(BIN)):$(PATH)

MODULES := email json asyncio html http urllib importlib
WORKERS ?= 2

# docs is also a folder
.PHONY: help needs build run test slow check docs packaging campaign bench compare traces clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

needs: ## name the system packages that are missing, with the line that installs them
	@.ci/needs $(PYTHON)

$(BIN)/python3: | needs
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip 'setuptools >= 77' 'Cython >= 3.1'

$(VENV)/core.stamp: pyproject.toml setup.py | $(BIN)/python3
	@echo 'compiling the core and installing it with what `m4alloc check` needs: some minutes, once'
	$(BIN)/pip install -q --no-build-isolation -e '.[check]' 'pytest >= 8.2'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml setup.py | $(BIN)/python3
	@echo 'compiling the core and installing it with all that the tests need: some minutes, once'
	$(BIN)/pip install -q --no-build-isolation -e '.[dev]'
	@touch $@ $(VENV)/core.stamp

build: $(VENV)/core.stamp ## build the extensions and the preload libraries in place
	@$(BIN)/python setup.py -q build_ext --inplace

run: build ## the main job: compile Python packages on the core, every reply checked; writes run/report.html
	@$(BIN)/python -c 'import shutil, sys, sysconfig; lib = sysconfig.get_path("stdlib"); \
	  [shutil.copytree(f"{lib}/{name}", f"run/copy/{name}", dirs_exist_ok=True) for name in sys.argv[1:]]' $(MODULES)
	PYTHONMALLOC=malloc m4alloc verify --output run/report.html -- python3 -m compileall -q -f run/copy

test: $(VENV)/dev.stamp build ## the tests, in under five minutes on two cores
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n $(WORKERS)

slow: $(VENV)/dev.stamp build ## the tests that take seconds each: five minutes more
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n $(WORKERS) -m 'slow and not campaign and not packaging'

check: $(VENV)/dev.stamp build ## types, stubs, lint, format, layers and the examples in docstrings and docs
	$(BIN)/mypy
	$(BIN)/mypy -p exercises -p docs
	$(BIN)/mypy examples/*.py
	$(BIN)/stubtest --concise --ignore-disjoint-bases --ignore-unused-allowlist --allowlist .ci/stubtest-allowlist m4alloc._fast m4alloc._accept m4alloc._accept_heap
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest -q -n $(WORKERS) tests/test_layers.py capability spec m4alloc _m4alloc_command.py _m4alloc_pytest.py docs README.md

docs: $(VENV)/dev.stamp build ## the book, the guides and the reference; writes build/docs/index.html
	$(BIN)/sphinx-build -q -W --keep-going -b html -d build/doctrees docs build/docs

packaging: $(VENV)/dev.stamp build ## build sdist and wheel, and install them into empty environments
	$(BIN)/pytest -q -m packaging tests/test_packaging.py

campaign: $(VENV)/dev.stamp build ## the tests that take minutes or more
	$(BIN)/pytest -q -n $(WORKERS) -m 'campaign or packaging' --timeout 3600

bench: $(VENV)/dev.stamp build ## nanoseconds a malloc/free pair against glibc, mimalloc, jemalloc and tcmalloc
	$(BIN)/python benchmarks/pairs.py

compare: $(VENV)/dev.stamp build ## sixteen programs on every allocator there is; writes bench-report/
	$(BIN)/m4alloc bench --resident --heap-sizes --output bench-report

traces: $(VENV)/dev.stamp build ## record nine real programs, each on two inputs; writes benchmarks/traces/recorded/
	$(BIN)/python -m benchmarks.traces.record

clean: ## remove what the targets above made, except the virtual environment
	rm -rf build dist run *.egg-info .pytest_cache .mypy_cache .ruff_cache m4alloc/*.so m4alloc/m4check m4alloc/m4interleave m4alloc/_fast.c m4alloc/_accept.c m4alloc/_accept_heap.c m4alloc/_record.c m4alloc/_replay.c
	rm -rf m4alloc/*.html report.html findings bench-report tune-report docs/reference docs/project docs/guides
