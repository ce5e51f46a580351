#!/usr/bin/env bash
# Fills fuzz/corpus with small files to start from: test pictures, presets, and what runs of a few
# tiny networks write.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release
program=${CARGO_TARGET_DIR:-target}/release/afterimage
corpus=fuzz/corpus
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
mkdir -p "$corpus"/{model_file,checkpoint,config,picture,compressed}
find tests/pictures -type f ! -name "*.aim" -exec cp {} "$corpus/picture/" \;
cp tests/pictures/*.aim "$corpus/compressed/"
cp assets/presets/*.toml "$corpus/config/"

# One line of options a run.
n=0
while read -r options; do
  n=$((n + 1))
  # shellcheck disable=SC2086 # options are words
  "$program" train assets/astronaut.png -q --out "$runs/$n" --backend cpu --size 4x4 --hidden 2 \
    --features 1 --epochs 2 $options </dev/null
  cp "$runs/$n/model.safetensors" "$corpus/model_file/$n.safetensors"
  cp "$runs/$n/checkpoint.safetensors" "$corpus/checkpoint/$n.safetensors"
  cp "$runs/$n/config.toml" "$corpus/config/$n.toml"
  cp "$runs/$n/final.png" "$corpus/picture/$n.png"
done <<'END'
--layers 2
--layers 2 --encoding none --activation sine
--layers 2 --optimizer sgd --holdout every-other
--layers 2 --optimizer sgd --momentum 0.5 --holdout every-other --keep best
--layers 2 --encoding hash-grid --levels 2
--layers 3 --optimizer sgd --momentum 0.5 --coords corner
--layers 2 --encoding basic --init siren
--layers 2 --encoding positional --sigma 3 --batch 3 --checkpoint-every 5
END

# Formats that no test picture has. From a Radiance picture a run writes an EXR.
printf 'P6 2 2 255\n123456789012' >"$corpus/picture/a.ppm"
printf 'P1 4 2\n1 0 1 0 0 1 0 1\n' >"$corpus/picture/a.pbm"
printf 'P7\nWIDTH 1\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n12345678' >"$corpus/picture/a.pam"
printf 'qoif\0\0\0\4\0\0\0\3\3\0\376\20\40\60\312\0\0\0\0\0\0\0\1' >"$corpus/picture/a.qoi"
printf '#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 2\nabc\200def\200ghi\200jkl\200' >"$corpus/picture/a.hdr"
"$program" train "$corpus/picture/a.hdr" -q --out "$runs/hdr" --backend cpu --hidden 2 --features 1 --epochs 1
cp "$runs/hdr/final.exr" "$corpus/picture/a.exr"
