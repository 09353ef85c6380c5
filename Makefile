# make run | test | lint | e2e | bench      PORT=8000 DATA_DIR=./data PYTHON=python3
PYTHON ?= python3
PORT ?= 8000
DATA_DIR ?= $(or $(TOCSIN_DATA_DIR),./data)
ARGS ?=

PY := .venv/bin/python
RUNTIME := .venv/stamps/runtime-$(shell cksum < requirements.lock | tr ' ' '-')
DEV := .venv/stamps/dev-$(shell cksum < requirements-dev.lock | tr ' ' '-')
SCRATCH := $(CURDIR)/.venv/scratch

# Nothing is needed under HOME: without one that can be written to, downloads are kept in the environment itself.
export UV_CACHE_DIR ?= $(shell test -w "$$HOME" && echo "$$HOME/.cache/uv" || echo $(CURDIR)/.venv/cache)
export PIP_CACHE_DIR ?= $(shell test -w "$$HOME" && echo "$$HOME/.cache/pip" || echo $(CURDIR)/.venv/cache)
export UV_LINK_MODE ?= copy
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test lint format e2e bench lock browser
.DEFAULT_GOAL := run

run: $(RUNTIME)
	@mkdir -p "$(DATA_DIR)" && PORT=$(PORT) TOCSIN_DATA_DIR="$(DATA_DIR)" exec $(PY) manage.py up

test: $(DEV)
	$(PY) -m pytest -m "not e2e" -n auto $(ARGS)

lint: $(DEV)
	.venv/bin/ruff check
	.venv/bin/ruff format --check -q
	.venv/bin/lint-imports --no-cache | tail -n 8
	TOCSIN_DATA_DIR=$(SCRATCH) .venv/bin/mypy config destinations oncall incidents tests manage.py
	.venv/bin/deptry .
	.venv/bin/djlint --check --quiet config destinations oncall incidents
	TOCSIN_DATA_DIR=$(SCRATCH) $(PY) manage.py makemigrations --check --dry-run
	TOCSIN_DATA_DIR=$(SCRATCH) $(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null

format: $(DEV)
	.venv/bin/ruff check --fix-only -q
	.venv/bin/ruff format -q
	.venv/bin/djlint --reformat --quiet config destinations oncall incidents

e2e: $(DEV) browser
	$(PY) -m pytest -m e2e $(ARGS)

bench: $(DEV)
	$(PY) -m tests.bench $(ARGS)

# The locks are written anew from pyproject.toml; commit both.
lock: $(DEV)
	.venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q -o requirements.lock
	.venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q --extra dev -o requirements-dev.lock

# Debian's own Chromium, Prometheus and Alertmanager: what the console is driven with, and what sends real alerts.
# They are installed, not started.
browser:
	@missing=; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v prometheus >/dev/null || missing="$$missing prometheus"; \
	command -v prometheus-alertmanager >/dev/null || missing="$$missing prometheus-alertmanager"; \
	test -z "$$missing" && exit 0; \
	if test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null; then \
		echo "Please install:$$missing   (Debian, as root: apt-get install$$missing)"; exit 1; \
	fi; \
	policy=/usr/sbin/policy-rc.d; made=; \
	test -e $$policy || { printf '#!/bin/sh\nexit 101\n' > $$policy; chmod +x $$policy; made=1; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	status=$$?; test -z "$$made" || rm -f $$policy; exit $$status

$(RUNTIME): requirements.lock
	@$(MAKE) --no-print-directory install LOCK=requirements.lock STAMP=$@

$(DEV): requirements-dev.lock
	@$(MAKE) --no-print-directory install LOCK=requirements-dev.lock STAMP=$@

.PHONY: install
install:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Tocsin needs Python 3.11 or newer. Install it, or name one: make run PYTHON=python3.12"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv && $(PYTHON) -m venv --without-pip .venv; }
	@echo "Installing $(LOCK) into .venv ..."
	@$(PY) -m pip --version >/dev/null 2>&1 && ! command -v uv >/dev/null && $(PY) -m pip install -q uv 2>/dev/null || true
	@if command -v uv >/dev/null; then uv pip install -q --python $(PY) --require-hashes -r $(LOCK); \
	elif test -x .venv/bin/uv; then .venv/bin/uv pip install -q --python $(PY) --require-hashes -r $(LOCK); \
	elif $(PY) -m pip --version >/dev/null 2>&1; then $(PY) -m pip install -q --require-hashes -r $(LOCK); \
	else $(PYTHON) -m pip --python $(PY) install -q --require-hashes -r $(LOCK); fi
	@mkdir -p .venv/stamps && rm -f $(dir $(STAMP))$(firstword $(subst -, ,$(notdir $(STAMP))))-* && touch $(STAMP)
