#!/usr/bin/env bash
# Builds the fuzzers (libFuzzer, under AddressSanitizer, with the stable compiler) and runs each for
# SECONDS seconds, two at a time. Usage: fuzz.sh BUILD_DIR [SECONDS [TARGET..]]
# The target negotiation runs only if it is named, because it builds the media engine of bw-sandbox.
# An input that causes a failure is kept in fuzz/found, and the tests run it from then on.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(mkdir -p "$1" && cd "$1" && pwd)
seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(sed -n 's/^ *("\(.*\)", .*),$/\1/p' fuzz/src/mod.rs)
features=()
case " ${targets[*]} " in *' negotiation '*) features=(--features media) ;; esac
host=x86_64-unknown-linux-gnu
binaries=$(scripts/target-dir)/fuzz

# The options of cargo-fuzz, and permission to link a standard library without AddressSanitizer.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$(echo $coverage) -Zsanitizer=address --cfg fuzzing
  -Cunsafe-allow-abi-mismatch=sanitizer" \
  "${CARGO:-cargo}" build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host" \
  --target-dir "$binaries" "${features[@]}"

fuzz() { # target
  local target=$1 code=0
  local found=fuzz/found/$target
  local leaks=1
  # Threads of these targets may still hold memory when the next input runs.
  case $target in response | stateful) leaks=0 ;; esac
  mkdir -p "$build/corpus/$target" "$found"
  "$binaries/$host/release/$target" "$build/corpus/$target" "fuzz/seeds/$target" \
    "-max_total_time=$seconds" "-artifact_prefix=$found/" -timeout=25 -rss_limit_mb=2048 \
    -max_len=4096 "-detect_leaks=$leaks" -print_final_stats=1 "-dict=fuzz/words.dict" >"$build/$target.log" 2>&1 || code=$?
  rmdir --ignore-fail-on-non-empty "$found"
  local runs edges
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$build/$target.log" | tail -n 1)
  echo "$target: ${runs:-?} executions, ${edges:-?} edges, exit $code" | tee "$build/$target.sum"
  if [ "$code" != 0 ]; then tail -n 40 "$build/$target.log"; fi
}

running=0
for target in "${targets[@]}"; do
  fuzz "$target" &
  running=$((running + 1))
  if [ "$running" -ge 2 ]; then
    wait -n
    running=$((running - 1))
  fi
done
wait
good=0
for target in "${targets[@]}"; do
  if grep -q ', exit 0$' "$build/$target.sum"; then good=$((good + 1)); fi
done
echo "Fuzzers, $seconds s each:"
echo "$good passed, $((${#targets[@]} - good)) failed"
[ "$good" = "${#targets[@]}" ]
