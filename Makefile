# VoiceERA: `make run` serves, `make test` proves. Both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
PACKAGES := core plugins voicera
CODE := $(PACKAGES) pytest_voicera.py piccolo_conf.py tests loadtests examples

.DEFAULT_GOAL := help
.PHONY: help install run test lint types unit chaos bench load docs lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  \033[36mmake %-8s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Install everything into .venv, exactly as locked

$(STAMP): requirements.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "VoiceERA needs Python 3.11 or newer (make PYTHON=python3.12 ...)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --config-setting editable_mode=compat --editable .
	@$(BIN)/python -m compileall -q -j 0 $(PACKAGES) .venv/lib >/dev/null 2>&1 || true
	@touch $(STAMP)

run: install ## Serve the API on port 8000, with everything it needs
	@exec $(BIN)/voicera serve

test: lint types unit ## Run every check and every test

lint: install ## Check style
	@$(BIN)/ruff format --check --quiet $(CODE) || { echo "run: $(BIN)/ruff format $(CODE)"; exit 1; }
	@$(BIN)/ruff check --quiet $(CODE)

types: install ## Check types
	@$(BIN)/mypy $(PACKAGES) piccolo_conf.py pytest_voicera.py

unit: install ## Run the tests
	@$(BIN)/python -m pytest -m "not chaos" --numprocesses 3 --dist loadfile --no-loadscope-reorder

chaos: install ## Run the long fault tests
	@$(BIN)/python -m pytest -m chaos

bench: install ## Measure speed against bare handlers, side by side
	@$(BIN)/python -m loadtests.bench

load: install ## Run the locust load test against a service of its own
	@$(BIN)/python -m loadtests

docs: install ## Write the generated pages of docs/ anew
	@$(BIN)/python -P tests/write_docs.py  # -P: tests/plugins is not the package plugins

lock: install ## Resolve the lock files anew
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra embedded --extra dev --generate-hashes --no-annotate --no-header pyproject.toml -o requirements.lock
	@echo uv | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-header - -o requirements.uv.lock

clean: ## Remove what was installed and built; the data in .voicera stays
	rm -rf .venv .venv-bench build *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage
