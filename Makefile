# Two commands do all: `make demo` and `make test`. Both set up what they need with python3 (3.11 or later) and make.

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready .venv-local/.ready .venv-sam/.ready
export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint lint-code lint-types lint-templates lint-files format check docs bench build audit clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY) ## install everything into .venv (the command), .venv-local (local AWS) and .venv-sam (AWS SAM)

demo: $(READY) ## the whole system on the local AWS, on real CloudTrail records
	@$(BIN)/leastwise demo

test: $(READY) ## every test: unit, integration, end to end
	$(BIN)/python -m pytest --numprocesses auto

lint: lint-code lint-types lint-templates lint-files ## format, lint, types, templates, generated files

lint-code: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

lint-types: $(READY)
	$(BIN)/mypy

lint-templates: $(READY) .venv-checkov/.ready
	$(BIN)/cfn-lint --append-rules cfn_lint_serverless.rules
	.venv-checkov/bin/checkov --config-file .checkov.yaml
	$(BIN)/sam validate --lint --template template.yaml --region us-east-1

lint-files: $(READY)
	$(UV) lock --check --quiet
	$(UV) export $(EXPORT) | diff requirements.txt -
	$(BIN)/python -m infra.docs.generate --check

format: $(READY) ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint test ## everything that CI checks

docs: $(READY) ## rewrite the generated tables of the documents
	$(BIN)/python -m infra.docs.generate

bench: .venv-bench/.ready .venv-bench-usage/.ready ## us beside our peers: docs/benchmarks*.md and docs/right-sizing.md
	.venv-bench/bin/python -m benchmarks
	$(BIN)/python -m benchmarks.usage
	$(BIN)/python -m benchmarks.scores
	$(BIN)/python -m benchmarks.right_sizing
	$(BIN)/python -m benchmarks.report_page

build: $(READY) ## zips for AWS Lambda, as the template says (python3.13, arm64)
	$(UV) export $(EXPORT) --output-file requirements.txt
	$(BIN)/sam build
	$(BIN)/python -m infra.build.sbom

# What can't be looked up is an error (--strict), never "no vulnerability". Not part of `make check`: what is known
# changes without a commit of ours, and it asks PyPI's own service, which mirrors don't have.
audit: $(READY) .venv-audit/.ready ## known vulnerabilities of every pin, as PyPI knows them
	@mkdir -p build
	$(UV) export --frozen --quiet --all-extras --no-emit-project --no-header --format requirements-txt --output-file build/locked.txt
	.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		$(addprefix --requirement ,build/locked.txt $(wildcard infra/*/*requirements.txt))

clean: ## remove environments, caches and build results
	rm -rf .uv .venv .venv-audit .venv-bench .venv-bench-usage .venv-checkov .venv-local .venv-sam .aws-sam build .mypy_cache .pytest_cache .ruff_cache .hypothesis

EXPORT := --frozen --quiet --no-dev --no-emit-project --no-header --format requirements-txt

$(UV):
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) is missing: install Python 3.11 or later, or name one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) -V): Python 3.11 or later is needed; name one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv .uv || { rm -rf .uv; \
		echo "$(PYTHON) cannot make virtual environments: install its venv package (python3-venv)" >&2; exit 1; }
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || { rm -rf .uv; exit 1; }

.venv/.ready: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --all-extras --compile-bytecode --python $$($(PYTHON) -c 'import sys; print(sys.executable)')
	@touch $@

# Environments of their own: a package that a Lambda zip lacks must not be found there by accident, and the versions
# that AWS SAM pins are not ours.
.venv-local/.ready: .venv/.ready infra/local/requirements.txt
	$(UV) venv --quiet --clear --python .venv/bin/python .venv-local
	$(UV) pip install --quiet --compile-bytecode --python .venv-local/bin/python --require-hashes -r infra/local/requirements.txt
	@touch $@

.venv-sam/.ready: .venv/.ready infra/build/sam-requirements.txt
	$(UV) venv --quiet --clear --python .venv/bin/python .venv-sam
	$(UV) pip install --quiet --compile-bytecode --python .venv-sam/bin/python --require-hashes -r infra/build/sam-requirements.txt
	@ln -sf ../../.venv-sam/bin/sam .venv/bin/sam
	@touch $@

.venv-checkov/.ready: .venv/.ready infra/build/checkov-requirements.txt
	$(UV) venv --quiet --clear --python .venv/bin/python .venv-checkov
	$(UV) pip install --quiet --compile-bytecode --python .venv-checkov/bin/python --no-deps --require-hashes -r infra/build/checkov-requirements.txt
	@touch $@

.venv-audit/.ready: .venv/.ready infra/build/audit-requirements.txt
	$(UV) venv --quiet --clear --python .venv/bin/python .venv-audit
	$(UV) pip install --quiet --compile-bytecode --python .venv-audit/bin/python --require-hashes -r infra/build/audit-requirements.txt
	@touch $@

# The peers that the engine is measured beside, none of which the project depends on.
.venv-bench/.ready: .venv/.ready benchmarks/requirements.txt
	$(UV) venv --quiet --clear --python .venv/bin/python .venv-bench
	$(UV) pip install --quiet --compile-bytecode --python .venv-bench/bin/python --require-hashes -r benchmarks/requirements.txt
	@touch $@

.venv-bench-usage/.ready: .venv/.ready benchmarks/usage/requirements.txt
	$(UV) venv --quiet --clear --python .venv/bin/python .venv-bench-usage
	$(UV) pip install --quiet --compile-bytecode --python .venv-bench-usage/bin/python --require-hashes -r benchmarks/usage/requirements.txt
	@touch $@

include infra/build/functions.mk
