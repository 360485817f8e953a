# `make run` and `make test` work on a fresh machine with Python 3.11 to 3.14, make and a C library.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3

# Values reach the commands through the environment, unchanged: neither make nor the shell expands variables,
# commands or quotes in them.
override JOB := $(value JOB)
override FILE := $(value FILE)
override SET := $(value SET)
override JSON := $(value JSON)
override BLOCK_BYTES := $(value BLOCK_BYTES)
override CONCURRENCY := $(value CONCURRENCY)
override CONTEXT := $(value CONTEXT)
override TAGS := $(value TAGS)
override REQUIRE_APPROVAL := $(value REQUIRE_APPROVAL)
override FUZZ_S := $(value FUZZ_S)
override SEEDS := $(value SEEDS)
override REPORT := $(value REPORT)
override QUICK := $(value QUICK)
export JOB FILE SET JSON BLOCK_BYTES CONCURRENCY CONTEXT TAGS REQUIRE_APPROVAL FUZZ_S QUICK REPORT SEEDS

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

CHECKED := app.py setup.py stacks lambda_src fanfold tests benchmarks
with_context = set -f; for setting in $$CONTEXT; do set -- "$$@" -c "$$setting"; done;
with_options = set -f; for option in $$SET; do set -- "$$@" --set "$$option"; done;
with_tags = for tag in $$TAGS; do set -- "$$@" --tag "$$tag"; done;

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { \
		line = sprintf("  make %-10s", $$1); count = split($$2, words, " "); \
		for (i = 1; i <= count; i++) { \
			if (length(line) + length(words[i]) >= 80) { print line; line = sprintf("%17s", "") } \
			line = line " " words[i] \
		} \
		print line }' $(MAKEFILE_LIST)

.PHONY: install
install: .installed ## Install everything into this folder, with the command fanfold in .venv/bin

.PHONY: run
run: .installed ## Run a job in a local AWS: [JOB=name] [FILE=path] [SET="name=value ..."] [JSON=path] [BLOCK_BYTES=n] [CONCURRENCY=n]
	@$(with_options) fanfold demo $${JOB:+"--job=$$JOB"} $${FILE:+"--file=$$FILE"} $${JSON:+--json "--output=$$JSON"} \
		$${BLOCK_BYTES:+"--block-bytes=$$BLOCK_BYTES"} $${CONCURRENCY:+"--concurrency=$$CONCURRENCY"} "$$@"

.PHONY: test
test: .installed lint ## Lint, types, and tests: unit, integration, stack, end to end, faults
	$(parallel)
# In the order of the folders: what is deployed takes longest and begins first.
parallel := python -m pytest -n 3 --no-loadscope-reorder

.PHONY: test-slow
test-slow: .installed ## Run the tests that take too long for make test; make faults runs them, too
	$(parallel) -m 'slow and not long'

.PHONY: test-arm64
test-arm64: .installed ## Run the arm64 layers with Python 3.13 under QEMU, which apt gets from Debian (100 MB, once)
	python -m pytest tests/arm64 -m arm64

.PHONY: faults
faults: .installed ## Inject every fault and hostile input and print the outcome of each (about half an hour)
	python -m pytest tests/faults tests/e2e/test_commands.py tests/e2e/test_gate.py -m 'long or not long'
	$(parallel) tests/unit tests/stack tests/simulation tests/e2e/test_destroy.py -m 'long or slow'

.PHONY: simulate
simulate: .installed ## Simulate runs with random faults in virtual time, and large runs against the model: [SEEDS=n]
	@python -m tests.simulation $${SEEDS:+"--seeds=$$SEEDS"}

.PHONY: bench
bench: .installed ## Measure everything, next to Polars, DuckDB and others: [FILE=path] [QUICK=1] (about 25 minutes)
	@python -m benchmarks $${FILE:+"--file=$$FILE"} $${QUICK:+--quick}

.PHONY: fuzz
fuzz: ## Fuzz the C code under AddressSanitizer and UBSan, with cc or CC=compiler: [FUZZ_S=seconds for each target]
	@mkdir -p .build/fuzz
	$(CC) $(fuzz_options) -c tests/fuzz/driver.c -o .build/fuzz/driver.o
	@set -e; for file in tests/fuzz/*_target.c; do \
		target=.build/fuzz/$$(basename "$$file" _target.c); echo "$$file"; \
		$(CC) $(fuzz_options) $(sanitized) -fsanitize-coverage=trace-pc -c "$$file" -o "$$target.o"; \
		$(CC) $(sanitized) .build/fuzz/driver.o "$$target.o" -o "$$target"; \
		(cd .build/fuzz && "./$$(basename "$$target")" "$${FUZZ_S:-60}"); \
	done
sanitized := -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz_options := -std=gnu11 -g -O2 -fno-omit-frame-pointer -Wall -Wextra -Werror

.PHONY: lint
lint: .installed ## Check style and types
	ruff check $(CHECKED)
	ruff format --check $(CHECKED)
	mypy $(CHECKED)

.PHONY: pictures
pictures: .installed ## Update the pictures of the docs; needs chromium: [REPORT=file.html]
	@python -m tests.page.screenshots docs/pictures $${REPORT:+"$$REPORT"}

.PHONY: synth
synth: .installed ## Write the CloudFormation template to cdk.out: [CONTEXT="name=value ..."]
	@$(with_context) fanfold synth "$$@"

.PHONY: deploy
deploy: .installed ## Deploy to your AWS account: [CONTEXT="name=value ..."] [TAGS="name=value ..."] [REQUIRE_APPROVAL=never]
	@$(with_context) $(with_tags) fanfold deploy $${REQUIRE_APPROVAL:+"--require-approval=$$REQUIRE_APPROVAL"} "$$@"

.PHONY: destroy
destroy: .installed ## Remove the stack; data stay unless deployed with retain_data=false: [REQUIRE_APPROVAL=never]
	@$(with_context) fanfold destroy $${REQUIRE_APPROVAL:+"--require-approval=$$REQUIRE_APPROVAL"} "$$@"

.PHONY: audit
audit: ## Check the locked packages for known vulnerabilities
	$(PYTHON) -m venv .build/audit && .build/audit/bin/pip install --quiet 'pip-audit==2.10.1'
	for lock in requirements.txt requirements-dev.txt requirements-native.txt requirements-bench.txt $$(find lambda_src -name requirements.txt); do \
		.build/audit/bin/pip-audit --strict --require-hashes --disable-pip --requirement $$lock || exit 1; done

.PHONY: lock
lock: ## Update the hashed locks from pyproject.toml
	$(PYTHON) -m venv .build/lock && .build/lock/bin/pip install --quiet 'uv==0.13.9'
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:cdk --output-file requirements.txt
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:dev --output-file requirements-dev.txt
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:lambda --output-file lambda_src/requirements.txt
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:column_permutations \
		--output-file lambda_src/jobs/column_permutations/requirements.txt
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:grep --output-file lambda_src/jobs/grep/requirements.txt
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:native --output-file requirements-native.txt
	.build/lock/bin/uv pip compile $(lock_options) --group pyproject.toml:bench --output-file requirements-bench.txt
lock_options := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock'

.PHONY: clean
clean: ## Remove everything that make has created
	rm -rf .venv .installed .build build node_modules cdk.out *.egg-info

.installed: requirements-dev.txt package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
		{ echo 'Fanfold needs Python 3.11 to 3.14: make PYTHON=python3.13 ...'; exit 1; }
	@echo 'Installing into .venv and node_modules (about a minute, once) ...'
	@$(PYTHON) -m venv --clear .venv
	@python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@npm ci --silent --no-audit --no-fund
	@touch .installed
