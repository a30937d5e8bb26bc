# Everything happens in $(VENV); another interpreter: make setup PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := .ci/constraints.txt
TEST_EXTRAS := dev,ogb,als,ann,parquet,plot,hpo,tensorboard,serve,onnx,docs,notebooks
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c $(CONSTRAINTS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo setup setup-test test docs lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: setup ## set up, then run the main job on embedded data (no download)
	$(BIN)/python -m graphkit.run

setup: $(VENV)/.setup ## create .venv and install graphkit with pinned versions

setup-test: $(VENV)/.setup-test ## the same with what the tests and linters need

test: setup-test ## set up with the test extras, then run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

docs: setup-test ## build the documentation, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

lint: setup-test ## lint, formatting, types and the one-way imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-test ## format the code and repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove caches and build outputs (never .venv, data or runs)
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "graphkit needs Python 3.11 or later, and '$(PYTHON)' is not on the PATH: name one, for example 'make setup PYTHON=python3.12'." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "graphkit needs Python 3.11 or later, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1): name another, for example 'make setup PYTHON=python3.12'." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.setup: $(VENV)/.created pyproject.toml $(CONSTRAINTS)
	$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.setup-test: $(VENV)/.created pyproject.toml $(CONSTRAINTS)
	$(PIP_INSTALL) -e '.[$(TEST_EXTRAS)]'
	@touch $(VENV)/.setup $@
