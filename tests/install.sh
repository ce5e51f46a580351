#!/usr/bin/env bash
# Installs what some tests need besides Rust: a software Vulkan driver if Linux has none, ffmpeg, on Linux glslang and
# Chromium, PyTorch and onnxruntime in target/python, and what builds and tests the Python package in
# target/python-package. Does nothing if everything is there. Asks first, except with --yes or in CI.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ $# -gt 1 || ${1:---yes} != --yes ]]; then
  echo "usage: $0 [--yes]" >&2
  exit 2
fi

has_vulkan() {
  [[ $(uname -s) != Linux || -n ${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-} ]] && return
  ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 || return
  compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null || compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null
}

# Where exported shaders are compiled and exported pages are looked at.
has_glslang() { [[ $(uname -s) != Linux ]] || command -v glslangValidator >/dev/null; }

has_browser() {
  [[ $(uname -s) == Linux ]] || return 0
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v $name >/dev/null; then return; fi
  done
  return 1
}

imports() { "$1" -c "import $2" >/dev/null 2>&1; }

has_pytorch() {
  local python pythons=(target/python/bin/python target/python/Scripts/python.exe python3)
  [[ -z ${AFTERIMAGE_PYTHON:-} ]] || pythons=("$AFTERIMAGE_PYTHON")
  for python in "${pythons[@]}"; do
    if imports "$python" torch,safetensors.torch,onnxruntime; then return; fi
  done
  return 1
}

find_python() {
  command -v python3 || command -v python || { echo "there is no Python to make it with" >&2; return 1; }
}

is_python_3_9() { "$1" -c "import sys; sys.exit(sys.version_info < (3, 9))" >/dev/null 2>&1; }

has_package_tools() { cmp -s python/requirements-test.txt target/python-package/made-for.txt; }

sudo=$([[ $(id -u) == 0 ]] || echo 'sudo ')
manager=
for name in apt-get dnf pacman brew choco; do
  if command -v $name >/dev/null; then
    manager=$name
    break
  fi
done
vulkan="" ffmpeg=ffmpeg glslang=glslang browser=chromium
case $manager in
  apt-get)
    install="${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
    vulkan="mesa-vulkan-drivers libvulkan1" glslang=glslang-tools browser="chromium chromium-driver"
    ;;
  dnf)
    install="${sudo}dnf install -y -q"
    vulkan="mesa-vulkan-drivers vulkan-loader" ffmpeg=ffmpeg-free
    ;;
  pacman)
    install="${sudo}pacman -S --noconfirm --needed"
    vulkan="vulkan-swrast vulkan-icd-loader"
    ;;
  brew) install="brew install -q" ;;
  choco) install="choco install -y --no-progress" ;;
esac

packages="" without_pytorch="" without_tools=
has_vulkan || { echo "tests need a Vulkan driver"; packages+=" $vulkan"; }
command -v ffmpeg >/dev/null || { echo "tests need ffmpeg"; packages+=" $ffmpeg"; }
has_glslang || { echo "tests need glslang"; packages+=" $glslang"; }
has_browser || { echo "tests need Chromium"; packages+=" $browser"; }
has_pytorch || { echo "tests need Python with PyTorch, safetensors and onnxruntime"; without_pytorch=1; }
if ! has_package_tools; then
  echo "tests of the Python package need Python 3.9, maturin, pytest and others"
  if is_python_3_9 "$(find_python)"; then without_tools=1; fi
fi
if [[ -n $packages ]]; then
  if [[ -n $manager ]]; then
    echo "to be installed: $install$packages"
  else
    echo "no package manager that this script knows: install them by hand"
    packages=""
  fi
fi
if [[ -n $without_pytorch ]]; then
  if [[ -n ${AFTERIMAGE_PYTHON:-} ]]; then
    echo "AFTERIMAGE_PYTHON is $AFTERIMAGE_PYTHON, which has neither: nothing is installed into it"
    without_pytorch=
  else
    echo "to be made: target/python, a virtual environment (by apt-get, with python3-venv, python3-torch and libopenblas0-pthread)"
  fi
fi
if [[ -n $without_tools ]]; then
  echo "to be made: target/python-package, with packages from PyPI (by apt-get, with python3-venv)"
fi
[[ -n $packages$without_pytorch$without_tools ]] || exit 0

agreed=
case ${CI:-} in '' | 0 | false) ;; *) agreed=1 ;; esac
[[ $# == 0 ]] || agreed=1
if [[ -z $agreed && -t 0 && -t 1 ]]; then
  read -r -p "Install now? Otherwise those tests are skipped. [y/N] " answer
  [[ $answer != [yY]* ]] || agreed=1
fi
if [[ -z $agreed ]]; then
  echo "nothing is installed; --yes does it without a question"
  exit 0
fi

# shellcheck disable=SC2086 # several words
[[ $manager != apt-get ]] || ${sudo}apt-get update -qq
# shellcheck disable=SC2086 # several words
[[ -z $packages ]] || $install $packages >/dev/null
if [[ -n $without_pytorch ]]; then
  # A distribution's PyTorch has no CUDA, which makes it twenty times smaller than what pip installs on Linux.
  if [[ $manager == apt-get ]]; then
    $install python3-venv >/dev/null
    $install python3-torch libopenblas0-pthread >/dev/null || echo "no package python3-torch here: pip takes PyTorch, gigabytes on Linux"
  fi
  python=$(find_python)
  if imports /usr/bin/python3 torch; then python=/usr/bin/python3; fi
  rm -rf target/python
  "$python" -m venv --system-site-packages target/python
  for python in target/python/bin/python target/python/Scripts/python.exe; do
    [[ ! -x $python ]] || "$python" -m pip install -q torch numpy safetensors onnxruntime
  done
fi
if [[ -n $without_tools ]]; then
  [[ $manager != apt-get ]] || $install python3-venv >/dev/null
  folder=target/python-package
  rm -rf $folder
  "$(find_python)" -m venv $folder/tools
  for python in $folder/tools/bin/python $folder/tools/Scripts/python.exe; do
    [[ -x $python ]] || continue
    "$python" -m pip install -q 'maturin>=1.7,<2'
    # Kept as files, so that each test installs them afresh and without a network.
    "$python" -m pip download -q --only-binary :all: -d $folder/packages -r python/requirements-test.txt
  done
  cp python/requirements-test.txt $folder/made-for.txt
fi
