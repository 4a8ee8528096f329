#!/usr/bin/env bash
# Line coverage of the library by the Rust tests, for each file. Run by hand: it takes ten minutes on two
# cores, and needs cargo-llvm-cov (cargo install --locked cargo-llvm-cov) and the compiler's own llvm-cov (rustup
# component add llvm-tools) or another, named in LLVM_COV and LLVM_PROFDATA. Usage: coverage.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "$0")/../.."
CARGO_TARGET_DIR=$(mkdir -p "$1" && cd "$1" && pwd)
export CARGO_TARGET_DIR

# In the environment, so that the tests build bw-sandbox where they look for it.
variables=$(cargo llvm-cov show-env --sh)
eval "$variables"
cargo llvm-cov clean --workspace
cargo test --quiet --package bw-webrtc --lib --tests
cargo llvm-cov report --ignore-filename-regex '/(sandbox|model|tests|fuzz)/'
