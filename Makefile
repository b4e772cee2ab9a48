# Everything here works on a machine that has Python 3.11 or newer, git and make.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SIMULATED := data/demo_bank/.simulated
CODE := src tests benchmarks notebooks

.DEFAULT_GOAL := help
.PHONY: help demo test spark lab lint bench bench-peers bench-large lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# exact versions with their hashes; then the package itself, for which nothing is fetched
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is not: $$($(PYTHON) --version 2>&1)." \
	    "Name another: make PYTHON=python3.12"; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m ipykernel install --sys-prefix --name python3
	touch $@

$(SIMULATED): | $(INSTALLED)
	$(BIN)/customerlab simulate bank
	touch $@

demo: $(SIMULATED) $(INSTALLED) ## Simulate a bank and make its report
	$(BIN)/customerlab run params/demo_bank.yaml

# tests start hundreds of processes: where Python is told to keep no bytecode, each compiles anew
test: $(INSTALLED) ## Run the tests
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# 430 MB that only those need whose data outgrow one machine; it also asks for Java 17 or newer
spark: $(INSTALLED) ## Install Spark beside the rest
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation \
	  -r requirements-spark.lock

lab: $(INSTALLED) ## Open the notebooks in JupyterLab
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab \
	  --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

lint: $(INSTALLED) ## Check the style of code and notebooks, and that notebooks have no outputs
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check $(wildcard $(CODE))
	$(BIN)/nbstripout --verify --keep-id $(wildcard notebooks/*.ipynb)

# what has a target of its own; the summary would run again what `make bench` runs
ALONE := benchmarks/large.py benchmarks/summary.py
bench: $(INSTALLED) ## Run the benchmarks, which take long
	@for file in $(filter-out $(ALONE),$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

bench-peers: $(INSTALLED) ## Run ours beside all peers at one size, and print one table of ratios
	$(BIN)/python benchmarks/summary.py

bench-large: $(INSTALLED) ## Run every notebook on up to 3.5 million accounts, for hours
	$(BIN)/python benchmarks/large.py

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header
EXTRA := import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
  print(*project["optional-dependencies"]["spark"], sep="\n")

lock: $(INSTALLED) ## Write the locks anew from pyproject.toml; the second is what `make spark` adds
	$(COMPILE) pyproject.toml --extra dev --extra examples --extra uplift -o requirements.lock
	$(BIN)/python -c '$(EXTRA)' | $(COMPILE) -c requirements.lock -o requirements-spark.lock -

# .snakemake stays: it knows with which parameters the reports of other clients were made
clean: ## Remove the environment, caches, the demo bank and its report
	rm -rf .venv .pytest_cache .ruff_cache build dist src/*.egg-info
	rm -rf data/demo_bank reports/demo_bank
	find $(wildcard $(CODE)) -name __pycache__ -prune -exec rm -rf {} +
