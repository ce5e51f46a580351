#!/usr/bin/env bash
# Runs every test and three examples, and lists the tests that were skipped. What some of them need
# beside Rust is installed first, once you agree; with --yes, or in CI, without a question. In CI
# nothing that can be installed may be missing.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/install.sh "$@"
for python in "$PWD"/target/python/bin/python "$PWD"/target/python/Scripts/python.exe; do
  [[ ! -x $python ]] || export AFTERIMAGE_PYTHON=${AFTERIMAGE_PYTHON:-$python}
done

# Skipped tests add themselves to it (tests/common/skip.rs).
AFTERIMAGE_SKIPS=$(mktemp)
export AFTERIMAGE_SKIPS
trap 'rm -f "$AFTERIMAGE_SKIPS"' EXIT

status=0
# All with the feature that lets devices fail on purpose, so that all is built once.
# A process for each test, where nextest is there: a crashing driver then fails one test.
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --release --features faults --no-fail-fast || status=$?
  cargo test --release --features faults --doc || status=$?
else
  cargo test --release --features faults --no-fail-fast || status=$?
fi
for example in train_and_render own_buffer observer; do
  cargo run --release --features faults --example $example || status=$?
done

sort -u "$AFTERIMAGE_SKIPS" | sed 's/^/skipped: /'
[[ -s $AFTERIMAGE_SKIPS ]] || echo "no test was skipped"
exit $status
