# make run    serve the page on http://localhost:8866
# make lab    open JupyterLab with the explorer and the lessons, in the folder LAB (default ~/vit-explorer)
# make test   the suite, with a browser
# make lint   what .ci/run checks before the tests
# make bench  speed against a plain notebook, as ratios
#
# Needs Python 3.11 or newer. Everything is installed into .venv, once; after a change of what is to be installed, again.

PYTHON ?= python3
PORT ?= 8866
LAB ?= $(HOME)/vit-explorer
VENV := .venv
BIN := $(VENV)/bin
# pip would compile what it installs on one core. Left to the first import, it would not be kept where
# PYTHONDONTWRITEBYTECODE is set: there every process would compile torch and timm anew. Some files are templates of
# Python, which cannot be compiled and need not be.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-compile -c constraints.txt
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || :
# Tests of numbers are faster on one thread each, with a worker for each core.
WORKERS ?= 2

.PHONY: run lab install test test-tools browser debian-browser lint bench clean

run: install
	@$(BIN)/vit-explorer serve --port $(PORT)

lab: $(VENV)/.lab
	@$(BIN)/vit-explorer lab $(LAB)

install: $(VENV)/.installed

# Building a package in isolation would install its build tools a second time, unpinned.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@# One without pip gets it, and keeps what is in it; one whose pip was broken off half-way is made anew.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip --version >/dev/null 2>&1; } \
	  || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (once; a few minutes) ..."
	$(PIP_INSTALL) hatchling
	$(PIP_INSTALL) torch torchvision
	$(PIP_INSTALL) --no-build-isolation -e .
	@$(COMPILE)
	@touch $@

# JupyterLab, and what slides need.
$(VENV)/.lab: $(VENV)/.installed
	@echo "Installing JupyterLab ..."
	$(PIP_INSTALL) --no-build-isolation -e '.[lab,export]'
	@$(COMPILE)
	@touch $@

$(VENV)/.test-tools: $(VENV)/.installed
	@echo "Installing the test tools ..."
	$(PIP_INSTALL) --no-build-isolation -e '.[lab,test,dev]'
	@$(COMPILE)
	@touch $@

test-tools: $(VENV)/.test-tools

# A browser on PATH is used as it is. Else Debian's, where we may install it (with a font for Japanese), without windows
# where Debian has that by itself: it opens a page in half the time. Else Playwright's. Debian's comes while pip is busy.
FIND_BROWSER := command -v chromium-headless-shell || command -v chrome-headless-shell || command -v chromium \
  || command -v chromium-browser || command -v google-chrome

browser:
	@$(MAKE) --no-print-directory --jobs 2 test-tools debian-browser
	@$(FIND_BROWSER) || $(BIN)/python -m playwright install chromium

debian-browser:
	@{ $(FIND_BROWSER) || [ "$$(id -u)" != 0 ] || ! command -v apt-get; } >/dev/null || { \
	  export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; \
	  apt-get install -y -qq chromium-headless-shell fonts-noto-cjk || apt-get install -y -qq chromium fonts-noto-cjk || :; }

# A file's tests share what they make, and so stay in one process. The page's have the machine to themselves: two
# browsers, each with its servers and kernels, are enough for it.
test: browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations 15 --ignore tests/page
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations 30 tests/page

lint: test-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: browser
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.attention
	$(BIN)/python -m tests.bench.experiments

clean:
	rm -rf $(VENV) dist build
