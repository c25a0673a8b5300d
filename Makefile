# The two commands: `make demo` plays or opens the program, `make test` runs the tests.
# Each is complete on a bare Debian 12 with Python 3.11 and apt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
MODEL ?=
CANDIDATE ?=

.PHONY: demo test bench lint setup gallery clean help

help:
	@echo "make demo    open the program on an embedded new centre, or play a whole session"
	@echo "             under Xvfb where there is no display (results in demo-output/)"
	@echo "make test    run the tests"
	@echo "make bench   print the speed ratios"
	@echo "make lint    ruff, mypy, import-linter, npe2"
	@echo "make gallery take the screenshots of the documentation again; those of the latent"
	@echo "             inspector need MODEL=FOLDER, a model of DGNet or SDNet"

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

# The latent inspector shows nothing of the packaged model: give it one that has codes, of
# DGNet or SDNet, and perhaps one that was adapted from it.
gallery: $(READY)
	$(BIN)/python docs/scripts/take_screenshots.py
ifeq ($(MODEL),)
	@echo "SKIPPED: the pictures of the latent inspector stay as they are. To take them too,"
	@echo "name a model of DGNet or SDNet: make gallery MODEL=FOLDER [CANDIDATE=FOLDER]"
else
	$(BIN)/python docs/scripts/take_inspector_screenshots.py --bundle $(MODEL) \
		$(if $(CANDIDATE),--candidate $(CANDIDATE))
endif

clean:
	rm -rf $(VENV) build dist src/*.egg-info demo-output .pytest_cache .mypy_cache .ruff_cache
