# The verbs of the project. `make demo` and `make test` do all the set-up there is.
#
#   make demo      build everything, start bw-sandbox; participants and sessions from C, C++, Python
#   make test      all tests: Rust, C and C++, Python
#   make test-hosts  real media servers; says what is missing
#   make test-hostile  sanitizers, fuzzers, failing memory and system calls, the supply chain
#   make soak      minutes of load with faults (MINUTES=5); every call is accounted for
#   make bench     side by side with libcurl, requests, the official SDK and others
#   make gates     system calls and instructions a call, beside libcurl + cJSON
#   make install   headers, libraries, pkg-config and CMake files, bw-sandbox: PREFIX=, DESTDIR=
#   make uninstall take them away
#   make dist      what is shipped, for glibc 2.17 and later: .tar.gz, wheel, Debian packages
#   make test-packaging  install, dist, and programs that use what they made
#   make lint      formatting, warnings, types, the header in step
#   make docs      the documentation as HTML, looked at in a browser
#   make header    bring include/bw_webrtc.h in step with src/ffi, and write the generated code
#   make generated write the methods of the Python and C++ clients, from the table of operations
#   make clean     remove what was built

CARGO ?= cargo
CC ?= cc
CXX ?= c++
PYTHON ?= python3

BUILD := build
# Asked when it is needed: CARGO_TARGET_DIR or cargo's configuration may name another directory.
TARGET_DIR = $(shell CARGO='$(CARGO)' scripts/target-dir)
VENV := $(BUILD)/venv
VENV_PYTHON := $(VENV)/bin/python

# What is shipped: built and linked by the compilers of Zig, so that old machines run it.
MACHINE := $(shell uname -m)
RELEASE_TARGET := $(MACHINE)-unknown-linux-gnu
RELEASE = $(TARGET_DIR)/$(RELEASE_TARGET)/release
OLDEST_GLIBC := 2.17
RELEASE_VENV := $(BUILD)/release-venv
DIST := $(BUILD)/dist

# Where `make install` puts things; DESTDIR goes in front of all, for who makes a package.
DESTDIR ?=
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
# What was built elsewhere (a release build, say) can be installed too: make install RELEASE_DIR=..
RELEASE_DIR ?=
PLACES = CARGO='$(CARGO)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BINDIR='$(BINDIR)' LIBDIR='$(LIBDIR)' \
  INCLUDEDIR='$(INCLUDEDIR)' DATADIR='$(DATADIR)' RELEASE_DIR='$(RELEASE_DIR)'

.PHONY: demo test test-rust test-c test-python test-release test-hosts test-hostile soak gates bench install \
  uninstall release dist test-packaging packaging-tools lint header generated clean tools

# Says in one line what is missing, instead of failing somewhere deep.
tools:
	@for tool in $(CARGO) $(CC) $(CXX) $(PYTHON); do \
	  command -v $$tool >/dev/null || { echo "make: $$tool is needed and was not found" >&2; exit 1; }; \
	done

demo: tools
	$(CARGO) build --release --workspace
	BUILD=$(BUILD) CARGO=$(CARGO) CC=$(CC) CXX=$(CXX) PYTHON=$(PYTHON) scripts/demo

test: tools test-rust test-c test-python test-release

test-rust: tools
	$(CARGO) build --workspace
	$(CARGO) test --workspace

test-c: tools
	$(CARGO) build --workspace
	CC=$(CC) CXX=$(CXX) BW_LIB_DIR=$(TARGET_DIR)/debug BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  tests/c/run.sh $(BUILD)/c

# Side by side with what users would pick instead; writes benches/RESULTS.md.
bench: tools release
	benches/need
	$(CARGO) build --release --workspace
	CARGO=$(CARGO) benches/build.sh $(BUILD)/bench
	$(PYTHON) -m venv $(BUILD)/bench/venv
	$(BUILD)/bench/venv/bin/python -m pip install --quiet --disable-pip-version-check -r benches/requirements.txt
	CARGO=$(CARGO) $(PYTHON) benches/bench.py

# What no noise can move: system calls and instructions of a call, beside libcurl + cJSON; size.
gates: tools
	benches/need
	$(CARGO) build --release --workspace
	CARGO=$(CARGO) benches/build.sh $(BUILD)/bench
	CARGO=$(CARGO) $(PYTHON) benches/gates.py

# In real media servers, which a package manager brings.
test-hosts: tools $(VENV)/ready
	tests/hosts/need
	$(CARGO) build --release --workspace
	BW_WEBRTC_LIBRARY=$(TARGET_DIR)/release/libbw_webrtc.so \
	  BW_SANDBOX=$(TARGET_DIR)/release/bw-sandbox \
	  $(VENV_PYTHON) -m pytest -q -c tests/hosts/pytest.ini tests/hosts

# `sudo make install` installs what was built before: root seldom has a cargo.
install:
	@if [ -z '$(RELEASE_DIR)' ] && command -v $(CARGO) >/dev/null; then \
	  echo $(CARGO) build --release --workspace; $(CARGO) build --release --workspace; fi
	@$(PLACES) packaging/install

uninstall:
	@$(PLACES) packaging/install --uninstall

# cargo-zigbuild finds Zig by way of the first python3 in PATH.
release: tools $(RELEASE_VENV)/ready
	PATH=$(CURDIR)/$(RELEASE_VENV)/bin:$$PATH $(CARGO) zigbuild --release --locked --workspace \
	  --target $(RELEASE_TARGET).$(OLDEST_GLIBC)

dist: release
	RELEASE_DIR=$(RELEASE) DIST=$(CURDIR)/$(DIST) MACHINE=$(MACHINE) \
	  RELEASE_PYTHON=$(CURDIR)/$(RELEASE_VENV)/bin/python packaging/dist

# What was installed and what is shipped, used; the published interface.
test-packaging: packaging-tools $(VENV)/ready dist
	$(CARGO) build --release --workspace
	BW_WEBRTC_LIBRARY=$(RELEASE)/libbw_webrtc.so BW_RELEASE_DIR=$(RELEASE) \
	  BW_DIST=$(CURDIR)/$(DIST) BW_RELEASE_PYTHON=$(CURDIR)/$(RELEASE_VENV)/bin/python \
	  $(VENV_PYTHON) -m pytest -q -c tests/packaging/pytest.ini tests/packaging

packaging-tools:
	packaging/need

$(RELEASE_VENV)/ready: packaging/requirements.txt bindings/python/requirements-dev.txt
	$(PYTHON) -m venv $(RELEASE_VENV)
	$(RELEASE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c bindings/python/requirements-dev.txt -r packaging/requirements.txt hatchling
	@touch $@

# Everything that can go wrong, made to. FUZZ_SECONDS is for each fuzzer.
FUZZ_SECONDS ?= 60
HOSTILE := $(CURDIR)/$(BUILD)/hostile
test-hostile: tools
	tests/hostile/need
	$(CARGO) build --workspace
	$(CARGO) deny --locked check licenses bans sources
	CARGO=$(CARGO) $(PYTHON) tests/hostile/supply.py
	$(CARGO) build --release --workspace
	CC=$(CC) CARGO=$(CARGO) tests/hostile/torture.sh $(HOSTILE)
	CC=$(CC) CXX=$(CXX) CARGO=$(CARGO) tests/hostile/sanitizers.sh $(HOSTILE)
	CARGO=$(CARGO) tests/hostile/fuzz.sh $(HOSTILE)/fuzz $(FUZZ_SECONDS)
	$(CARGO) test --test hostile

MINUTES ?= 5
soak: tools
	$(CARGO) build --release --workspace
	CC=$(CC) CARGO=$(CARGO) tests/hostile/soak.sh $(HOSTILE) $(MINUTES)

# The library as it is shipped.
test-release: tools
	$(CARGO) build --release --workspace
	CC=$(CC) CARGO=$(CARGO) tests/c/release.sh $(BUILD)/c

test-python: tools $(VENV)/ready
	$(CARGO) build --workspace
	BW_WEBRTC_LIBRARY=$(TARGET_DIR)/debug/libbw_webrtc.so \
	  BW_SANDBOX=$(TARGET_DIR)/debug/bw-sandbox \
	  PYTHONPATH=$(CURDIR)/bindings/python/src $(VENV_PYTHON) -m pytest -q tests/python

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
	$(VENV_PYTHON) -m ruff check bindings/python tests benches packaging
	$(VENV_PYTHON) -m ruff format --check bindings/python tests benches packaging
	cd bindings/python && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict hatch_build.py src examples ../../tests/python ../../tests/hosts
	cd bindings/python && MYPYPATH=../../tests/packaging $(CURDIR)/$(VENV_PYTHON) -m mypy --strict ../../tests/packaging ../../packaging/abi ../../packaging/notices.py
	cd benches && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --config-file ../bindings/python/pyproject.toml gates.py bench.py suite
	$(VENV_PYTHON) -m ruff check docs
	$(VENV_PYTHON) -m ruff format --check docs
	cd docs && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --config-file ../bindings/python/pyproject.toml build.py look.py
	cd tests/hostile && $(CURDIR)/$(VENV_PYTHON) -m mypy --strict --config-file ../../bindings/python/pyproject.toml soak.py supply.py

.PHONY: docs
# The book, the references of C, Python and Rust; links, pictures and widths, in headless Chromium.
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
