#!/usr/bin/env bash
# Compiles each header for each supported standard, included once and twice, without a warning.
# Usage: header_matrix.sh [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/c}/headers
mkdir -p "$build"

passed=0 failed=0
compile() { # compiler standard language header
  local once twice
  once=$build/once.$3 twice=$build/twice.$3
  printf '#include "%s"\nint nothing_;\n' "$4" >"$once"
  printf '#include "%s"\n#include "%s"\nint nothing_;\n' "$4" "$4" >"$twice"
  for source in "$once" "$twice"; do
    if "$1" -std="$2" -Wall -Wextra -Wpedantic -Werror -Iinclude -Ibindings/c -fsyntax-only "$source"; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "header_matrix: $4 as $2 ($source) does not compile" >&2
    fi
  done
}

# gcc 12 calls C23 c2x, and C++23 c++2b. Later versions accept these names too.
for header in bw_webrtc.h bw_webrtc_typed.h; do
  for standard in c89 c99 c11 c17 c2x; do compile "${CC:-cc}" "$standard" c "$header"; done
  for standard in c++98 c++11 c++14 c++17 c++20 c++2b; do
    compile "${CXX:-c++}" "$standard" cpp "$header"
  done
done
for standard in c++11 c++14 c++17 c++20 c++2b; do
  compile "${CXX:-c++}" "$standard" cpp bw_webrtc.hpp
done

echo "headers: $passed passed, $failed failed"
[ "$failed" = 0 ]
