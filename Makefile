# Two commands are enough: `make run` and `make test`. Both set up .venv first, once.
PYTHON ?= python3.11
BIN := .venv/bin

# Nothing phones home, and nothing is looked for on a model hub, unless you say otherwise.
export DO_NOT_TRACK ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true
export DVC_NO_ANALYTICS ?= 1
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help setup run test test-slow lint clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.done  ## the environment, made once and reused

# torch comes first and by itself, through pip: then a CPU build that pip is configured to find is taken, and nothing else asks for another.
.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv "$$(grep '^torch==' constraints.txt)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	@touch $@
