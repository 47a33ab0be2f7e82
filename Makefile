# Commands of the warehouse. `make` alone lists them. Everything runs from the root of a clone.
.DEFAULT_GOAL := help
.PHONY: help setup up down use psql load build replay-snapshots demo test bench lint fix types docs report lock

BIN := .venv/bin
SQL := models tests/generic
# the first Python that fits; name another: make setup PYTHON=/path/to/python3.12
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
# uv reads the system's certificates only when told to: behind a proxy with its own authority nothing else works
UV = UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never .boot/bin/uv --quiet $(UV_CACHE)
# a user without a home folder (a service, nobody) keeps uv's cache in the clone
UV_CACHE = $(shell [ -n "$$UV_CACHE_DIR" ] || mkdir -p "$${XDG_CACHE_HOME:-$$HOME/.cache}/uv" 2>/dev/null || echo --cache-dir .boot/cache)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

setup: .venv/.stamp .env ## virtual environment from the lock (needs python3 3.11-3.13 with pip)

up: setup ## start the embedded PostgreSQL and create schemas and raw tables (with PGHOST: on that server)
	@$(BIN)/python -m sandbox up

down: setup ## stop the embedded PostgreSQL; its data stays
	@$(BIN)/python -m sandbox down

use: setup ## choose the current database: make use DB=demo or DB=warehouse
	@$(BIN)/python -m sandbox use '$(or $(DB),$(error say which: make use DB=demo or make use DB=warehouse))'

psql: setup ## psql on the current database: make psql, or echo 'select 1' | make -s psql ARGS=-XAt
	@$(BIN)/python -m sandbox psql $(ARGS)

load: setup ## collect what is due [SOURCE= DATASET= FROM=YYYY-MM-DD TO=YYYY-MM-DD SCOPE= REFRESH=1 STRICT=1 LIVE=1]
	@$(BIN)/python -m sandbox exec $(BIN)/python -m loaders load $(LOAD_OPTIONS)

# make exports what stands on its command line, and dlt would take a REFRESH in the environment for a setting of its own
unexport SOURCE DATASET FROM TO SCOPE REFRESH STRICT LIVE REBUILD ACCEPT_INCOMPLETE

LOAD_OPTIONS = $(if $(SOURCE),--source '$(SOURCE)') $(if $(DATASET),--dataset '$(DATASET)') \
	$(if $(FROM),--from '$(FROM)') $(if $(TO),--to '$(TO)') $(if $(SCOPE),--scope '$(SCOPE)') \
	$(if $(filter-out 0,$(REFRESH)),--refresh) $(if $(filter-out 0,$(STRICT)),--strict) $(if $(filter-out 0,$(LIVE)),--live)

build: setup ## dbt build on the current database
	@$(BIN)/python -m sandbox up --quiet && $(BIN)/dbt build

replay-snapshots: setup ## take the business dates that wait [FROM= TO= ACCEPT_INCOMPLETE=1], or all again [REBUILD=1]
	@$(BIN)/python -m sandbox up --quiet && $(BIN)/dbt build --select +snapshot_dates_waiting \
		--exclude-resource-types unit_test --vars '{replay_snapshots: {$(REPLAY_OPTIONS)}}'

REPLAY_OPTIONS = from: "$(FROM)", to: "$(TO)", rebuild: "$(filter-out 0,$(REBUILD))", accept_incomplete: "$(filter-out 0,$(ACCEPT_INCOMPLETE))"

demo: setup ## the whole way on sample data: server, load, build, a look at the marts
	@$(BIN)/python -m sandbox demo

# files in their order: by the number of their tests, as xdist has it, the longest ones come last and one processor waits
test: lint ## everything that CI runs: lint, types, dbt build and tests, pytest
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

BENCHES := minutes history market_year timescale

bench: setup ## what work costs beside its baseline, in build/bench.md [BENCH=minutes|history|market_year|timescale]
	@$(if $(filter-out $(BENCHES),$(BENCH)),$(error BENCH=$(BENCH) is none of $(BENCHES)))
	@$(BIN)/python -m pytest tests/bench --override-ini python_files='bench_*.py' --timeout 0 $(if $(BENCH),-k '$(BENCH)')

lint: setup types ## ruff, sqlfluff, import-linter and types
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --processes 0 --disable-progress-bar $(SQL)

fix: setup ## what ruff and sqlfluff can correct themselves
	@$(BIN)/ruff check --fix-only . ; $(BIN)/ruff format . ; $(BIN)/sqlfluff fix --disable-progress-bar $(SQL)

types: setup ## mypy --strict
	@$(BIN)/mypy

docs: setup ## data catalog on one page: build/catalog/index.html
	@$(BIN)/python -m sandbox up --quiet && $(BIN)/dbt docs generate --static
	@mkdir -p build/catalog && cp target/static_index.html build/catalog/index.html && echo build/catalog/index.html

report: setup ## quality report on one page, Korean and English: build/report.html
	@$(BIN)/python -m sandbox exec $(BIN)/python -m ops.report

lock: .boot/bin/uv ## requirements.lock from requirements.in
	@echo dbt-core-experimental-parser >.boot/excludes  # its build downloads from outside the registries; dbt runs without
	@$(UV) pip compile --universal --python-version 3.11 --no-emit-index-url --no-header \
		--excludes .boot/excludes --output-file requirements.lock requirements.in

.env: | .env.example
	@install -m 600 .env.example .env

# pip below a folder of its own works with and without python3-venv, and where the system's Python is managed
.boot/bin/uv:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 is needed, and here is $$(python3 -V 2>&1):" \
		"install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
		echo "$(PYTHON) has no pip: install it (Debian, Ubuntu: apt install python3-pip)" >&2; exit 1; }
	@PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 $(PYTHON) -m pip install --quiet --disable-pip-version-check \
		--no-warn-script-location --target .boot uv==0.13.9

# --no-deps: the lock names everything; --compile-bytecode: else every dbt call pays 2 s where bytecode is not written
.venv/.stamp: requirements.lock | .boot/bin/uv
	@echo "setting up .venv from requirements.lock" >&2
	@[ -x $(BIN)/python ] || $(UV) venv --clear --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	@$(UV) pip install --no-deps --compile-bytecode --python $(BIN)/python -r requirements.lock
	@touch $@
