#!/usr/bin/env bash
# Builds the C and C++ tests, and runs them against bw-sandbox over http and https, also under valgrind.
# Usage: run.sh [BUILD_DIR]. Environment: CC, CXX, BW_LIB_DIR, BW_SANDBOX, and VALGRIND=require to fail
# if valgrind is not installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/c}
libraries=${BW_LIB_DIR:-$(scripts/target-dir)/debug}
sandbox=${BW_SANDBOX:-$(scripts/target-dir)/debug/bw-sandbox}
mkdir -p "$build"
rm -f "$build"/*.code

passed=0 failed=0 failures=()
count() { # adds the last line of a program's output, "N passed, N failed", to the totals
  local line
  line=$(tail -n 1 "$1")
  if [[ $line =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    echo "run.sh: $1 does not end with a summary" >&2
    failed=$((failed + 1))
  fi
}
execute() { # name program arguments..
  local name=$1 code=0
  shift
  "$@" >"$build/$name.out" 2>&1 || code=$?
  echo "$code" >"$build/$name.code"
}
report() { # name
  local name=$1 code
  code=$(cat "$build/$name.code")
  sed "s/^/[$name] /" "$build/$name.out" | tail -n 40
  count "$build/$name.out"
  [ "$code" = 0 ] || failures+=("$name")
  # Other exit statuses than 0 and 1 are crashes, or leaks that valgrind has found.
  if [ "$code" -gt 1 ]; then
    echo "run.sh: $name exited with status $code" >&2
    failed=$((failed + 1))
  fi
}
run() { # name program arguments..
  execute "$@"
  report "$1"
}

ln -sf libbw_webrtc.so "$libraries/libbw_webrtc.so.0"
flags=(-g -Wall -Wextra -Wpedantic -Wsequence-point -Werror -Iinclude -Ibindings/c -Itests/c)
link=(-L"$libraries" -lbw_webrtc -Wl,-rpath,"$libraries" -pthread)
for program in abi_test live_test typed_test calls; do
  "${CC:-cc}" -std=gnu99 "${flags[@]}" "tests/c/$program.c" -o "$build/$program" "${link[@]}"
done
"${CC:-cc}" -std=gnu99 "${flags[@]}" bindings/c/examples/test_your_program.c \
  -o "$build/test_your_program" "${link[@]}"
"${CXX:-c++}" -std=c++11 "${flags[@]}" tests/c/live_test.cpp -o "$build/live_test_cpp" "${link[@]}"
for standard in 11 17; do
  "${CXX:-c++}" -std=c++$standard "${flags[@]}" tests/c/pages_test.cpp -o "$build/pages_test_$standard" \
    "${link[@]}"
done
for program in conference conference_typed; do
  "${CC:-cc}" -std=gnu99 "${flags[@]}" "tests/newcomer/c/$program.c" -o "$build/$program" "${link[@]}"
done
"${CXX:-c++}" -std=c++17 "${flags[@]}" tests/newcomer/cpp/webinar.cpp -o "$build/webinar" "${link[@]}"
"${CXX:-c++}" -std=c++11 "${flags[@]}" -DMIXED_PART -c tests/c/mixed_test.cpp -o "$build/mixed_part.o"
"${CXX:-c++}" -std=c++17 "${flags[@]}" tests/c/mixed_test.cpp "$build/mixed_part.o" \
  -o "$build/mixed_test" "${link[@]}"
"${CXX:-c++}" -std=c++11 -fno-rtti "${flags[@]}" -c tests/c/live_test.cpp -o "$build/no_rtti.o"
# With the static library, the program needs no shared library of this project.
"${CC:-cc}" -std=gnu99 "${flags[@]}" tests/c/live_test.c -o "$build/live_test_static" \
  "$libraries/libbw_webrtc.a" -lpthread -ldl -lm

# Examples and tests compile without a warning, with gcc and with clang.
for pair in "${CC:-cc} ${CXX:-c++}" "clang clang++"; do
  read -r cc cxx <<<"$pair"
  if ! command -v "$cc" "$cxx" >/dev/null; then
    echo "run.sh: $cc and $cxx were not found (Debian: apt-get install clang)"
    continue
  fi
  for source in bindings/c/examples/*.c tests/c/*.c bindings/cpp/examples/*.cpp tests/c/*.cpp \
    tests/newcomer/*/*.c*; do
    case $source in
      # Below.
      */asio_awaitable.cpp | */nlohmann_test.cpp) continue ;;
      *.c) compiler=("$cc" -std=gnu99) ;;
      tests/newcomer/*) compiler=("$cxx" -std=c++17) ;;
      *) compiler=("$cxx" -std=c++11) ;;
    esac
    if "${compiler[@]}" "${flags[@]}" -fsyntax-only "$source"; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "run.sh: $source does not compile with $cc" >&2
    fi
  done
done
# Programs that need a library from Debian. They are required if valgrind is required, as in CI.
with_library() { # header package source standard program
  if echo "#include <$1>" | "${CXX:-c++}" -std=c++20 -E -x c++ - >/dev/null 2>&1; then
    "${CXX:-c++}" -std="$4" "${flags[@]}" "$3" -o "$build/$5" "${link[@]}"
  elif [ "${VALGRIND:-}" = require ]; then
    echo "run.sh: $1 is required but was not found (Debian: apt-get install $2)" >&2
    failed=$((failed + 1))
  else
    echo "run.sh: $1 was not found, so $3 was not tested (Debian: apt-get install $2)"
  fi
}
rm -f "$build"/nlohmann_test_* "$build/asio_awaitable"
for standard in 11 17; do
  with_library nlohmann/json.hpp nlohmann-json3-dev tests/c/nlohmann_test.cpp c++$standard "nlohmann_test_$standard"
done
with_library asio.hpp libasio-dev bindings/cpp/examples/asio_awaitable.cpp c++20 asio_awaitable
# The code on the page about asio is that of the program, which is compiled above and run below.
if "${PYTHON:-python3}" - docs/asio.md bindings/cpp/examples/asio_awaitable.cpp <<'END'
import re, sys
page, program = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
blocks = re.findall(r"```cpp\n(.*?)```", page, re.DOTALL)
sys.exit(not (blocks and all(" ".join(b.split()) in " ".join(program.split()) for b in blocks)))
END
then
  passed=$((passed + 1))
else
  failed=$((failed + 1))
  echo "run.sh: docs/asio.md differs from asio_awaitable.cpp" >&2
fi
"${PYTHON:-python3}" tests/c/evaluation_order.py >"$build/order.out" || cat "$build/order.out" >&2
count "$build/order.out"

# Each sandbox prints its URL to a pipe when it is ready.
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
arguments=(--listen 127.0.0.1:0 --account 9900000 --client-id client --client-secret client-secret
  --username user --password secret --endpoint-bxml --quiet)
exec 3< <(exec "$sandbox" "${arguments[@]}")
pids+=($!)
exec 4< <(exec "$sandbox" "${arguments[@]}" --tls --ca-out "$build/ca.pem")
pids+=($!)
read -r plain <&3 && read -r secure <&4 || { echo "run.sh: bw-sandbox did not start" >&2; exit 1; }

bash tests/c/header_matrix.sh "$build" >"$build/headers.out" || true
count "$build/headers.out"
run abi "$build/abi_test" 20000
run mixed "$build/mixed_test"
for standard in 11 17; do run "pages-c++$standard" "$build/pages_test_$standard"; done
export BW_SANDBOX=$sandbox
run test_your_program "$build/test_your_program"
newcomer=("${PYTHON:-python3}" tests/newcomer/check.py "$build" "$plain")
run newcomer "${newcomer[@]}"
for language in live_test typed_test live_test_cpp live_test_static; do
  run "$language-http" "$build/$language" "$plain"
  run "$language-https" "$build/$language" "$secure" "$build/ca.pem"
done

for program in "$build"/nlohmann_test_*; do
  if [ -x "$program" ]; then run "${program##*/}" "$program"; fi
done
if [ -x "$build/asio_awaitable" ]; then
  # Both coroutines wait at the same time, and each prints its session.
  BW_ACCOUNT_ID=9900000 BW_CLIENT_ID=client BW_CLIENT_SECRET=client-secret BW_BASE_URL=$plain \
    BW_TOKEN_URL=${plain%/v1}/api/v1/oauth2/token "$build/asio_awaitable" >"$build/asio.out" || true
  if [ "$(cut -d: -f2 "$build/asio.out" | sort | xargs)" = "first second" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "run.sh: asio_awaitable printed: $(cat "$build/asio.out")" >&2
  fi
fi

# The program in the header's first comment exits with 0 only if it has created a participant.
awk '/^ \*     #include <stdio.h>/ { found = 1 } found { sub(/^ \*/, ""); print }
  found && /^     }$/ { exit }' include/bw_webrtc.h >"$build/header_program.c"
"${CC:-cc}" -std=c89 "${flags[@]}" "$build/header_program.c" -o "$build/header_program" "${link[@]}"
header_program() { # client secret, expected status
  local code=0
  BW_ACCOUNT_ID=9900000 BW_CLIENT_ID=client BW_CLIENT_SECRET=$1 BW_BASE_URL=$plain \
    BW_TOKEN_URL=${plain%/v1}/api/v1/oauth2/token "$build/header_program" || code=$?
  if [ "$code" = "$2" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "run.sh: the header's program exited with $code instead of $2" >&2
  fi
}
header_program client-secret 0
header_program wrong 1 2>/dev/null

if command -v valgrind >/dev/null; then
  memcheck=(valgrind --quiet --error-exitcode=99 --leak-check=full
    --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible)
  # Two groups at the same time, because these are the slowest tests.
  (
    execute pages-valgrind "${memcheck[@]}" "$build/pages_test_11"
    execute test_your_program-valgrind "${memcheck[@]}" "$build/test_your_program"
    execute newcomer-valgrind "${newcomer[@]}" "${memcheck[@]}"
    for language in live_test typed_test live_test_cpp; do
      execute "$language-http-valgrind" "${memcheck[@]}" "$build/$language" "$plain"
    done
  ) &
  # valgrind delays the reuse of freed memory. Limit this, because the test measures memory.
  execute abi-valgrind "${memcheck[@]}" --freelist-vol=500000 "$build/abi_test" 2000
  for language in live_test typed_test live_test_cpp; do
    # valgrind does not see which bytes ring's assembly code initializes. Leaks are still reported.
    execute "$language-https-valgrind" "${memcheck[@]}" --undef-value-errors=no \
      "$build/$language" "$secure" "$build/ca.pem"
  done
  wait $!
  for name in abi pages test_your_program newcomer {live_test,typed_test,live_test_cpp}-http{,s}; do
    report "$name-valgrind"
  done
elif [ "${VALGRIND:-}" = require ]; then
  echo "run.sh: valgrind is required but was not found" >&2
  failed=$((failed + 1))
else
  echo "run.sh: valgrind was not found, so leaks were not tested (Debian: apt-get install valgrind)"
fi

# The end of the log shows why a program failed. A report of valgrind follows the reason of a crash.
for name in "${failures[@]}"; do
  echo "run.sh: the output of $name:"
  awk -v name="$name" '{ line[NR] = "[" name "] " $0 }
    END { for (i = 1; i <= NR; i++) if (i <= 20 || i > NR - 40) print line[i] }' "$build/$name.out"
done
echo "C and C++:"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
