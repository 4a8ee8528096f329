#!/usr/bin/env bash
# Measures the stack of a call in a release build, and the memory of a million clients.
# Usage: release.sh BUILD_DIR. It needs `cargo build --release --workspace`.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
release=$(scripts/target-dir)/release
mkdir -p "$build"

for source in abi_test hosts/stack; do
  "${CC:-cc}" -std=gnu99 -O1 -g -Wall -Wextra -Wpedantic -Werror -Iinclude -Itests/c "tests/c/$source.c" \
    -o "$build/release-${source##*/}" "$release/libbw_webrtc.a" -lpthread -ldl -lm
done
exec 3< <(exec "$release/bw-sandbox" --listen 127.0.0.1:0 --quiet --tls --ca-out "$build/release-ca.pem")
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null || true' EXIT
read -r url <&3 || { echo "release.sh: bw-sandbox did not start" >&2; exit 1; }
"$build/release-stack" "{\"accountId\": \"9900000\", \"clientId\": \"client\", \"clientSecret\": \"client-secret\",
  \"baseUrl\": \"$url\", \"tokenUrl\": \"${url%/v1}/api/v1/oauth2/token\", \"caFile\": \"$build/release-ca.pem\"}"
"$build/release-abi_test"
