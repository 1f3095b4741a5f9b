#!/bin/sh
# Builds the fuzz targets and runs each for so many seconds: Tests/Fuzz/run.sh [seconds] [name ...]
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-30}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- JSON SSE WebSocket HTTPRequest HTTPResponse
export SWIFT_BACKTRACE=enable=no
for name; do
    binary=.build/fuzz/$name
    mkdir -p "$binary.corpus"
    swiftc -O -sanitize=fuzzer,address -parse-as-library Sources/Wire/*.swift "Tests/Fuzz/Fuzz$name.swift" -o "$binary"
    "$binary" -max_total_time="$seconds" -max_len=2048 -print_final_stats=1 -artifact_prefix="$binary-" \
        "$binary.corpus" "Tests/Fuzz/corpus/$name"
done
