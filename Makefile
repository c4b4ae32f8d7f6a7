# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help install demo test lint bench clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed  ## .venv with har and all it needs (only what is missing)

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,export]'
	@touch $@

demo: install  ## learn poses and actions from synthetic video, 5 to 10 minutes on two recent cores
	$(BIN)/python -m har.prepare synthetic paths.data_dir=data/demo 'synthetic.size=[640,360]' synthetic.cameras_per_sample=1
	$(BIN)/python -m har.prepare ntu paths.data_dir=data/demo
	$(BIN)/python -m har.train experiment=demo

test: install  ## the test suite, a process per core
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: install  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install  ## time what has a benchmark
	$(BIN)/python -m har.benchmark

clean:  ## remove what was built and run here, not the data
	rm -rf $(VENV) outputs/demo dist .pytest_cache .mypy_cache .ruff_cache
