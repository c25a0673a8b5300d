# The two commands: `make demo` plays or opens the program, `make test` runs the tests.
# Each is complete on a bare Debian 12 with Python 3.11 and apt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: demo test bench lint setup gallery clean help

help:
	@echo "make demo    open the program on an embedded new centre, or play a whole session"
	@echo "             under Xvfb where there is no display (results in demo-output/)"
	@echo "make test    run the tests"
	@echo "make bench   print the speed ratios"
	@echo "make lint    ruff, mypy, import-linter, npe2"
	@echo "make gallery take the screenshots of the documentation again"

setup: $(READY)

$(READY): setup.cfg pyproject.toml constraints.txt scripts/system-libraries.sh
	./scripts/system-libraries.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade -c constraints.txt pip setuptools
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[all,pylibjpeg,testing]'
	touch $@

demo: $(READY)
	$(BIN)/python -m napari_dgseg.demo --out demo-output

test: $(READY)
	$(BIN)/python -m pytest

bench: $(READY)
	$(BIN)/python -m benchmarks

$(VENV)/.lint: $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari-dgseg

gallery: $(READY)
	$(BIN)/python docs/scripts/take_screenshots.py

clean:
	rm -rf $(VENV) build dist src/*.egg-info demo-output .pytest_cache .mypy_cache .ruff_cache
