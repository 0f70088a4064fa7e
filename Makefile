# Two commands matter: `make demo` plays a whole opening, `make test` proves the rest. Each installs what it needs.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
TEAM := tests/sessions_shell tests/migrations $(addprefix tests/web/test_,uploads.py api_ceremony.py streams.py identity.py)

.PHONY: demo test test-team test-whole test-slow test-sim test-cuts lint services install lock clean

demo: install
	$(BIN)/kaibiao demo $(ARGS)

test: install services lint
	$(BIN)/pytest -n 2 --dist loadscope -m "not slow"
	@$(MAKE) --no-print-directory test-team

# What touches a store once more as a city keeps it: on PostgreSQL.
test-team: install services
	KAIBIAO_TEST_TEAM=1 $(BIN)/pytest -n 2 --dist loadscope -m "not slow" $(TEAM)

# The two slow ones that the gate waits for: an opening in a real browser, and that nobody opens anything alone.
test-whole: install services
	$(BIN)/pytest -m slow --timeout 400 tests/whole/test_browser_opening.py tests/whole/test_nobody_alone.py

# Whole openings in real time, real browsers, memory searched: each may take minutes on a slow machine.
test-slow: install services
	$(BIN)/pytest -m slow --timeout 400 --ignore tests/sim

# A thousand openings in virtual time, whatever goes wrong in them; the gate plays the first five hundred.
test-sim: install
	$(BIN)/pytest -n 2 --timeout 400 tests/sim

# A thousand connections cut at the COMMIT.
test-cuts: install services
	KAIBIAO_CUTS=1000 $(BIN)/pytest --timeout 900 tests/sessions_shell/test_unknown_outcome.py

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m web.assets --check
	@tests/types

# What the tests use from the system: a browser, its fonts, a second opinion on sealed files. Says what it could not get.
services:
	@tests/services

# The scripts are compared with their sources each time: by content, so a checkout of another commit counts too.
install: .venv/installed
	@$(BIN)/python -m web.assets

.venv/installed: requirements.lock pyproject.toml hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Rewrites requirements.lock: names, versions and hashes only.
lock:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra team --extra media --group dev --group build \
	  --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock

clean:
	rm -rf .venv web/static/js dist
