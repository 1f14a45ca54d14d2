# Two commands set everything up: `make reproduce` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM := false
export PYTHONHASHSEED := 0
# Where neither these nor the system name a home and a user, as in some containers, Snakemake ends with an error.
export HOME ?= /dev/null
export LOGNAME ?= nobody

.PHONY: reproduce smoke test lint bench drill environment

reproduce: environment
	$(BIN)/python -m snakemake --cores $(CORES)

smoke: environment
	$(BIN)/python -m snakemake --cores $(CORES) --configfile config/smoke.yaml

test: environment
	$(BIN)/python -m pytest -n 2

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: environment
	$(BIN)/python benchmarks/step.py
	$(BIN)/python -m pip install --quiet torchopt && $(BIN)/python benchmarks/meta.py
	$(BIN)/python benchmarks/real_sizes.py
	$(BIN)/python benchmarks/overhead.py

# Kills, stops, full disks and folders that may not be written; what a run leaves must not depend on them.
KILLS ?= 8
drill: environment
	$(BIN)/python benchmarks/drill.py --kills $(KILLS)

environment: $(VENV)/made

# A first run installs minutes' worth of packages; the mark is written last, so a broken install is made again.
$(VENV)/made: constraints.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "headstart: Python 3.11 or newer is needed; set PYTHON to one")'
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@
