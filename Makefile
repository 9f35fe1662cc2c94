# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
# One more than two cores: some tests wait for limits.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test messages test-agent-38 toolkit test-toolkit test-recipes test-npu calibrations check schema fuzz kills lies stalls stores truth scale bench-speed models clean

help:
	@echo "make demo    the story of the 3 MB that became 60 MB, on a virtual board"
	@echo "make test    all tests that need no board and no vendor toolkit"
	@echo "make test-toolkit   conversions with the real rknn-toolkit2, in its own environment (630 MB)"
	@echo "make test-recipes   of these, each recipe on a small network: part of CI (two minutes)"
	@echo "make test-npu    real RKNNLite and librknnrt over the computed NPU: all 68 nets, and 197 of few operators converted anew"
	@echo "make calibrations   virtual boards calibrated whole, 20 seeds for each SoC: a table (ten minutes)"
	@echo "make test-agent-38   the agent's tests on Python 3.8 alone"
	@echo "make check   ruff, mypy --strict, import contracts"
	@echo "make messages  the sentences that are told in other languages: catalogues brought up to date and compiled"
	@echo "make schema  the JSON Schemas of what rkbench writes, made from its dataclasses"
	@echo "make fuzz    100,000 mutated .rknn files read, 30,000 hostile ones shown (long)"
	@echo "make truth   what the statistics claim, against staged truths, 2,000 trials each: a table (half an hour of CPU)"
	@echo "make kills   kill -9 at 226 moments, of client, supervisor, worker and guard, of 20 sweeps, of 20 hosts with a labgrid place, and five times 20 of two hosts and their PostgreSQL: what held (half an hour)"
	@echo "make lies    every value in every field that a board's agent could lie in, and floods (long)"
	@echo "make stores  every command on 3,000 damaged result stores (long)"
	@echo "make stalls  a push through links that stall or break off at 64 points (long)"
	@echo "make scale   bench serve with 100,000 series and 10,000 boards; a store of a million runs, SQLite and PostgreSQL; nights of 50 boards: tables (15 GB of disk, 25 minutes)"
	@echo "make bench-speed   our speed against scp, ssh, rknncli: ratios in one run"

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "python3 -m venv failed; on Debian: apt install python3-venv"; exit 1; }
	@echo "setting up $(VENV) (once; about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/bench demo

# By another name: `make -n` runs every line that holds $$(MAKE).
AGAIN = $(MAKE) --no-print-directory

# The agent's floor: its tests on Python 3.8, part of `make test` where that interpreter is found.
OWN_HOME := $(shell eval echo "~$$(id -un)")
PYTHON38 := $(firstword \
  $(wildcard $(addsuffix /.pyenv/versions/3.8.*/bin/python,$(HOME) $(OWN_HOME))) \
  $(shell command -v python3.8 || command -v /usr/bin/python3.8))
VENV38 := .venv-py38

PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not fuzz and not toolkit"

# Both parts run at once (the first leaves a core idle now and then), and both whatever the other yields.
test: $(STAMP) $(if $(PYTHON38),$(VENV38)/.installed)
	@if [ -n '$(ARGS)' ]; then exec $(PYTEST) $(ARGS); fi; \
	log=$(VENV)/agent-38.log; status=0; \
	$(AGAIN) test-agent-38 WORKERS=1 >$$log 2>&1 & beside=$$!; \
	trap "kill $$beside 2>/dev/null" EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	$(PYTEST) || status=$$?; \
	wait $$beside || status=1; \
	cat $$log; exit $$status

test-agent-38: $(if $(PYTHON38),$(VENV38)/.installed)
ifeq ($(PYTHON38),)
	@echo "no Python 3.8 here: the agent's tests on it are left out"
else
	$(VENV38)/bin/python -m pytest -n $(WORKERS) -q tests/agent
endif

$(VENV38)/.installed: Makefile
	@test -x $(VENV38)/bin/python || $(PYTHON38) -m venv $(VENV38)
	@$(VENV38)/bin/python -m pip install --quiet --disable-pip-version-check \
	  numpy psutil pytest pytest-timeout pytest-xdist hypothesis prometheus-client==0.21.1
	@touch $@

toolkit: $(STAMP)
	$(BIN)/bench toolkit install

test-toolkit: toolkit
	$(BIN)/python -m pytest -m toolkit --timeout 600 tests/toolkit $(ARGS)

# Part of CI: every recipe on small made networks, and a sweep.
test-recipes: toolkit
	$(BIN)/python -m pytest -m toolkit --timeout 400 tests/toolkit/test_toolkit_recipes.py \
	  tests/toolkit/test_toolkit_detector.py tests/toolkit/test_toolkit_sweep.py \
	  tests/toolkit/test_toolkit_night.py $(ARGS)

test-npu: toolkit
	RKBENCH_ALL_NETS=1 $(BIN)/python -m pytest -q --timeout 3600 tests/emulated/test_npu_emulated.py tests/host/npu/test_every_bit.py $(ARGS)
	$(BIN)/python -m pytest -q -m toolkit --timeout 600 tests/toolkit/test_toolkit_operators.py $(ARGS)

calibrations: $(STAMP)
	cd tests/host/campaign && PYTHONPATH=../.. ../../../$(BIN)/python whole_calibrations.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

schema: $(STAMP)
	$(BIN)/python tools/schemas.py

messages: $(STAMP)
	$(BIN)/python tools/messages.py

lies: $(STAMP)
	$(BIN)/python tests/lies.py

stalls: $(STAMP)
	RKBENCH_STALL_POINTS=64 $(BIN)/python -m pytest -q tests/e2e/test_stalls.py -n $(WORKERS)

stores: $(STAMP)
	$(BIN)/python tests/damaged_stores.py

fuzz: $(STAMP)
	$(BIN)/python -m pytest -m fuzz --timeout 0 tests/host

kills: $(STAMP)
	RKBENCH_KILLS=1 $(BIN)/python -m pytest -q --timeout 3600 tests/agent/test_kills.py tests/e2e/test_client_kills.py tests/e2e/test_sweep_kills.py tests/e2e/test_labgrid.py tests/host/store/test_store_kills.py

truth: $(STAMP)
	cd tests/truth && ../../$(BIN)/python .

scale: $(STAMP)
	$(BIN)/python -m benchmarks.many_series
	$(BIN)/python -m benchmarks.million
	$(BIN)/python -m benchmarks.nightly_load 50

bench-speed: $(STAMP)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
