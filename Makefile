# `make demo` and `make test` do all they need, from creating .venv on; nothing is redone
# when nothing changed. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# The versions that were tested, so that all of this still works in a year; a plain
# `pip install` is free within the bounds of setup.py.
CONSTRAINTS := $(abspath $(wildcard constraints/python$(VERSION).txt))
SOURCES := $(wildcard cc/*.cmake cc/*.h cc/*.cc cc/bindings/*.h cc/bindings/*.cc)

# The second variable constrains what the extension is built with.
PIP := $(if $(CONSTRAINTS),PIP_CONSTRAINT=$(CONSTRAINTS) PIP_BUILD_CONSTRAINT=$(CONSTRAINTS)) \
    $(BIN)/python -m pip

.PHONY: help setup constraints demo test lint types test-cc test-py test-bare test-ray test-reverb \
    results pictures benchmarks sanitize torture soak clean

help: ## Lists the targets.
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/installed ## Creates .venv and installs everything into it.

.venv/installed: setup.py pyproject.toml CMakeLists.txt $(SOURCES) $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else f"Python 3.10 to 3.13 is needed, and {sys.executable} is {v[0]}.{v[1]}; try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet --editable '.[all,dev]'
	$(PIP) show --quiet dm-control 2> /dev/null || $(PIP) install --quiet --no-deps 'dm-control>=1.0.28,<2'
	touch $@

constraints: ## Installs the newest versions afresh and writes them down; run make test then.
	rm -rf .venv
	$(MAKE) setup CONSTRAINTS=
	$(BIN)/python -m pip install --quiet 'scikit-build-core[setuptools]>=1.1,<2' 'setuptools>=77'
	mkdir -p constraints
	{ echo '# The versions that were tested. Written by `make constraints`.'; \
	    $(BIN)/python -m pip freeze --all --exclude-editable; } > constraints/python$(VERSION).txt

demo: setup ## Trains D4PG to balance a pole and draws its learning curve (minutes).
	rm -rf demo
	$(BIN)/tfagents train d4pg control:cartpole:balance --steps 75_000 \
	    --envs-per-actor 4 --eval-every 5_000 --run-dir demo
	$(BIN)/tfagents plot demo --output demo/curves.png

test: lint types test-cc test-py ## Everything that has to pass: what CI runs.
	@grep -ih 'left out' build/cmake.log || true

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

test-cc: setup
	@mkdir -p build
	@$(BIN)/cmake -S . -B build/tests -G Ninja -DCMAKE_BUILD_TYPE=Release \
	    -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) -DTFAGENTS_BUILD_TESTS=ON \
	    -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	    -Dpybind11_DIR=$$($(BIN)/python -m pybind11 --cmakedir) > build/cmake.log \
	    || { cat build/cmake.log; exit 1; }
	$(BIN)/cmake --build build/tests
	$(BIN)/ctest --test-dir build/tests --output-on-failure --no-tests=ignore

# One worker a core, each with one TensorFlow thread: more would spin beside each other.
test-py: setup
	PYTHONSAFEPATH=1 TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal

test-ray: setup ## Tests runs on Ray clusters, after installing Ray.
	$(BIN)/python -m pip install --quiet 'ray>=2.50,<3'
	PYTHONSAFEPATH=1 TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -q tests/distributed/test_ray.py \
	    tests/distributed/test_ray_environments.py

test-bare: setup ## Tests the replay as it is built where there is no LZ4 and no GoogleTest.
	@mkdir -p build
	@$(BIN)/cmake -S . -B build/bare -G Ninja -DCMAKE_BUILD_TYPE=Release \
	    -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) -DTFAGENTS_LZ4=OFF \
	    -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	    -Dpybind11_DIR=$$($(BIN)/python -m pybind11 --cmakedir) > build/bare.log \
	    || { cat build/bare.log; exit 1; }
	$(BIN)/cmake --build build/bare
	rm -rf build/bare/package
	mkdir -p build/bare/package
	cp -RL tfagents_core build/bare/package
	rm -f build/bare/package/tfagents_core/replay/_core.*.so
	cp build/bare/_core.*.so build/bare/package/tfagents_core/replay
	PYTHONSAFEPATH=1 PYTHONPATH=build/bare/package $(BIN)/python -m pytest -q -n auto tests/replay

REVERB := .venv-reverb/bin/python

test-reverb: .venv-reverb/installed ## Tests Reverb as a backend, in an environment of its own.
	PYTHONSAFEPATH=1 TF_NUM_INTRAOP_THREADS=1 $(REVERB) -m pytest -q \
	    tests/distributed/test_reverb.py tests/distributed/test_reverb_refusals.py \
	    tests/distributed/test_item_rows.py

.venv-reverb/installed: setup.py pyproject.toml CMakeLists.txt $(SOURCES)
	@$(PYTHON) -c 'import platform, sys; here = platform.system(), platform.machine(), *sys.version_info[:2]; fits = here[:2] == ("Linux", "x86_64") and here[2:] in ((3, 10), (3, 11)); sys.exit(None if fits else f"dm-reverb is published for Python 3.10 and 3.11 on x86-64 Linux only, and {sys.executable} is Python {here[2]}.{here[3]} on {here[0]} {here[1]}; try make test-reverb PYTHON=python3.11 on such a machine")'
	test -x $(REVERB) || $(PYTHON) -m venv .venv-reverb
	$(REVERB) -m pip install --quiet --upgrade pip
	$(REVERB) -m pip install --quiet --editable '.[reverb,gym]' 'pytest>=8' 'pytest-timeout>=2.3'
	touch $@

results: setup ## Trains every agent to its published bar, several seeds (an hour or two).
	$(BIN)/python -m benchmarks.results

pictures: setup ## Draws every picture of results anew from the data that is committed.
	$(BIN)/python -m benchmarks.pictures

benchmarks: setup ## Measures speed on this machine.
	$(BIN)/python -m benchmarks.training_speed
	$(BIN)/python -m benchmarks.atari_replay

STRESS_SECONDS ?= 60
SOAK_MINUTES ?= 10
THREADS_MINUTES ?= 30
KILLS ?= 200
RUN_KILLS ?= 50

sanitize: setup ## Runs the C++ tests and 8 threads under ASan+UBSan, then TSan (minutes).
	@mkdir -p build
	@set -e; for sanitizer in address,undefined thread; do \
	  echo "-fsanitize=$$sanitizer"; \
	  $(BIN)/cmake -S . -B build/$$sanitizer -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	      -DCMAKE_CXX_FLAGS_RELWITHDEBINFO='-O1 -g' -DTFAGENTS_SANITIZE=$$sanitizer \
	      -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) -DTFAGENTS_BUILD_TESTS=ON \
	      -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	      -Dpybind11_DIR=$$($(BIN)/python -m pybind11 --cmakedir) > build/cmake.log \
	      || { cat build/cmake.log; exit 1; }; \
	  grep -i 'left out' build/cmake.log || true; \
	  $(BIN)/cmake --build build/$$sanitizer --target checks; \
	  test ! -x build/$$sanitizer/replay_test \
	      || build/$$sanitizer/replay_test --gtest_brief=1; \
	  build/$$sanitizer/replay_stress $(STRESS_SECONDS); \
	done

torture: setup ## Kills 200 processes while they save, then four training runs 50 times each.
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/kill.py --kills $(KILLS)
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/kill_writers.py --kills $(KILLS)
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/run_torture.py --kills $(RUN_KILLS)
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/run_torture.py --kills $(RUN_KILLS) \
	    --agent d4pg --environment control:cartpole:swingup
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/run_torture.py --kills $(RUN_KILLS) \
	    --agent sac --environment gym:Pendulum-v1
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/run_torture.py --kills $(RUN_KILLS) --agent ppo

soak: setup ## Mixed work on a replay, then training in threads: memory must stay flat.
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/soak.py --minutes $(SOAK_MINUTES)
	PYTHONSAFEPATH=1 $(BIN)/python tests/stress/soak_threads.py --minutes $(THREADS_MINUTES)

clean: ## Removes what was built, but not your runs.
	rm -rf build .venv .venv-reverb demo *.egg-info
	find . -name '*.so' -not -path './.venv*/*' -delete
