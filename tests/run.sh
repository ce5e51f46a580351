#!/usr/bin/env bash
# Runs every test. Where the machine has no Vulkan driver, installs a software one first, so that
# the GPU tests have something to run on.
set -euo pipefail
cd "$(dirname "$0")/.."

has_vulkan() {
  [[ -n ${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-} ]] && return
  ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 || return
  compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null || compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null
}

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

install_vulkan() {
  if command -v apt-get >/dev/null; then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mesa-vulkan-drivers libvulkan1 >/dev/null
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q mesa-vulkan-drivers vulkan-loader
  elif command -v pacman >/dev/null; then
    as_root pacman -S --noconfirm --needed vulkan-swrast vulkan-icd-loader
  else
    echo "no Vulkan driver, and no package manager this script knows: the GPU tests will say that they are skipped" >&2
  fi
}

if [[ $(uname -s) == Linux ]] && ! has_vulkan; then
  echo "installing a software Vulkan driver (Mesa's lavapipe)"
  install_vulkan
fi

# A process for each test, where nextest is there: a crashing driver then fails one test.
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --release --no-fail-fast
  cargo test --release --doc
else
  cargo test --release --no-fail-fast
fi
