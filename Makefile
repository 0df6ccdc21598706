# What a person remembers: make up, make test, make check.

PYTHON ?= python3
UV ?= uv
VENV = .venv
BIN = $(VENV)/bin
SEEDS ?= 5000
PURE = tests/metering tests/aggregator tests/ops/accounts
WATCHED = aggregator api ledger metering ops producers runtime stripe_sync tests
STAMP = $(VENV)/.installed
BENCH_VENV = .venv-bench
BENCH_STAMP = $(BENCH_VENV)/.installed
LOCK = $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --quiet

.DEFAULT_GOAL = help
.PHONY: help install up check test test-fast test-one watch coverage format simulate chaos outages test-sdks test-containers picture bench-counting bench-api bench-billing bench-producers lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv with everything that is needed, the `billing` command among it

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or newer is needed; $(PYTHON) is not: make install PYTHON=/path/to/a/newer/python3' >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(STAMP)

up: install ## run the whole system on this machine; ARGS="--fresh" and others: billing up --help
	@exec $(BIN)/billing up $(ARGS)

check: install ## style, types, import contracts
	$(BIN)/ruff check --no-cache .  # its cache does not see a module that came or went
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .  # what is imported is declared, and the other way round

test: install ## the whole test suite, over three processes; ARGS="tests/ledger -n 0" and others
	PYTHONHASHSEED=0 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)  # a seed of the simulation replays

test-fast: install ## what needs no server, in seconds; ARGS="tests/metering -k period" and others
	PROPERTY_EXAMPLES=15 $(BIN)/pytest -n 2 --dist loadfile -q -m "not servers" $(or $(ARGS),$(PURE))

test-one: install ## one file, in this process: make test-one FILE=tests/metering/test_period.py
	$(BIN)/pytest -q -n 0 $(FILE) $(ARGS)

watch: install ## run test-fast, or only ARGS, whenever a file is saved
	$(BIN)/watchfiles --filter python '$(MAKE) --no-print-directory test-fast ARGS="$(ARGS)"' $(WATCHED)

coverage: install ## which lines no test without a server reaches: a page in .local/coverage; ARGS as for test-fast
	PROPERTY_EXAMPLES=15 $(BIN)/coverage run -m pytest -q -m "not servers" $(or $(ARGS),$(PURE))
	$(BIN)/coverage html
	@$(BIN)/coverage report --format total | sed 's/$$/ % of the lines; the rest: .local\/coverage\/index.html/'

format: install ## let ruff write the code as `make check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

simulate: install ## thousands of seeds of the simulation: SEEDS=5000, or a range: SEEDS=100:200
	$(BIN)/python -m tests.simulation.run $(SEEDS)

chaos: install ## the real stack under load while its parts are killed and frozen: SECONDS=60 SEED=7
	$(BIN)/python -m tests.chaos.run --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

outages: install ## Redis and Kafka away for a whole minute, as production sits it out: some minutes
	OUTAGE_SECONDS=60 $(BIN)/pytest tests/aggregator/test_process_outages.py --timeout 600 $(ARGS)

test-sdks: install ## other languages: SDKs' events, generated clients, Stripe's own mock; brings and builds them in .local
	BUILD_SDKS=1 $(BIN)/pytest -n 2 --dist loadfile tests/sdks tests/clients tests/stripe_mock --timeout 600 $(ARGS)

test-containers: install ## the tests of the container images
	$(BIN)/pytest tests/containers $(ARGS)

bench-counting: install $(BENCH_STAMP) ## how fast usage is counted, and how fresh; ARGS="--quick" and others: ARGS=--help
	$(BIN)/python -m bench $(ARGS)

bench-api: install ## how fast the API answers, by what FastAPI can; ARGS="--quick" and others: ARGS=--help
	$(BIN)/python -m bench.api $(ARGS)

bench-billing: install ## whether Stripe is told exactly, whatever goes wrong, and how fast; ARGS="--quick" and others
	$(BIN)/python -m bench.billing $(ARGS)

bench-producers: install ## what publishing through the emitter costs, beside bare Kafka clients; ARGS="--quick" and others
	$(BIN)/python -m bench.producers $(ARGS)

# Beside the system's virtualenv: what it is compared with wants older libraries than it has.
$(BENCH_STAMP): requirements/bench.lock | $(STAMP)
	$(BIN)/python -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $(BENCH_STAMP)

picture: install ## take the README's picture of the dashboard anew; it needs a Chromium
	$(BIN)/python -m tests.dashboard.picture

lock: ## write requirements/*.lock anew from pyproject.toml; needs uv
	@command -v $(UV) >/dev/null || { echo 'uv is needed to resolve versions: install it, or make lock UV=...' >&2; exit 1; }
	$(LOCK) --output-file requirements/runtime.lock
	$(LOCK) --extra local --group dev --constraint requirements/runtime.lock --output-file requirements/dev.lock
	$(LOCK:pyproject.toml=) --group bench --output-file requirements/bench.lock
	echo hatchling | $(LOCK:pyproject.toml=-) --constraint requirements/dev.lock --output-file requirements/build.lock

clean: ## remove what was made here, .venv and all of .local included
	rm -rf $(VENV) $(BENCH_VENV) .local build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
