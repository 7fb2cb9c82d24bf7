# make demo: install, run the loop on the generated sample, print the table of rounds.
# make test: install, run the tests.
SHELL := /bin/sh
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.uv/bin:$(PATH)

.PHONY: help setup ops demo test test-slow lint docs

help:  ## list these targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /: /'

setup:  ## install into .venv (PYTHON=... to choose the interpreter)
	@PYTHON="$(PYTHON)" sh setup/install.sh

ops: setup  ## compile mmcv's own operators, for the few models that need more than torchvision has
	@sh setup/compile_ops.sh

demo: setup  ## run the loop on the generated sample (TASK=detection, instance, semantic or classification)
	@[ -z "$(TASK)" ] || python -m pseudolabel use "sample_$(TASK)"
	dvc repro
	@cat report/rounds.md
	@echo "To look at: pseudolabel view (or open report/index.html): rounds, silver, errors, data."
	@echo "Your own data: pseudolabel import LABELS ../my_data, then"
	@echo "pseudolabel init ../my_project --task $(or $(TASK),detection) --data ../my_data"

test: setup  ## run the quick tests
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile

test-slow: setup  ## run the tests that train whole pipelines, and those of the pages in a browser
	@sh setup/browser.sh
	OMP_NUM_THREADS=1 python -m pytest -m slow -n 3 --dist loadfile --no-loadscope-reorder

lint: setup  ## check style and types
	ruff check .
	ruff format --check .
	mypy pseudolabel stages

docs: setup  ## build the documentation as a site in site/, and check its links
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "written: site/index.html"
