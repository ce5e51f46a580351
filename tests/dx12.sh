#!/usr/bin/env bash
# Compiles every kernel for DX12 with Microsoft's own compilers, FXC (which every Windows has) and DXC, under wine: they
# come with the npm package `webgpu`. Nothing is installed or kept but the package, in target/dx12. Takes some minutes
# after the build. No kernel is run: wine's D3D12 is not Windows'.
set -euo pipefail
cd "$(dirname "$0")/.."

package=webgpu@0.6.2
folder=$PWD/target/dx12

skip() {
  echo "tests/dx12.sh is skipped: $1"
  exit 0
}
wine=$(command -v wine64 || command -v wine || ls /usr/lib/wine/wine64 2>/dev/null) || skip "there is no wine (package wine64)"
command -v x86_64-w64-mingw32-gcc >/dev/null || skip "there is no compiler for Windows (package gcc-mingw-w64-x86-64)"

mkdir -p "$folder"
if [[ ! -e $folder/dxcompiler.dll ]]; then
  command -v npm >/dev/null || skip "there is no npm, which brings Microsoft's compilers"
  (cd "$folder" && npm pack --silent "$package" && tar xzf webgpu-*.tgz) || skip "the npm package $package cannot be had"
  cp "$folder"/package/dist/win32-x64/{d3dcompiler_47,dxcompiler}.dll "$folder"
  rm -r "$folder"/package "$folder"/webgpu-*.tgz
fi

hlsl=$folder/hlsl
rm -rf "$hlsl"
mkdir "$hlsl"
HLSL_FOLDER=$hlsl cargo test --release --features faults --test gpu -- \
  --exact reflection::every_kernel_translates_to_spirv_msl_and_hlsl

# Microsoft's compilers instead of wine's.
export WINEPREFIX=$folder/wine WINEDEBUG=-all WINEDLLOVERRIDES="d3dcompiler_47=n"
x86_64-w64-mingw32-gcc -O1 -Wall -Wextra -o "$folder/dx12.exe" tests/dx12.c
compile() {
  # A file that the compiler dies of has no line in the report.
  (cd "$hlsl" && "$wine" ../dx12.exe "$@" </dev/null || true) | tr -d '\r' >>"$folder/report"
}
: >"$folder/report"
# FXC has no 16-bit floats.
(cd "$hlsl" && ls | grep -v '^16-bit' | xargs -n 20 echo fxc && ls | xargs -n 20 echo dxc) >"$folder/jobs"
while read -r job; do
  # shellcheck disable=SC2086 # names of files have no spaces
  compile $job
  echo "${job%% *}: $(grep -c '^ok' "$folder/report") accepted so far"
done <"$folder/jobs"

n=$(($(wc -w <"$folder/jobs") - $(wc -l <"$folder/jobs")))
ok=$(grep -c '^ok ' "$folder/report" || true)
grep -v '^ok ' "$folder/report" || true
echo "$ok of $n compiled"
[[ $ok == "$n" ]]
