#!/usr/bin/env bash
# Runs the CPU tests for 64-bit ARM on another processor: cross-compiles them (x86 builds in target/ stay) and runs
# them under QEMU, where the vectors are NEON. Then trains a small picture on both processors, which must give the
# same model to the bit. Installs nothing. Takes some minutes after the build.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
libraries=${ARM_LIBRARIES:-/usr/aarch64-linux-gnu} # where Debian and Ubuntu put the C library for ARM

needs() {
  echo "tests/arm.sh needs $1" >&2
  exit 1
}
command -v qemu-aarch64 >/dev/null || needs "qemu-aarch64 (package qemu-user)"
command -v aarch64-linux-gnu-gcc >/dev/null || needs "aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu)"
[[ -e $libraries/lib/libc.so.6 ]] ||
  needs "the C library for ARM (package libc6-dev-arm64-cross) in $libraries, or ARM_LIBRARIES set to where it is"
[[ -d $(rustc --print target-libdir --target $target) ]] || needs "Rust's library for ARM (rustup target add $target)"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L $libraries"

# QEMU reports a process's own time as 0.
cargo test --release --target $target --lib -- --skip processor_time_is_what_is_worked
cargo test --release --target $target --test library

models=$(mktemp -d)
trap 'rm -r "$models"' EXIT
train() {
  local name=$1
  shift
  cargo run --release "$@" -- train -q assets/astronaut.png --size 64x64 --epochs 3 --backend cpu --out "$models/$name"
}
train here
train arm --target $target
grep -q '"neon"' "$models/arm/run.json" || { echo "the ARM program does not use NEON" >&2; exit 1; }
cmp "$models"/{here,arm}/model.safetensors
echo "the same model on both processors"
