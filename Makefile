# `make lab` to learn, `make test` to check; `make help` lists the rest.
SHELL  := bash
PYTHON ?= python3
VENV   ?= .venv
LAB_FLAGS ?=
PIP_FLAGS ?=
INSTALL ?= $(BIN)/python -m pip install
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
# What a learner needs, and what the checks need beside it: one environment, that grows.
COURSE := $(VENV)/.course
READY  := $(VENV)/.ready
# Jupyter refuses to start for root, as in most containers, unless it is told to.
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

export JUPYTER_CONFIG_PATH := $(CURDIR)/jupyter
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: help setup lab lab-reset edit test test-latest test-portable test-answered test-long mutants assignments check nbs-test py-test docs docs-serve bench readme api shrink hooks clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

# $(call install,WORDS,EXTRA): the library as it lies here, and what EXTRA names in settings.ini
define install
	@$(PYTHON) -c "import sys; v = sys.version_info; v < (3, 11) and sys.exit(f'Python 3.11 or later is needed, this is {v[0]}.{v[1]}: try make PYTHON=python3.12')"
	@echo 'Once, into $(VENV): PyTorch, fastai, JupyterLab$1, about 2 GB in all; on Linux 7 GB,'
	@echo 'with the PyTorch for NVIDIA GPUs, unless PIP_FLAGS asks for the one without: see README.'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(PIP_FLAGS) -e '.[$2]'
endef

$(COURSE): settings.ini setup.py pyproject.toml
	$(call install,,course)
	@touch $@

$(READY): settings.ini setup.py pyproject.toml
	$(call install, and the tools of the checks,dev)
	@touch $(COURSE) $@

setup: $(READY) ## install all of it into .venv, and no more

lab: $(COURSE) ## open your copy of the course in JupyterLab (LAB_FLAGS=--no-browser to only serve it)
	$(BIN)/python -m digit_under_hood lab course --flags="$(LAB_FLAGS)"

lab-reset: $(COURSE) ## a fresh copy of one chapter, yours is kept: make lab-reset CHAPTER=01
	$(BIN)/python -m digit_under_hood lab course --reset "$(CHAPTER)"

edit: $(READY) ## for authors: open the notebooks from which all is made
	@$(BIN)/jupyter trust nbs/*.ipynb >/dev/null   # else no figure is shown before its cell is run
	$(BIN)/jupyter lab $(AS_ROOT) $(LAB_FLAGS) nbs/00_data.ipynb

test: check nbs-test py-test ## check everything: notebooks, library, README, style, types

check: $(READY)
	$(BIN)/python tools/in_sync.py
	$(BIN)/ruff check
	$(BIN)/pyright --pythonpath $(BIN)/python

nbs-test: $(READY) ## nbdev_test; what each notebook shows must be what it has stored
	OMP_NUM_THREADS=1 $(BIN)/python tools/nbs_test.py --n_workers 2 --timing
	@echo "$$(ls nbs/*.ipynb | wc -l) notebooks ran"

py-test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -rfER -n 3 --dist loadfile --no-loadscope-reorder

test-latest: ## the notebooks and the library with the newest fastai that settings.ini allows, in an environment of its own
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/python -m pip install --upgrade $(PIP_FLAGS) '.[course]' pytest
	.venv-latest/bin/pip list 2>/dev/null | grep -E '^(fastai|fastcore|torch|fastbook) '
	cd nbs && ../.venv-latest/bin/jupyter execute *.ipynb
	.venv-latest/bin/pytest -q tests/test_{data,learner,training_loop,library}.py

test-portable: $(READY) ## compare the notebooks' outputs as other machines would make them (takes half an hour)
	$(BIN)/python tools/portable.py

test-long: $(READY) ## the tests that `make test` leaves out (takes half an hour)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m long

mutants: $(READY) ## make mistakes in the Learner, one at a time: do the tests see each? (takes half an hour)
	$(BIN)/python tools/mutants.py

test-answered: $(READY) ## run each chapter whole with all its tasks answered (takes ten minutes)
	OMP_NUM_THREADS=1 $(BIN)/python tools/answered.py

assignments: $(READY) ## for teachers: the tasks as assignments for nbgrader, in _assignments
	$(BIN)/python tools/assignments.py

docs: $(READY) ## build the site into _docs
	$(BIN)/python -m website build

docs-serve: docs ## build the site and serve it
	$(BIN)/python -m website serve

# glibc gives memory back to the system after each step and asks for it anew; this keeps it
KEEP_MEMORY := MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000

bench: $(READY) ## measure speed, memory, time to accuracy and what several processes cost (takes an hour)
	$(BIN)/python tools/bench.py
	$(KEEP_MEMORY) $(BIN)/python tools/accuracy.py --race
	$(BIN)/python tools/processes.py

readme: $(READY) ## make README.md from nbs/index.ipynb
	$(BIN)/python tools/readme.py

api: $(READY) ## make nbs/api.qmd, the reference, from modules and notebooks
	$(BIN)/python -m website api

shrink: $(READY) ## shrink the pictures stored in the notebooks, after running them
	$(BIN)/python tools/shrink.py

hooks: $(READY) ## for contributors: nbdev's git hooks, which merge notebooks cell by cell
	$(BIN)/nbdev_install_hooks

clean: ## remove what was built (keeps the environment)
	rm -rf _assignments _docs _proc build dist *.egg-info .pytest_cache .ruff_cache .quarto nbs/nbdev.yml nbs/sidebar.yml
