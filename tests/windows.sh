#!/usr/bin/env bash
# Runs the tests for Windows that need no GPU on another system: cross-compiles them with the GNU toolchain and runs them
# under Wine. Then trains a small picture on both, which must give the same model to the bit, twice at once in one folder,
# which must be refused, and once more over the first. Skips, and says so, where a tool is missing. Installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-pc-windows-gnu

skip() {
  echo "SKIPPED tests/windows.sh: it needs $1" >&2
  exit 0
}
wine=$(command -v wine64 || command -v wine) || skip "wine"
command -v x86_64-w64-mingw32-gcc >/dev/null || skip "x86_64-w64-mingw32-gcc (package gcc-mingw-w64-x86-64)"
[[ -d $(rustc --print target-libdir --target $target) ]] || skip "Rust's library for Windows (rustup target add $target)"

export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$wine
export WINEDEBUG=${WINEDEBUG:--all}

cargo clippy --all-targets --features faults --target $target -- -D warnings
cargo test --release --target $target --lib
cargo test --release --target $target --test library --test program

models=$(mktemp -d)
trap 'rm -r "$models"' EXIT
small=(assets/astronaut.png --size 64x64 --backend cpu)
cargo run --release -- train -q "${small[@]}" --epochs 3 --out "$models/here"
cargo build --release --target $target
program=${CARGO_TARGET_DIR:-target}/$target/release/afterimage.exe
"$wine" "$program" train -q "${small[@]}" --epochs 3 --out "$models/windows"
cmp "$models"/{here,windows}/model.safetensors
echo "the same model on both systems"

"$wine" "$program" train -q "${small[@]}" --epochs 100000 --out "$models/held" &
holder=$!
until [[ -e $models/held/metrics.csv ]]; do sleep 0.1; done
said=$("$wine" "$program" train "${small[@]}" --epochs 3 --force --out "$models/held" 2>&1) && exit 1
[[ $said == *"has been writing to it"* ]] || { echo "$said" >&2; exit 1; }
kill -KILL $holder
wait $holder || true
"$wine" "$program" train -q "${small[@]}" --epochs 3 --force --out "$models/held"
echo "a folder in use is refused and free afterwards"
