# Everything a developer runs. The two that matter: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test lint format browser clean

help:
	@echo "make demo   start the shop and the stand-in for TikTok (PORT=8000)"
	@echo "make test   install what the tests need, then ruff, mypy and pytest"
	@echo "make lint   ruff and mypy only"
	@echo "make format let ruff format and fix"
	@echo "make clean  remove the virtual environment and caches"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	@touch $@

$(VENV)/.installed-dev: $(STAMP)
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

demo: $(STAMP)
	@PORT=$(PORT) exec $(BIN)/tiktok-middleware demo

# A browser test is never skipped in silence: without a browser this stops here and says what to install.
browser:
	@if test -x /usr/bin/chromium; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium ..." && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "The tests drive a real browser: install the package 'chromium' (Debian: apt-get install chromium)"; exit 1; fi
	@if command -v node >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing nodejs ..." && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs >/dev/null; \
	else echo "The tests run the page scripts in Node.js: install the package 'nodejs' (Debian: apt-get install nodejs)"; exit 1; fi

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: $(VENV)/.installed-dev browser lint
	$(BIN)/pytest -n 2 --dist loadgroup

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
