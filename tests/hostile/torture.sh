#!/usr/bin/env bash
# Runs a small program with the release build many times. In each run, another allocation or system call fails.
# Uses plain HTTP (by host name) and TLS. Usage: torture.sh BUILD_DIR. Environment: CC, BW_LIB_DIR, BW_SANDBOX.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
libraries=${BW_LIB_DIR:-$(scripts/target-dir)/release}
sandbox=${BW_SANDBOX:-$(scripts/target-dir)/release/bw-sandbox}
mkdir -p "$build"
ln -sf libbw_webrtc.so "$libraries/libbw_webrtc.so.0"
"${CC:-cc}" -std=gnu99 -g -O1 -Wall -Wextra -Wpedantic -Werror -Iinclude -Itests/c -rdynamic \
  tests/hostile/c/torture.c -o "$build/torture" -L"$libraries" -lbw_webrtc \
  -Wl,-rpath,"$libraries" -pthread -ldl

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
arguments=(--listen 127.0.0.1:0 --account 9900000 --username user --password secret --quiet)
exec 3< <(exec "$sandbox" "${arguments[@]}")
pids+=($!)
exec 4< <(exec "$sandbox" "${arguments[@]}" --tls --ca-out "$build/torture-ca.pem")
pids+=($!)
read -r plain <&3 && read -r secure <&4 || { echo "torture.sh: no bw-sandbox" >&2; exit 1; }
keys='"accountId": "9900000", "username": "user", "password": "secret", "timeoutMs": 20000,
  "maxRetries": 1, "retryBaseMs": 1'
code=0
"$build/torture" "{$keys, \"baseUrl\": \"${plain/127.0.0.1/localhost}\"}" >"$build/torture-http.out" || code=1
"$build/torture" "{$keys, \"baseUrl\": \"$secure\", \"caFile\": \"$build/torture-ca.pem\"}" \
  >"$build/torture-https.out" || code=1
passed=0 failed=0
for kind in http https; do
  sed "s/^/[$kind] /" "$build/torture-$kind.out" | tail -n 80
  if [[ $(tail -n 1 "$build/torture-$kind.out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    failed=$((failed + 1))
  fi
done
echo "Torture:"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$code" = 0 ]
