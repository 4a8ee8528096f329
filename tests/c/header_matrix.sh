#!/usr/bin/env bash
# Compiles each header, included twice, for each supported standard without a warning, with the
# compilers in CC and CXX and with clang, if it is installed.
# Usage: header_matrix.sh [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/c}/headers
mkdir -p "$build"

passed=0 failed=0
compile() { # compiler standard language header
  local source=$build/twice.$3
  printf '#include "%s"\n#include "%s"\nint nothing_;\n' "$4" "$4" >"$source"
  if "$1" -std="$2" -Wall -Wextra -Wpedantic -Werror -Iinclude -Ibindings/c -fsyntax-only "$source"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "header_matrix: $4 as $2 does not compile with $1" >&2
  fi
}

# gcc 12 calls C23 c2x, and C++23 c++2b. Later versions accept these names too.
for pair in "${CC:-cc} ${CXX:-c++}" "clang clang++"; do
  read -r cc cxx <<<"$pair"
  command -v "$cc" "$cxx" >/dev/null || continue
  for header in bw_webrtc.h bw_webrtc_typed.h; do
    for standard in c89 c99 c11 c17 c2x; do compile "$cc" "$standard" c "$header"; done
    for standard in c++98 c++11 c++14 c++17 c++20 c++2b; do compile "$cxx" "$standard" cpp "$header"; done
  done
  for standard in c++11 c++14 c++17 c++20 c++2b; do compile "$cxx" "$standard" cpp bw_webrtc.hpp; done
done

echo "headers: $passed passed, $failed failed"
[ "$failed" = 0 ]
