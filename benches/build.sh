#!/usr/bin/env bash
# Builds the responder and the clients in C and C++. Usage: build.sh DIR; needs the library's release
# build, libcurl, cJSON and OpenSSL (Debian: libcurl4-openssl-dev libcjson-dev libssl-dev).
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
release=$(scripts/target-dir)/release
mkdir -p "$build"
ln -sf libbw_webrtc.so "$release/libbw_webrtc.so.0"
flags=(-O2 -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE -Iinclude)
ours=(-L"$release" -lbw_webrtc -Wl,-rpath,"$release")
c() {
  local source=$1 program=$2
  shift 2
  "${CC:-cc}" "${flags[@]}" "$source" -o "$build/$program" "$@" -lpthread
}
c benches/responder.c responder -lssl -lcrypto
c benches/clients/raw.c raw -lssl -lcrypto
c benches/clients/curl_cjson.c curl_cjson -lcurl -lcjson
c benches/clients/many_curl.c many_curl -lcurl
c benches/clients/loop_curl.c loop_curl -lcurl -lcjson
c benches/clients/ours.c ours_cjson -DWITH_CJSON -lcjson "${ours[@]}"
c benches/clients/ours.c ours_oauth -DWITH_OAUTH "${ours[@]}"
for program in ours ours_queue loop_ours many_ours work; do
  c "benches/clients/$program.c" "$program" "${ours[@]}"
done
"${CXX:-c++}" -std=c++11 "${flags[@]}" -Wno-unused-function benches/clients/ours.cpp -o "$build/ours_cpp" \
  "${ours[@]}" -lpthread
# Preloaded libraries that count allocations and name lookups.
c benches/allocations.c allocations.so -U_GNU_SOURCE -shared -fPIC
c tests/c/hosts/resolver_shim.c resolver_shim.so -U_GNU_SOURCE -shared -fPIC -ldl
