#!/usr/bin/env bash
# Builds the responder and the clients in C and C++. Usage: build.sh DIR; needs the library's release
# build, libcurl, cJSON and OpenSSL (Debian: libcurl4-openssl-dev libcjson-dev libssl-dev).
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
release=$PWD/target/release
mkdir -p "$build"
ln -sf libbw_webrtc.so "$release/libbw_webrtc.so.0"
flags=(-O2 -Wall -Wextra -D_GNU_SOURCE -Iinclude)
link=(-L"$release" -lbw_webrtc -Wl,-rpath,"$release" -lpthread)
"${CC:-cc}" "${flags[@]}" benches/responder.c -o "$build/responder" -lssl -lcrypto -lpthread
"${CC:-cc}" "${flags[@]}" benches/clients/raw.c -o "$build/raw" -lssl -lcrypto -lpthread
"${CC:-cc}" "${flags[@]}" benches/clients/curl_cjson.c -o "$build/curl_cjson" -lcurl -lcjson -lpthread
"${CC:-cc}" "${flags[@]}" benches/clients/ours.c -o "$build/ours" "${link[@]}"
"${CC:-cc}" "${flags[@]}" -DWITH_CJSON benches/clients/ours.c -o "$build/ours_cjson" -lcjson "${link[@]}"
"${CXX:-c++}" -std=c++11 "${flags[@]}" -Wno-unused-function benches/clients/ours.cpp -o "$build/ours_cpp" \
  "${link[@]}"
