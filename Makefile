# make demo and make test work on a fresh clone: Python 3.11 to 3.13, make and the package registries are enough.
.DEFAULT_GOAL := help
.PHONY: help bootstrap kernels demo test lint up down status env clean
# Every process writes and uses bytecode: a task's imports cost 2.5 s with it, 7.8 s without.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
# Tests keep their own, which `make clean` removes.
test: export S4C_KERNEL_CACHE ?= $(CURDIR)/.local/kernels
# Arguments for pytest, such as PYTEST_ARGS="tests/catalog -x"
PYTEST_ARGS ?=

help: ## show this text
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile

bootstrap: ## install the locked environment into .venv (the others call it)
	@deploy/bootstrap.sh

kernels: bootstrap ## compile the numeric loops for this machine, once (the others call it)
	@.venv/bin/s4c kernels compile >/dev/null

# Recipes are single commands without a shell between: a signal to make reaches the program that stops everything.
demo: kernels ## a season from its first image to the parcels, on a system of its own or the running one
	@$(PYTHON) -m deploy.local_stack run -- .venv/bin/s4c demo

test: kernels ## all checks: ruff, mypy, import contracts, every test
	@$(PYTHON) -m deploy.local_stack.gates test $(PYTEST_ARGS)

lint: bootstrap ## the checks without the tests
	@$(PYTHON) -m deploy.local_stack.gates lint

up: kernels ## start PostgreSQL and Airflow on this machine; they stay
	@$(PYTHON) -m deploy.local_stack up

down: bootstrap ## stop them
	@$(PYTHON) -m deploy.local_stack down

status: bootstrap ## say what runs
	@$(PYTHON) -m deploy.local_stack status

env: bootstrap ## print export lines, for a shell that uses s4c and airflow by hand
	@$(PYTHON) -m deploy.local_stack env

clean: bootstrap ## stop, and delete the local databases, logs, keys and caches
	@$(PYTHON) -m deploy.local_stack clean
	@rm -rf .local/demo .local/kernels .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
