# make demo: install, run the loop on the generated sample, print the table of rounds.
# make test: install, run the tests.
SHELL := /bin/sh
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.uv/bin:$(PATH)

.PHONY: help setup demo test test-slow lint

help:  ## list these targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /: /'

setup:  ## install into .venv (PYTHON=... to choose the interpreter)
	@PYTHON="$(PYTHON)" sh setup/install.sh

demo: setup  ## run the loop on the generated sample (TASK=detection, instance, semantic or classification)
	@[ -z "$(TASK)" ] || sed -i "s/^task: .*/task: $(TASK)/" params.yaml
	dvc repro
	@cat report/rounds.md

test: setup  ## run the quick tests
	python -m pytest

test-slow: setup  ## run the tests that train whole pipelines
	OMP_NUM_THREADS=1 python -m pytest -m slow -n 2 --dist loadfile

lint: setup  ## check style and types
	ruff check .
	ruff format --check .
	mypy pseudolabel stages
