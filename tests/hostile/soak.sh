#!/usr/bin/env bash
# Builds `soak` with the release build of the library and runs it for MINUTES minutes. A plot of its
# resource use is written to BUILD_DIR/soak.svg. Usage: soak.sh BUILD_DIR MINUTES; from the environment: CC.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
release=$(scripts/target-dir)/release
mkdir -p "$build"
ln -sf libbw_webrtc.so "$release/libbw_webrtc.so.0"
"${CC:-cc}" -std=gnu99 -g -O1 -Wall -Wextra -Wpedantic -Werror -Iinclude -Itests/c \
  tests/hostile/c/soak.c -o "$build/soak" -L"$release" -lbw_webrtc -Wl,-rpath,"$release" -pthread
exec python3 tests/hostile/soak.py "$build" "$2" "$release/bw-sandbox"
