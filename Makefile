# Self-documenting: `make` or `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# uv does not read pip's own settings: hand the find-links on, from the environment or pip's configuration.
empty :=
comma := ,
ifndef UV_FIND_LINKS
UV_FIND_LINKS := $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
UV_FIND_LINKS := $(subst $(empty) $(empty),$(comma),$(strip $(UV_FIND_LINKS)))
endif
export UV_FIND_LINKS
STAMP := $(VENV)/.installed
ARGS ?=
IMAGE_ARGS ?=
RUNTIME_IMAGE = $(shell $(PYTHON) -c 'from components.images import RUNTIME_IMAGE; print(RUNTIME_IMAGE)')
SANDBOX_IMAGE = $(shell $(PYTHON) -c 'from components.images import SANDBOX_IMAGE; print(SANDBOX_IMAGE)')

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv and install the package with its development tools

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --editable '.[dev]'
	@touch $@

run: setup ## train a small policy through the whole pipeline on this machine (ARGS="--set ..." is passed on)
	$(BIN)/aepo run $(ARGS)

test: setup ## run the tests (ARGS is passed to pytest)
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

test-slow: setup ## run the long series too
	$(BIN)/python -m pytest -m slow $(ARGS)

check: setup ## lint, spelling, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell aepo components pipelines images manifests tests benchmarks docs README.md CHANGELOG.md Makefile
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

readme: setup ## write the components' READMEs and metadata, and docs/configuration.md
	$(BIN)/python -m components.readme
	$(BIN)/python -m aepo.reference

figures: setup ## draw the figures of the documentation
	$(BIN)/python docs/figures.py

golden: setup ## write the compiled pipelines that tests compare with (review the diff)
	$(BIN)/python tests/pipeline/golden_ir.py

manifests: setup ## render the Kubernetes manifests and validate every object
	kubectl kustomize manifests/base | $(BIN)/kubernetes-validate --strict -

wheelhouse: ## gather the images' wheels, for builds that reach no package index
	$(PYTHON) images/requirements.py > images/wheelhouse/requirements.txt
	$(PYTHON) -m pip wheel --quiet --wheel-dir images/wheelhouse -r images/wheelhouse/requirements.txt 'setuptools>=77'

images: ## build the container images (IMAGE_ARGS is passed to docker build)
	docker build $(IMAGE_ARGS) --file images/runtime/Dockerfile --target cpu --tag "$(RUNTIME_IMAGE)" \
		--build-arg VERSION="$(lastword $(subst :, ,$(RUNTIME_IMAGE)))" \
		--build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" .
	docker build $(IMAGE_ARGS) --file images/sandbox/Dockerfile --target server --tag "$(SANDBOX_IMAGE)" \
		--build-arg VERSION="$(lastword $(subst :, ,$(SANDBOX_IMAGE)))" \
		--build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" .

system-deps: ## install the system packages that tests use, on Debian and its like (needs root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends bubblewrap python3-doc

clean: ## remove the environment and caches (runs/ stays)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup run test test-slow check format readme figures golden manifests wheelhouse images system-deps clean
