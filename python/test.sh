#!/usr/bin/env bash
# Tests the Python package: builds its wheel, installs it in a fresh virtual environment, and runs tests and notebooks
# there. Needs the tools and packages that tests/install.sh puts into target/python-package.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/target/python-package

# The program `$2` of the virtual environment `$1`, which Windows has in another folder.
of() {
  if [[ -d $1/Scripts ]]; then echo "$1/Scripts/$2"; else echo "$1/bin/$2"; fi
}

if ! cmp -s python/requirements-test.txt "$folder/made-for.txt"; then
  what="tests of the Python package, which need Python 3.9 with venv, and maturin (tests/install.sh)"
  if [[ -n ${AFTERIMAGE_SKIPS:-} ]]; then echo "$what" >>"$AFTERIMAGE_SKIPS"; else echo "skipped: $what"; fi
  case ${CI:-} in '' | 0 | false) exit 0 ;; *) exit 1 ;; esac
fi

# With the features that the other tests are built with, so that the library is not built again.
rm -rf "$folder/wheel" "$folder/test"
"$(of "$folder/tools" maturin)" build --quiet --locked --release --features faults --manifest-path python/Cargo.toml \
  --interpreter "$(of "$folder/tools" python)" --out "$folder/wheel"
wheel=$(echo "$folder"/wheel/*.whl)
size=$(wc -c <"$wheel")
echo "$(basename "$wheel"): $((size / 1000)) kB"
((size < 20000000)) || { echo "a wheel has to be smaller than 20 MB" >&2; exit 1; }

"$(of "$folder/tools" python)" -m venv "$folder/test"
python=$(of "$folder/test" python)
"$python" -m pip install --quiet --no-index --find-links "$folder/packages" "$wheel" -r python/requirements-test.txt
# Far from the sources, which would be imported instead.
root=$PWD
cd "$folder"
"$python" -m pytest -q -p no:cacheprovider -c "$root/python/pyproject.toml" "$root/python/tests"
"$python" "$root/python/notebooks/run.py"
