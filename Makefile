# Everything starts here: `make up` runs the product, `make test` tests it, `make check` is what CI runs.
.PHONY: up test check format lint types imports bench clean
.DEFAULT_GOAL := up

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Two processes of tests, as tests/support/shares.py says; SHARED= runs one test after the other.
SHARED ?= -n 2 --no-loadscope-reorder
# The newest Python 3.11+ on the path; PYTHON=… chooses another.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Touchline needs Python 3.11 or newer: install it, or say where it is with PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/product: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Touchline into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/tests: $(VENV)/product
	@echo "Installing the test tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

up: $(VENV)/product
	@exec $(BIN)/touchline up $(ARGS)

test: $(VENV)/tests
	$(BIN)/python -m pytest $(SHARED) $(ARGS)

check: format lint types imports test

format: $(VENV)/tests
	$(BIN)/ruff format --check .

lint: $(VENV)/tests
	$(BIN)/ruff check .

types: $(VENV)/tests
	$(BIN)/mypy

imports: $(VENV)/tests
	$(BIN)/lint-imports

# A short form of the first three, four minutes or so; `touchline bench --help` has the long one.
bench: $(VENV)/product
	$(BIN)/touchline bench edge --duration 9 --rounds 3
	$(BIN)/touchline bench latency --duration 10
	$(BIN)/touchline bench pipeline --duration 8

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis deploy/kafka/target tests/docs/kotlin/target
