#!/usr/bin/env bash
# Runs every test, three examples and the tests of the Python package, and lists the skipped tests. What some of them
# need besides Rust is installed first, after asking; with --yes, or in CI, without asking. In CI nothing installable may
# be missing.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/install.sh "$@"
for python in "$PWD"/target/python/bin/python "$PWD"/target/python/Scripts/python.exe; do
  [[ ! -x $python ]] || export AFTERIMAGE_PYTHON=${AFTERIMAGE_PYTHON:-$python}
done

# Skipped tests append themselves to it (tests/common/skip.rs).
AFTERIMAGE_SKIPS=$(mktemp)
export AFTERIMAGE_SKIPS
trap 'rm -f "$AFTERIMAGE_SKIPS"' EXIT

status=0
# Always with fault injection, so that everything is built once.
# One process per test with nextest: a crashing driver then fails only one test.
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --release --features faults --no-fail-fast || status=$?
  cargo test --release --features faults --doc || status=$?
else
  cargo test --release --features faults --no-fail-fast || status=$?
fi
for example in train_and_render own_buffer observer; do
  cargo run --release --features faults --example $example || status=$?
done
bash python/test.sh || status=$?

sort -u "$AFTERIMAGE_SKIPS" | sed 's/^/skipped: /'
[[ -s $AFTERIMAGE_SKIPS ]] || echo "no test was skipped"
exit $status
