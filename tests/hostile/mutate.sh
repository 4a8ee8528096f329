#!/usr/bin/env bash
# Mutation tests of the operations, the helpers and the attempt loop with cargo-mutants: reports the
# changes that no test detects. Run by hand: it takes half an hour on two cores, and needs cargo-mutants
# (cargo install --locked cargo-mutants). Usage: mutate.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(mkdir -p "$1" && cd "$1" && pwd)

# Changed and built in copies of what is committed. Only the rlib, and without debug information: the
# whole library takes twenty times as long.
rm -rf "${build:?}/operations" "${build:?}/attempts"
git clone --quiet . "$build/operations"
sed -i 's/^crate-type = .*/crate-type = ["rlib"]/' "$build/operations/Cargo.toml"
printf '\n[profile.dev]\ndebug = 0\n' >>"$build/operations/Cargo.toml"
(cd "$build/operations" && cargo test --quiet --no-run --lib --tests && cargo build --quiet -p bw-sandbox)
cp -a "$build/operations" "$build/attempts"

mutate() { # name, sources and modules of the integration tests: both separated by spaces
  local name=$1 arguments=(-C=--lib -C=--test -C=integration) word
  for word in $2; do arguments+=("--file=$word"); done
  # The unit tests, and these modules of the integration tests.
  # shellcheck disable=SC2086
  (cd "$build/$name" && cargo mutants --in-place --colors never --timeout 90 --build-timeout 240 \
    -o "$build/$name" "${arguments[@]}" -- -- tests:: $3 >"$build/$name.log" 2>&1) || true
}

mutate operations 'src/api/*.rs src/json/*.rs src/interop/*.rs' 'responses:: calls:: operations::' &
mutate attempts 'src/client/attempts.rs src/client/budget.rs' \
  'deadlines:: retries:: operations:: network_faults::' &
wait
failed=0
for name in operations attempts; do
  # A change after which a test never ends was detected.
  for list in missed timeout; do
    sed "s/^/$list: /" "$build/$name/mutants.out/$list.txt"
  done
  [ ! -s "$build/$name/mutants.out/missed.txt" ] || failed=1
  # There is no such line if the tests fail without a change.
  tail -n 1 "$build/$name.log" | tee /dev/stderr | grep -q '^[0-9]* mutants tested' || failed=1
done
exit "$failed"
