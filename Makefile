# Everything a developer runs. The two that matter: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
FUZZ_SECONDS ?= 60
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test byte-code test-fast coverage lint pyright format system modules lowest reality soak bench fuzz scripts docs clean

help:
	@echo "make demo   start the shop and the stand-in for TikTok (PORT=8000)"
	@echo "make test   install what the tests need, then ruff, mypy and pytest"
	@echo "make test-fast  the tests that need nothing but Python, in less than a minute"
	@echo "make coverage   all tests, and which lines and branches none of them runs"
	@echo "make soak   the long tests: every server, killed workers, other packages' test suites"
	@echo "make reality  real apps, each in an environment of its own, for the long tests"
	@echo "make bench  the figures, beside other packages'"
	@echo "make fuzz   search for documents and requests that break a promise (FUZZ_SECONDS=60 each)"
	@echo "make scripts  make the page scripts small, after a change in tiktok_middleware/browser"
	@echo "make lint   ruff and mypy only"
	@echo "make pyright  a second type checker"
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

# A test is never skipped in silence: what is missing is installed (Debian, as root), or named.
define need
	@if $(1); then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing $(2) ..." && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
	else echo "The tests need $(3): install the package '$(2)' (Debian: apt-get install $(2))"; exit 1; fi
endef

# Chromium without windows takes a third of the processor time. Not every distribution has it.
HAS_SHELL := test -x /usr/bin/chromium-headless-shell

system:
	$(call need,test -x /usr/bin/chromium,chromium,a real browser)
	$(call need,command -v node >/dev/null,nodejs,Node.js for the scripts of pages)
	$(call need,command -v redis-server >/dev/null,redis-server,a real broker)
	$(call need,command -v npm >/dev/null,npm,the consent platforms' own code)
	$(call need,ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null,postgresql,a real database)
	$(call need,command -v faketime >/dev/null,faketime,another time of day)
	$(call need,PATH=$$PATH:/usr/sbin command -v pgbouncer >/dev/null,pgbouncer,a real connection pooler)
	$(call need,PATH=$$PATH:/usr/sbin command -v nginx >/dev/null,nginx,a real proxy)
	$(call need,PATH=$$PATH:/usr/sbin command -v varnishd >/dev/null,varnish,a real cache)
	$(call need,test -x /usr/bin/firefox-esr,firefox-esr,another browser engine)
	$(call need,test -x /usr/bin/WebKitWebDriver,webkit2gtk-driver,another browser engine)
	$(call need,command -v Xvfb >/dev/null,xvfb,a display for WebKit)
	$(call need,command -v openssl >/dev/null,openssl,certificates for tests)
	@$(HAS_SHELL) || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell; } >/dev/null 2>&1 || true
	@$(HAS_SHELL) || echo "The tests run the whole Chromium, which takes longer (package 'chromium-headless-shell')"

# The real htmx and Turbo, and the consent platforms' own code, which the browser tests load into pages; the minifier.
MODULES := tests/browser/node_modules/.installed tests/consent_platforms/node_modules/.installed
%/node_modules/.installed: %/package.json | system
	npm install --silent --no-audit --no-fund --no-package-lock --prefix $*
	@touch $@

modules: system $(MODULES)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A second type checker, which other people's editors run; a minute.
pyright: $(VENV)/.installed-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Hundreds of processes import the package: let the first one compile it for all.
test test-fast coverage: export PYTHONDONTWRITEBYTECODE =

# Three processes for two processors: many tests wait for servers and browsers. tests/distribution.py divides the files.
test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory --jobs 4 modules .venv-reality-httpbin/.installed lint byte-code
	$(BIN)/pytest -n 3 --dist loadfile

# Once, beside the type checker, and not by three processes at the same time.
byte-code: $(VENV)/.installed-dev
	@$(BIN)/pytest --collect-only -q >/dev/null 2>&1 || true

# No browser, no Node.js, no broker, no server process; of long tables some rows (tests/fast_tier.py).
test-fast: $(VENV)/.installed-dev
	$(BIN)/pytest --fast -n 2 -q

coverage: $(VENV)/.installed-dev modules .venv-reality-httpbin/.installed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 3 --dist loadfile -q
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Every server, workers killed in twenty rounds, and Starlette's and Flask's own test suites with every app wrapped.
soak: $(VENV)/.installed-dev modules lowest reality
	$(call need,test -x /usr/bin/chromedriver,chromium-driver,the driver of a browser)
	$(BIN)/python -m pip install --quiet --group soak
	$(BIN)/pytest -m soak -n 2 --dist loadgroup

# The lowest supported version of each framework, for the acceptance suite.
LOWEST := .venv-lowest .venv-lowest-quart

lowest: $(LOWEST:%=%/.installed)

# Real apps, each in an environment of its own, which tests/reality serves with the middleware and without.
REALITY := $(patsubst tests/reality/apps/%.txt,.venv-reality-%,$(wildcard tests/reality/apps/*.txt))

reality: $(REALITY:%=%/.installed)

.venv-reality-%/.installed: pyproject.toml tests/reality/apps/%.txt
	@test -x .venv-reality-$*/bin/python || $(PYTHON) -m venv .venv-reality-$*
	.venv-reality-$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-reality-$*/bin/python -m pip install --quiet --editable . -r tests/reality/apps/$*.txt
	@touch $@

.venv-%/.installed: pyproject.toml tests/frameworks/%.txt
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-$*/bin/python -m pip install --quiet --editable . -r tests/frameworks/$*.txt
	@touch $@

BENCH := .venv-bench
$(BENCH)/.installed: pyproject.toml tests/bench/requirements.txt
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --editable . -r tests/bench/requirements.txt
	@touch $@

# The cost of a request and of delivery beside other packages', in interleaved runs, and of an outbox file.
# BENCH_ARGS=--quick for some minutes less.
bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m tests.bench requests $(BENCH_ARGS)
	$(BENCH)/bin/python -m tests.bench delivery $(BENCH_ARGS)
	$(BENCH)/bin/python -m tests.bench outbox $(BENCH_ARGS)
	$(BENCH)/bin/python -m tests.bench scaling $(BENCH_ARGS)

FUZZ := .venv-fuzz
$(FUZZ)/.installed: pyproject.toml
	@test -x $(FUZZ)/bin/python || $(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(FUZZ)/bin/python -m pip install --quiet --editable . --group fuzz
	@touch $@

# Ends with 0 where nothing was found. A finding is saved, and how to check it once more is printed.
fuzz: $(FUZZ)/.installed
	$(FUZZ)/bin/python -m tests.fuzz pages --seconds $(FUZZ_SECONDS)
	$(FUZZ)/bin/python -m tests.fuzz requests --seconds $(FUZZ_SECONDS)
	$(FUZZ)/bin/python -m tests.fuzz reports --seconds $(FUZZ_SECONDS)

# The page scripts, from tiktok_middleware/browser into its folder built.
scripts: $(VENV)/.installed-dev modules
	$(BIN)/python -m tests.built_scripts

# The documentation site, in docs/_build; a warning fails it. It needs no network.
docs: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --group docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

clean:
	rm -rf $(VENV) $(LOWEST) $(REALITY) $(BENCH) $(FUZZ) .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis
