#!/usr/bin/env bash
# Checks the library without its program, without GPUs, and for other targets (targets.sh), browsers among them, that it
# leaves out what only those need, and the fuzz targets.
set -euo pipefail
cd "$(dirname "$0")/.."

crates() {
  cargo tree --locked -e normal --prefix none --format "{p}" --no-default-features "$@" | cut -d " " -f 1
}
lacks() {
  local unwanted=$1 found
  shift
  found=$(crates "$@" | grep -xE "$unwanted" | sort -u | paste -sd " ") || return 0
  echo "with $* the library needs $found" >&2
  return 1
}
lacks "anyhow|clap.*|signal-hook|env_logger|indicatif|naga|wgpu.*" --features cpu
lacks "anyhow|clap.*|signal-hook|env_logger|indicatif" --features cpu,gpu
# The Python package without its command.
lacks "anyhow|clap.*|signal-hook|env_logger|indicatif" --package afterimage-python

for features in cpu cpu,gpu cli; do
  cargo clippy --locked --quiet --no-default-features --features $features -- -D warnings
done
cargo check --locked --quiet --manifest-path fuzz/Cargo.toml --target-dir target
bash tests/targets.sh
