# Two commands do all the set-up: `make demo` (core only) and `make test` (adds what tests need). Neither asks for root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

# A FHIR server by others, which tests of FHIR reads talk to.
FOREIGN_FHIR := tests/hooks/medplum/node_modules/.package-lock.json

.PHONY: demo serve test check-style interop contract-long schema-long bench system clean

demo: $(VENV)/core
	@$(BIN)/python -m hooks.demo

serve: $(VENV)/core
	@$(BIN)/psychmed serve --settings fixtures/requests/demo_settings.yaml

test: $(VENV)/dev check-style interop $(FOREIGN_FHIR)
	$(BIN)/psychmed lint
	$(BIN)/psychmed test --quiet
	$(BIN)/python -m pytest

check-style: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Clients that others wrote. Without them their tests are skipped, and fail where everything is required.
interop: $(VENV)/dev
	@test -e $(VENV)/interop/done -a ! scripts/interop_tools.py -nt $(VENV)/interop/done || { \
	  echo "installing clients that others wrote ..."; \
	  $(BIN)/python scripts/interop_tools.py && touch $(VENV)/interop/done; } || echo "not all could be installed: their tests are skipped"

# Long suites, apart from CI.
schema-long: $(VENV)/dev
	PSYCHMED_SCHEMA_EXAMPLES=500 $(BIN)/python -m pytest tests/interop/test_generated_requests.py

contract-long: $(VENV)/dev
	$(BIN)/python -m tests.contract.long_run --checks 200000

bench: $(VENV)/dev
	$(BIN)/python bench/evaluate.py
	$(BIN)/python bench/engine.py
	$(BIN)/python bench/drugs.py
	$(BIN)/python bench/auth.py
	$(BIN)/python bench/lint.py
	$(BIN)/python bench/author_tools.py
	$(BIN)/python bench/audit.py --patients 5000

# What tests need from the system and only root can install: a browser, for the report of an audit.
system:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Chromium ..." && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  else echo "no Chromium, and no root or no apt-get: tests in a browser are skipped"; fi; }

$(VENV)/core: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 15) else f"Python 3.11 to 3.14 is needed, {sys.executable} is {v.major}.{v.minor} (make PYTHON=python3.12 ...)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the core ..."
	@$(PIP) install -e .
	@$(PIP) install -e '.[durable]' >$(VENV)/durable.log 2>&1 || echo "durable-rules could not be installed (see $(VENV)/durable.log): the direct engine decides alone"
	@touch $@

$(VENV)/dev: $(VENV)/core
	@echo "installing what tests need ..."
	@$(PIP) install -e '.[dev]'
	@touch $@

$(FOREIGN_FHIR): tests/hooks/medplum/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests/hooks/medplum --no-audit --no-fund --loglevel=error && touch $@; \
	else echo "no npm: tests that read from a FHIR server by others are skipped"; fi

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
