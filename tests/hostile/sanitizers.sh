#!/usr/bin/env bash
# Runs the C and C++ tests with a library that is built with AddressSanitizer and LeakSanitizer, and with
# ThreadSanitizer. The dependencies are instrumented too, and for ThreadSanitizer also Rust's standard library.
# The test programs are also built with UndefinedBehaviorSanitizer. The library is built with overflow checks and
# the standard library's checks of unsafe preconditions.
# Usage: sanitizers.sh BUILD_DIR [address] [thread]; from the environment: CC, CXX, BW_SANDBOX.
#
# The stable compiler accepts -Zsanitizer with RUSTC_BOOTSTRAP=1. Code from both compilers calls gcc's runtime
# libraries, which have the same interface. For ThreadSanitizer, the standard library must be built from source,
# which rustup's stable toolchain may lack. Debian's rustc-web contains it, with a compiler of the same version
# (RUST_WITH_SOURCE is the folder of another such compiler).
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
shift
kinds=("${@:-address}")
[ $# -gt 0 ] || kinds=(address thread)
built=$(scripts/target-dir)
sandbox=${BW_SANDBOX:-$built/debug/bw-sandbox}
host=x86_64-unknown-linux-gnu
mkdir -p "$build"

passed=0 failed=0
run() { # name program arguments..
  local name=$1 code=0
  shift
  "$@" >"$build/$name.out" 2>&1 || code=$?
  local line
  line=$(grep -E '[0-9]+ passed, [0-9]+ failed$' "$build/$name.out" | tail -n 1 || true)
  if [ "$code" = 0 ] && [[ $line =~ ([0-9]+)\ passed,\ 0\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    echo "[$name] $line"
  else
    failed=$((failed + 1))
    sed "s/^/[$name] /" "$build/$name.out" | tail -n 60
    echo "sanitizers.sh: $name ended with $code" >&2
  fi
}

# Without calls of the sanitizer's runtime, the library was not instrumented and the tests would prove nothing.
instrumented() { # library prefix
  local symbols count
  symbols=$(nm -D --undefined-only "$1")
  count=$(grep -c " $2" <<<"$symbols" || true)
  echo "$1: $count kinds of calls to $2*"
  [ "$count" -ge 20 ] || { echo "sanitizers.sh: $1 is not instrumented" >&2; exit 1; }
}

library() { # kind, and more arguments for cargo; and environment variables such as RUSTC
  local kind=$1
  shift
  RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-Zsanitizer=$kind -Cunsafe-allow-abi-mismatch=sanitizer -Cforce-frame-pointers=yes" \
    "$@" build --quiet --lib --target "$host" --target-dir "$built/$kind" "${more[@]}"
  libraries=$built/$kind/$host/debug
  ln -sf libbw_webrtc.so "$libraries/libbw_webrtc.so.0"
  link=(-L"$libraries" -lbw_webrtc -Wl,-rpath,"$libraries" -pthread)
}

flags=(-g -O1 -Wall -Wextra -Wpedantic -Werror -Iinclude -Ibindings/c -Itests/c)
compile() { # output flags.. source
  local output=$build/$1
  shift
  "${CC:-cc}" -std=gnu99 "${flags[@]}" "$@" -o "$output" "${link[@]}"
}

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
arguments=(--listen 127.0.0.1:0 --account 9900000 --username user --password secret --endpoint-bxml --quiet)
exec 3< <(exec "$sandbox" "${arguments[@]}")
pids+=($!)
exec 4< <(exec "$sandbox" "${arguments[@]}" --tls --ca-out "$build/ca.pem")
pids+=($!)
read -r plain <&3 && read -r secure <&4 || { echo "sanitizers.sh: no bw-sandbox" >&2; exit 1; }
export BW_SANDBOX=$sandbox
account='"accountId": "9900000", "username": "user", "password": "secret", "timeoutMs": 60000'
plain_config="{$account, \"baseUrl\": \"$plain\"}"
secure_config="{$account, \"baseUrl\": \"$secure\", \"caFile\": \"$build/ca.pem\"}"

for kind in "${kinds[@]}"; do
  more=()
  case $kind in
  address)
    library address "${CARGO:-cargo}"
    instrumented "$libraries/libbw_webrtc.so" __asan_
    sanitize=(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
    # A small quarantine of freed memory, since a test counts pages.
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:quarantine_size_mb=4
    export UBSAN_OPTIONS=print_stacktrace=1
    for program in abi_test live_test; do
      compile "$program-address" "${sanitize[@]}" "tests/c/$program.c"
    done
    compile threads-address "${sanitize[@]}" tests/hostile/c/threads.c
    compile queue-address "${sanitize[@]}" tests/c/hosts/queue.c
    compile example-address "${sanitize[@]}" bindings/c/examples/test_your_program.c
    "${CXX:-c++}" -std=c++11 "${flags[@]}" "${sanitize[@]}" tests/c/live_test.cpp \
      -o "$build/live_test_cpp-address" "${link[@]}"
    run abi-address "$build/abi_test-address" 5000
    run example-address "$build/example-address"
    for program in live_test live_test_cpp; do
      run "$program-http-address" "$build/$program-address" "$plain"
      run "$program-https-address" "$build/$program-address" "$secure" "$build/ca.pem"
    done
    run queue-http-address "$build/queue-address" "$plain_config"
    run threads-http-address "$build/threads-address" "$plain_config" 100
    run threads-https-address "$build/threads-address" "$secure_config" 100
    ;;
  thread)
    with_source=${RUST_WITH_SOURCE:-/usr/bin}
    ls "$("$with_source/rustc" --print sysroot)"/lib/rustlib/src/rust/library/std >/dev/null
    more=(-Zbuild-std)
    RUSTC=$with_source/rustc library thread "$with_source/cargo"
    instrumented "$libraries/libbw_webrtc.so" __tsan_
    export TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1:exitcode=66
    "${CC:-cc}" "${flags[@]}" -fno-builtin -c tests/hostile/c/tsan_names.c -o "$build/tsan_names.o"
    compile threads-thread -fsanitize=thread tests/hostile/c/threads.c "$build/tsan_names.o"
    compile abi_test-thread -fsanitize=thread tests/c/abi_test.c "$build/tsan_names.o"
    run abi-thread "$build/abi_test-thread" 2000
    run threads-http-thread "$build/threads-thread" "$plain_config" 100
    run threads-https-thread "$build/threads-thread" "$secure_config" 100
    ;;
  *)
    echo "sanitizers.sh: no sanitizer $kind" >&2
    exit 1
    ;;
  esac
done

echo "Sanitizers (${kinds[*]}):"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
