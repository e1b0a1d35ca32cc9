#!/usr/bin/env bash
# Fuzzes the kernel on the simulated machine: `run.sh [SECONDS] [LIBFUZZER ARGUMENTS…]`, 60 seconds unless told.
# Stable Rust and a C++ compiler are all it needs. Inputs that reached something new are kept in target/fuzz/corpus for the next time.
# A file instead of the seconds is played once: what a failed run has left.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v c++ >/dev/null || { echo "fuzzing needs a C++ compiler: apt-get install g++" >&2; exit 1; }
target=$(rustc --version --verbose | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
-Cdebug-assertions=on --cfg fuzzing"
# With a target named, build scripts aren't instrumented.
RUSTFLAGS=$(tr '\n' ' ' <<<"$flags") cargo build --release --target "$target" --target-dir target/fuzz -p chestnut-kernel-fuzz
fuzzer="target/fuzz/$target/release/chestnut-kernel-fuzz"

if [[ -f "${1:-}" ]]; then
    exec "$fuzzer" "$@"
fi
seconds=${1:-60}
shift || true
mkdir -p target/fuzz/corpus
exec "$fuzzer" -max_total_time="$seconds" -max_len=16384 -len_control=20 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix=target/fuzz/ "$@" target/fuzz/corpus
