# The commands of the project. `make demo` and `make test` need no other setup.
#
#   make help      print this list
#   make demo      build everything and start bw-sandbox; create participants from C, C++ and Python
#   make demo-devices  start bw-sandbox with devices, and print links with which two participants join;
#                  with BW_HEADLESS=1, they join in headless Chromium, and the demo prints what they hear
#   make test      all tests: Rust, C and C++, Python, side by side
#   make test-page  tests of bw-sandbox's live page in headless Chromium
#   make device-sdk  bundle the official device SDK, which bw-sandbox embeds if BW_DEVICE_SDK names it
#   make test-devices  devices of bw-sandbox: the official browser SDK in headless Chromium
#   make test-hosts  tests in real media servers; reports what is not installed
#   make test-hostile  sanitizers, fuzzers, failing allocations and system calls, supply chain checks
#   make soak      several minutes of load with faults (MINUTES=5), in which every call is accounted for
#   make bench     comparison with libcurl, requests, the official SDK and others
#   make gates     system calls and instructions of a call, compared with libcurl + cJSON
#   make install   headers, libraries, pkg-config and CMake files, bw-sandbox: PREFIX=, DESTDIR=
#   make uninstall  remove what `make install` installed
#   make dist      release archives for glibc 2.17 and later: .tar.gz, wheels, Debian packages; with
#                  TARGET=aarch64-unknown-linux-gnu, for another target of packaging/targets
#   make dist-all  release archives for all targets: x86-64 and aarch64, glibc and musl
#   make test-packaging  run install and dist, and test programs that use the result
#   make check-systems  link for macOS and FreeBSD, and run C programs for 32-bit Linux
#   make test-recipes  build the packages of packaging/recipes, and test programs that use them
#   make test-ports  run dist-all, and run the tests for each target, in QEMU and in Alpine Linux
#   make lint      formatting, compiler warnings, types, the generated files
#   make docs      the documentation as HTML, checked in a browser
#   make header    regenerate include/bw_webrtc.h from src/ffi, and the generated code
#   make generated  regenerate the methods of the Python and C++ clients from the table of operations
#   make clean     remove everything that was built

CARGO ?= cargo
CC ?= cc
CXX ?= c++
PYTHON ?= python3

BUILD := build
# Evaluated on use: CARGO_TARGET_DIR or cargo's configuration may name another directory.
TARGET_DIR = $(shell CARGO='$(CARGO)' scripts/target-dir)
# With the features that the tests need: otherwise cargo compiles some dependencies twice.
CARGO_BUILD_DEBUG = $(CARGO) build --workspace --all-targets
VENV := $(BUILD)/venv
DEVICE_SDK := $(CURDIR)/$(BUILD)/device-sdk
VENV_PYTHON := $(VENV)/bin/python
SDK_VENV := $(BUILD)/sdk-venv
# The npm packages of the tests in a browser.
NPM := $(CURDIR)/$(BUILD)/npm

# Releases are compiled and linked with Zig, so that they run on old systems.
MACHINE := $(shell uname -m)
TARGET ?= $(MACHINE)-unknown-linux-gnu
TARGETS := $(shell cat packaging/targets)
RELEASE = $(TARGET_DIR)/$(TARGET)/release
RELEASE_VENV := $(BUILD)/release-venv
RECIPES_VENV := $(BUILD)/recipes-venv
DIST := $(BUILD)/dist

# The directories of `make install`. DESTDIR is put before each of them, for packaging.
DESTDIR ?=
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
# To install a build from another directory, such as a release: make install RELEASE_DIR=..
RELEASE_DIR ?=
PLACES = CARGO='$(CARGO)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BINDIR='$(BINDIR)' LIBDIR='$(LIBDIR)' \
  INCLUDEDIR='$(INCLUDEDIR)' DATADIR='$(DATADIR)' RELEASE_DIR='$(RELEASE_DIR)'

.DEFAULT_GOAL := help
.PHONY: help demo demo-devices test build-tests test-rust test-c test-python test-sdk test-page test-page-media test-devices device-sdk test-release test-hosts test-hostile soak \
  gates bench install uninstall release dist dist-all test-packaging test-recipes test-ports packaging-tools check-systems \
  lint header generated clean tools

# Reports a missing tool in one line.
tools:
	@for tool in $(CARGO) $(CC) $(CXX) $(PYTHON); do \
	  command -v $$tool >/dev/null || { echo "make: $$tool is needed and was not found" >&2; exit 1; }; \
	done

demo: tools
	$(CARGO) build --release --workspace
	BUILD=$(BUILD) CARGO=$(CARGO) CC=$(CC) CXX=$(CXX) PYTHON=$(PYTHON) scripts/demo

# With the media engine, which `make demo` does not need, and which takes minutes to compile.
demo-devices: tools $(NPM)/ready $(DEVICE_SDK)/device-sdk.js
	BW_DEVICE_SDK=$(DEVICE_SDK) $(CARGO) build --release --workspace --features bw-sandbox/media
	BW_NPM=$(NPM) BW_DEVICE_SDK=$(DEVICE_SDK) BUILD=$(BUILD) CARGO=$(CARGO) CC=$(CC) PYTHON=$(PYTHON) \
	  scripts/demo-devices

help:
	@sed -n '/^#   /s/^# //p' Makefile

# Everything is built first, because compilers would disturb tests that measure times.
test: tools build-tests $(VENV)/ready $(SDK_VENV)/ready
	scripts/side-by-side $(BUILD)/test test-rust 'test-c test-release' 'test-python test-sdk'

build-tests: tools
	$(CARGO_BUILD_DEBUG)
	$(CARGO) build --release --workspace

test-rust: tools
	$(CARGO_BUILD_DEBUG)
	BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox $(CARGO) test --workspace --no-fail-fast

test-c: tools
	$(CARGO_BUILD_DEBUG)
	CC=$(CC) CXX=$(CXX) BW_LIB_DIR=$(TARGET_DIR)/debug BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  tests/c/run.sh $(BUILD)/c

# Compares with what users would use instead; writes benches/RESULTS.md.
bench: tools release
	benches/need
	$(CARGO) build --release --workspace
	CARGO=$(CARGO) benches/build.sh $(BUILD)/bench
	$(PYTHON) -m venv $(BUILD)/bench/venv
	$(BUILD)/bench/venv/bin/python -m pip install --quiet --disable-pip-version-check -r benches/requirements.txt
	CARGO=$(CARGO) $(PYTHON) benches/bench.py

# Measurements without noise: system calls and instructions of a call, compared with libcurl + cJSON;
# size.
gates: tools
	benches/need
	$(CARGO) build --release --workspace
	CARGO=$(CARGO) benches/build.sh $(BUILD)/bench
	CARGO=$(CARGO) $(PYTHON) benches/gates.py

# Tests in real media servers, which are installed by the package manager.
test-hosts: tools $(VENV)/ready
	tests/hosts/need
	$(CARGO) build --release --workspace
	BW_WEBRTC_LIBRARY=$(TARGET_DIR)/release/libbw_webrtc.so \
	  BW_SANDBOX=$(TARGET_DIR)/release/bw-sandbox \
	  $(VENV_PYTHON) -m pytest -q -c tests/hosts/pytest.ini tests/hosts

# `sudo make install` installs an earlier build, because root rarely has cargo.
install:
	@if [ -z '$(RELEASE_DIR)' ] && command -v $(CARGO) >/dev/null; then \
	  echo $(CARGO) build --release --workspace; $(CARGO) build --release --workspace; fi
	@$(PLACES) packaging/install

uninstall:
	@$(PLACES) packaging/install --uninstall

# cargo-zigbuild looks for Zig in the first python3 in PATH.
release: tools $(RELEASE_VENV)/ready
	PATH=$(CURDIR)/$(RELEASE_VENV)/bin:$$PATH CARGO=$(CARGO) packaging/release $(TARGET)

dist: release
	RELEASE_DIR=$(RELEASE) TARGET=$(TARGET) DIST=$(CURDIR)/$(DIST) \
	  RELEASE_PYTHON=$(CURDIR)/$(RELEASE_VENV)/bin/python packaging/dist

# One after another: cargo uses all processors for each.
dist-all: tools
	@packaging/need $(TARGETS)
	set -e; for target in $(TARGETS); do $(MAKE) dist TARGET=$$target; done

# Tests of the installation, of the release archives and of the published ABI.
test-packaging: packaging-tools $(VENV)/ready $(RECIPES_VENV)/ready dist
	$(CARGO) build --release --workspace
	BW_WEBRTC_LIBRARY=$(RELEASE)/libbw_webrtc.so BW_RELEASE_DIR=$(RELEASE) \
	  BW_TARGETS=$(TARGET) BW_DIST=$(CURDIR)/$(DIST) BW_RELEASE_PYTHON=$(CURDIR)/$(RELEASE_VENV)/bin/python \
	  $(VENV_PYTHON) -m pytest -q -c tests/packaging/pytest.ini tests/packaging

# The recipes alone. They package the machine's own release build.
test-recipes: tools $(VENV)/ready $(RECIPES_VENV)/ready
	packaging/recipes/need
	$(CARGO) build --release --workspace
	BW_WEBRTC_LIBRARY=$(TARGET_DIR)/release/libbw_webrtc.so BW_RELEASE_DIR=$(TARGET_DIR)/release \
	  BW_TARGETS=$(TARGET) BW_DIST=$(CURDIR)/$(DIST) BW_RELEASE_PYTHON=$(VENV_PYTHON) \
	  $(VENV_PYTHON) -m pytest -q -c tests/packaging/pytest.ini tests/packaging/test_recipes.py

# The shipped files of each target, and programs with them on its system.
PORTS_TEST = BW_PORTS=$(CURDIR)/$(BUILD)/ports BW_RELEASE_DIR=$(RELEASE) BW_DIST=$(CURDIR)/$(DIST) \
  BW_RELEASE_PYTHON=$(CURDIR)/$(RELEASE_VENV)/bin/python $(VENV_PYTHON) -m pytest -q
# The tests for another processor start first, because they take longer.
TEST_PORTS := $(addprefix test-port-,$(filter-out $(MACHINE)-%,$(TARGETS)) $(filter $(MACHINE)-%,$(TARGETS)))
test-ports: tools $(VENV)/ready dist-all
	tests/ports/need $(TARGETS)
	BW_TARGETS='$(TARGETS)' $(PORTS_TEST) -c tests/packaging/pytest.ini tests/packaging/test_files.py
	$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync $(TEST_PORTS)

.PHONY: $(TEST_PORTS)
$(TEST_PORTS): test-port-%:
	BW_TARGETS='$*' $(PORTS_TEST) -c tests/ports/pytest.ini tests/ports

packaging-tools:
	packaging/need
	packaging/recipes/need

$(RECIPES_VENV)/ready: packaging/recipes/requirements.txt
	$(PYTHON) -m venv $(RECIPES_VENV)
	$(RECIPES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(RELEASE_VENV)/ready: packaging/requirements.txt bindings/python/requirements-dev.txt
	$(PYTHON) -m venv $(RELEASE_VENV)
	$(RELEASE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c bindings/python/requirements-dev.txt -r packaging/requirements.txt hatchling
	@touch $@

# Systems on which only parts of the tests run. cargo-zigbuild looks for Zig in the first python3 in PATH.
check-systems: tools $(RELEASE_VENV)/ready
	$(CARGO_BUILD_DEBUG)
	PATH=$(CURDIR)/$(RELEASE_VENV)/bin:$$PATH BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox scripts/check-systems

# Simulates failures of every kind. FUZZ_SECONDS applies to each fuzzer.
FUZZ_SECONDS ?= 60
HOSTILE := $(CURDIR)/$(BUILD)/hostile
test-hostile: tools
	tests/hostile/need
	$(CARGO_BUILD_DEBUG)
	$(CARGO) deny --locked --all-features check licenses bans sources
	CARGO=$(CARGO) $(PYTHON) tests/hostile/supply.py
	$(CARGO) build --release --workspace
	CC=$(CC) CARGO=$(CARGO) tests/hostile/torture.sh $(HOSTILE)
	CC=$(CC) CXX=$(CXX) CARGO=$(CARGO) tests/hostile/sanitizers.sh $(HOSTILE)
	CARGO=$(CARGO) tests/hostile/fuzz.sh $(HOSTILE)/fuzz $(FUZZ_SECONDS)
	BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox $(CARGO) test --workspace --test hostile

MINUTES ?= 5
soak: tools
	$(CARGO) build --release --workspace
	CC=$(CC) CARGO=$(CARGO) tests/hostile/soak.sh $(HOSTILE) $(MINUTES)

# Tests of the release build.
test-release: tools
	$(CARGO) build --release --workspace
	CC=$(CC) CARGO=$(CARGO) tests/c/release.sh $(BUILD)/c

test-python: tools $(VENV)/ready
	tests/python/need
	$(CARGO_BUILD_DEBUG)
	BW_WEBRTC_LIBRARY=$(TARGET_DIR)/debug/libbw_webrtc.so \
	  BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  PYTHONPATH=$(CURDIR)/bindings/python/src $(VENV_PYTHON) -m pytest -q tests/python
	BW_WEBRTC_LIBRARY=$(TARGET_DIR)/debug/libbw_webrtc.so \
	  BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  PYTHONPATH=$(CURDIR)/bindings/python/src $(VENV_PYTHON) -m pytest -q tests/newcomer/python

# Bandwidth's official SDK, as a client of bw-sandbox.
test-sdk: tools $(SDK_VENV)/ready
	$(CARGO_BUILD_DEBUG)
	BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  $(SDK_VENV)/bin/python -m pytest -q -c tests/sdk/pytest.ini tests/sdk

# bw-sandbox's live page, in a real browser. Its screenshots are in build/page.
PAGE_TEST = cd $(NPM) && BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox BW_DEVICE_SDK=$(DEVICE_SDK) \
  BW_PAGE_OUT=$(CURDIR)/$(BUILD)/page node --test --test-reporter=spec
test-page: tools $(NPM)/ready $(DEVICE_SDK)/device-sdk.js
	$(CARGO) build --package bw-sandbox
	cp tests/page/*.js $(NPM)
	$(PAGE_TEST) page.test.js
	$(PAGE_TEST) join.test.js

# The page that joins, with media: bw-sandbox with devices and the SDK.
test-page-media: tools $(NPM)/ready $(DEVICE_SDK)/device-sdk.js
	BW_DEVICE_SDK=$(DEVICE_SDK) $(CARGO) build --package bw-sandbox --features media-tests
	cp tests/page/*.js $(NPM)
	$(PAGE_TEST) media.test.js

$(NPM)/ready: tests/page/package.json tests/page/package-lock.json
	tests/page/need
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

device-sdk: $(DEVICE_SDK)/device-sdk.js

$(DEVICE_SDK)/device-sdk.js: $(wildcard sandbox/page/sdk/*)
	tests/page/need
	mkdir -p $(BUILD)/device-sdk-npm
	cp $^ $(BUILD)/device-sdk-npm
	cd $(BUILD)/device-sdk-npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cd $(BUILD)/device-sdk-npm && node bundle.js $(@D)

# The official browser SDK, as a device of bw-sandbox. The tests of hostile input open 1000 connections.
test-devices: tools $(NPM)/ready $(DEVICE_SDK)/device-sdk.js
	BW_DEVICE_SDK=$(DEVICE_SDK) $(CARGO) clippy --package bw-sandbox --features media-tests --all-targets -- -D warnings
	BW_DEVICE_SDK=$(DEVICE_SDK) $(CARGO) build --package bw-sandbox --features media-tests --all-targets
	ulimit -n 4096 && BW_DEVICE_SDK=$(DEVICE_SDK) $(CARGO) test --package bw-sandbox --features media-tests \
	  --bin bw-sandbox --test devices --test capacity -- --nocapture --test-threads 1
	BW_NPM=$(NPM) BW_DEVICE_SDK=$(DEVICE_SDK) BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  node --test --test-reporter=spec tests/devices/devices.test.mjs

$(SDK_VENV)/ready: tests/sdk/requirements.txt
	$(PYTHON) -m venv $(SDK_VENV)
	$(SDK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/ready: bindings/python/requirements-dev.txt
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: python3's venv module is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lint: tools $(VENV)/ready
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --document-private-items --package bw-webrtc
	scripts/header --check
	$(CARGO) test --quiet --package bw-codegen
	CC=$(CC) $(PYTHON) packaging/abi/abi.py check
	CARGO=$(CARGO) $(PYTHON) packaging/notices.py --check
	scripts/check-msrv
	CC=$(CC) CXX=$(CXX) tests/c/header_matrix.sh $(BUILD)/c
	$(VENV_PYTHON) -m ruff check bindings/python bindings/python-sandbox tests benches packaging
	$(VENV_PYTHON) -m ruff format --check bindings/python bindings/python-sandbox tests benches packaging
	cd bindings/python && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict hatch_build.py src examples ../python-sandbox/src ../../tests/python ../../tests/hosts
	cd bindings/python && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict ../../tests/newcomer/check.py ../../tests/newcomer/python/waiting_room.py
	cd bindings/python && MYPYPATH=../../tests/packaging $(CURDIR)/$(VENV_PYTHON) -m mypy --strict ../../tests/packaging ../../packaging/abi ../../packaging/notices.py
	cd bindings/python && MYPYPATH=../../tests/packaging:../../tests/ports $(CURDIR)/$(VENV_PYTHON) -m mypy --strict ../../tests/ports
	cd benches && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --config-file ../bindings/python/pyproject.toml gates.py bench.py suite
	scripts/check-words
	$(VENV_PYTHON) -m ruff check scripts/check-words scripts/check-systems
	$(VENV_PYTHON) -m ruff format --check scripts/check-words scripts/check-systems
	cd scripts && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --scripts-are-modules --config-file ../bindings/python/pyproject.toml check-words check-systems
	$(VENV_PYTHON) -m ruff check docs
	$(VENV_PYTHON) -m ruff format --check docs
	cd docs && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --config-file ../bindings/python/pyproject.toml build.py look.py
	cd tests/hostile && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --config-file ../../bindings/python/pyproject.toml soak.py supply.py

.PHONY: docs
# The guide and the references of C, Python and Rust. Links, images and widths are checked in headless
# Chromium.
docs: tools $(VENV)/docs-ready
	docs/need
	CARGO=$(CARGO) $(VENV_PYTHON) docs/build.py $(BUILD)/docs
	$(VENV_PYTHON) docs/look.py $(BUILD)/docs/html

$(VENV)/docs-ready: docs/requirements.txt $(VENV)/ready
	$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

header: generated
	scripts/header

# The methods of the Python and C++ clients, from the table of operations and codegen/operations.toml.
generated:
	BW_GENERATE=1 $(CARGO) test --quiet --package bw-codegen

clean:
	$(CARGO) clean
	rm -rf $(BUILD)
