# make run            the main job on demo covers; make run COVERS=folder on your own
# make setup          .venv with sleevenotes in it (the others call it by themselves)
# make test           the tests
# make model          the model in the box, from COVERS=folder of its three collections; it takes hours without a GPU
# make check          format, lint, types, docs current: all that CI checks before the tests

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
OUT ?= out/$(if $(COVERS),$(basename $(notdir $(COVERS:%/=%))),demo)

.PHONY: run model setup test check format docs clean

run: setup
	@$(BIN)/sleevenotes run $(if $(COVERS),"$(COVERS)",--demo) -o "$(OUT)"

model: setup
	@$(BIN)/python box/make_model.py "$(COVERS)" -o out/box

setup: .venv/.installed

test: .venv/.installed-dev
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/.installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python docs/make_reference.py --check
	@$(BIN)/python docs/make_backbones.py --check

format: .venv/.installed-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: .venv/.installed-dev
	@$(BIN)/python docs/make_reference.py
	@$(BIN)/python docs/make_backbones.py

clean:
	rm -rf .venv out dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setting up .venv, which takes a minute or two the first time"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setting up .venv for tests, which takes a minute or two the first time"
	@$(PIP) install --constraint constraints.txt --editable ".[dev]"
	@touch .venv/.installed $@
