#!/usr/bin/env bash
# Checks the program for other desktops and the library for browsers, as far as Rust's standard library for them is
# installed; says which are left out. Nothing is linked or run: tests/arm.sh and tests/dx12.sh do that.
set -euo pipefail
cd "$(dirname "$0")/.."

# Whether the standard library for a target is there, whoever installed it.
has() {
  compgen -G "$(rustc --print target-libdir --target "$1" 2>/dev/null)/libstd-*.rlib" >/dev/null
}
check() {
  local target=$1
  shift
  if has "$target"; then
    cargo check --locked --quiet --target "$target" "$@"
    echo "checked for $target${*:+ with $*}"
  else
    echo "not checked for $target: needs \`rustup target add $target\`"
  fi
}
check aarch64-apple-darwin --all-targets
check x86_64-pc-windows-msvc --all-targets
check x86_64-pc-windows-gnu --all-targets
check wasm32-unknown-unknown --no-default-features --features cpu
check wasm32-unknown-unknown --no-default-features --features cpu,gpu
