//! A Python file that needs only NumPy, with the numbers in it.

use super::program::{Colors, Features, Program};
use super::rounding::{Precision, Row};
use crate::model::{Activation, HashGrid, Interpolation};
use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, write::ZlibEncoder};
use half::f16;
use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::io::Write as _;

/// The numbers of the file: those that are rounded, and those that are not.
#[derive(Default)]
struct Numbers {
    codes: Vec<f32>,
    exact: Vec<f32>,
}

impl Numbers {
    /// The Python expression for rows of codes, as an array of `shape`: each row times its scale, plus its offset.
    fn rows(&mut self, rows: &[Row], precision: Precision) -> String {
        let first = self.codes.len();
        rows.iter().for_each(|row| self.codes.extend(&row.codes));
        let codes = format!("w[{first}:{}].reshape({}, -1)", self.codes.len(), rows.len());
        match precision {
            Precision::U8 => {
                format!("{codes} * {}[:, None]", self.exact(rows.iter().map(|row| row.scale)))
            }
            _ => codes,
        }
    }

    fn exact(&mut self, values: impl IntoIterator<Item = f32>) -> String {
        let first = self.exact.len();
        self.exact.extend(values);
        format!("f[{first}:{}]", self.exact.len())
    }
}

/// The file.
pub(super) fn source(program: &Program) -> String {
    let mut numbers = Numbers::default();
    let mut body = String::new();
    let [position, offset] = [program.scale, program.offset].map(|[x, y]| format!("np.float32([{x}, {y}])"));
    let shift = if program.offset == [0.0; 2] { String::new() } else { format!(" + {offset}") };
    _ = writeln!(body, "    c = np.asarray(uv, \"f4\").reshape(-1, 2) * {position}{shift}");
    let parts: Vec<String> = program.features.iter().map(|part| features(part, &mut numbers)).collect();
    _ = writeln!(body, "    h = np.concatenate([{}], 1)", parts.join(", "));
    for layer in &program.layers {
        let (weight, bias) =
            (numbers.rows(&layer.weight, program.precision), numbers.exact(layer.bias.iter().copied()));
        _ = writeln!(body, "    h = h @ ({weight}).T + {bias}");
        if let Some(text) = activation(layer.activation) {
            _ = writeln!(body, "    h = {text}");
        }
    }
    _ = writeln!(body, "    return {}", colors(&program.colors));
    let grid = program.grid().map(|(grid, levels)| table(grid, levels, &mut numbers, program.precision));
    let (kind, codes) = packed(&numbers.codes, program.precision);
    format!(
        "\"\"\"{title}.\n\n\
         colours = afterimage(uv): uv (n, 2) from (0, 0) at the top left to (1, 1), colours (n, {channels}),\n\
         {about}. {work} multiply-adds for each.{usage}\"\"\"\n\
         import base64, sys, zlib, numpy as np\n\
         def numbers(kind, text): return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind).astype(\"f4\")\n\
         w = numbers(\"{kind}\", \"{codes}\")\n\
         f = numbers(\"<f4\", \"{exact}\")\n\
         {grid}\
         def afterimage(uv):\n{body}{picture}",
        title = program.title(),
        channels = program.colors.channels,
        about = program.about_colors(),
        work = program.multiply_adds(),
        usage = if program.colors.is_linear {
            ""
        } else {
            "\nAs a program: python FILE [WIDTH HEIGHT] > picture.ppm"
        },
        exact = encoded(&numbers.exact.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()),
        grid = grid.unwrap_or_default(),
        picture = picture(program),
    )
}

/// The codes as NumPy's type and in base64.
fn packed(codes: &[f32], precision: Precision) -> (&'static str, String) {
    match precision {
        Precision::F32 => ("<f4", encoded(&codes.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())),
        Precision::F16 => {
            ("<f2", encoded(&codes.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect::<Vec<_>>()))
        }
        Precision::U8 => ("i1", encoded(&codes.iter().map(|&v| v as i8 as u8).collect::<Vec<_>>())),
    }
}

fn encoded(bytes: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory does not fail");
    BASE64_STANDARD.encode(encoder.finish().expect("memory does not fail"))
}

/// Writes the picture where the file is run as a program.
fn picture(program: &Program) -> String {
    if program.colors.is_linear {
        return String::new();
    }
    let [width, height] = program.size;
    format!(
        "if __name__ == \"__main__\":\n    \
             width, height = map(int, sys.argv[1:3] or ({width}, {height}))\n    \
             sys.stdout.buffer.write(b\"P6 %d %d 255\\n\" % (width, height))\n    \
             for y in range(height):\n        \
                 row = afterimage(np.stack([(np.arange(width) + 0.5) / width, np.full(width, (y + 0.5) / height)], 1))\n        \
                 sys.stdout.buffer.write(np.rint(255 * row[:, :{n}]).astype(\"u1\"){repeat}.tobytes())\n",
        n = program.colors.n_colors(),
        repeat = if program.colors.n_colors() == 1 { ".repeat(3, 1)" } else { "" },
    )
}

/// sin(2 pi t), with t reduced first: phases of many turns lose digits otherwise.
fn wave(function: &str, t: &str) -> String {
    format!("np.{function}(6.2831853 * ((t := {t}) - np.round(t)))")
}

fn features(part: &Features, numbers: &mut Numbers) -> String {
    let mut turns = |b: &[[f32; 2]]| {
        let [x, y] = [0, 1].map(|axis| numbers.exact(b.iter().map(|b| b[axis])));
        format!("c[:, :1] * {x} + c[:, 1:] * {y}")
    };
    match part {
        Features::Position => "c".to_owned(),
        Features::Fourier(b) => {
            let turns = turns(b);
            format!("{}, np.cos(6.2831853 * (t - np.round(t)))", wave("sin", &turns))
        }
        Features::Triangles(b) => format!("1 - 4 * np.abs((t := {}) - np.round(t))", turns(b)),
        Features::Blobs(bins) => format!(
            "(lambda u: (p := np.clip(u, -1, 1)) * (0.9375 + (s := p * p) * (s * 0.1875 - 0.625)))\
             (np.arange({bins}, dtype=\"f4\")[:, None, None, None] - c.T[None, :, :, None] * {bins} + np.float32([1, 0, 1 - {bins}, -{bins}, {bins} + 1, {bins}]))\
             .transpose(2, 1, 0, 3).reshape(-1, {}, 6) @ np.float32([1, -1, 1, -1, 1, -1])",
            2 * bins
        ),
        Features::Grid { .. } => "grid(c)".to_owned(),
    }
}

/// The function `grid`: the interpolated entries of all levels.
fn table(grid: &HashGrid, levels: &[Row], numbers: &mut Numbers, precision: Precision) -> String {
    let first = numbers.codes.len();
    levels.iter().for_each(|row| numbers.codes.extend(&row.codes));
    let list: Vec<String> = grid
        .levels
        .iter()
        .zip(levels)
        .map(|(level, row)| {
            let scale = if precision == Precision::U8 {
                format!(", {}, {}", row.scale, row.offset)
            } else {
                String::new()
            };
            format!("({}, {}, {}{scale})", level.resolution, level.first_entry, level.n_entries)
        })
        .collect();
    let (names, value) = match precision {
        Precision::U8 => (", scale, offset", " * np.float32(scale) + np.float32(offset)"),
        _ => ("", ""),
    };
    let smooth = match grid.interpolation {
        Interpolation::Linear => "",
        Interpolation::Smoothstep => "\n        t = t * t * (3 - 2 * t)",
    };
    format!(
        "table = w[{first}:{end}].reshape(-1, {features})\n\
         levels = [{levels}]  # cells across, first entry, entries\n\
         def grid(c):\n    \
             out = []\n    \
             for n, first, entries{names} in levels:\n        \
                 p = np.clip(c * np.float32(n) + np.float32(0.5), 0, n + 1)\n        \
                 cell = np.minimum(p.astype(int), n)\n        \
                 t = p - cell.astype(\"f4\"){smooth}\n        \
                 def at(dx, dy):\n            \
                     x, y = cell[:, 0].astype(\"u4\") + np.uint32(dx), cell[:, 1].astype(\"u4\") + np.uint32(dy)\n            \
                     entry = (x ^ y * np.uint32(2654435761)) % entries if entries < (n + 2) ** 2 else y * np.uint32(n + 2) + x\n            \
                     weight = (t[:, 0] if dx else 1 - t[:, 0]) * (t[:, 1] if dy else 1 - t[:, 1])\n            \
                     return table[first + entry] * weight[:, None]\n        \
                 out.append((at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)){value})\n    \
             return np.concatenate(out, 1)\n",
        end = numbers.codes.len(),
        features = grid.features_per_level,
        levels = list.join(", "),
    )
}

/// What is done to the pre-activations h; none for the identity.
fn activation(activation: Activation) -> Option<String> {
    let turns = |w0: f32| (f64::from(w0) / TAU) as f32;
    Some(match activation {
        Activation::Identity => return None,
        Activation::Relu => "np.maximum(h, 0)".to_owned(),
        Activation::LeakyRelu { slope } => format!("np.where(h > 0, h, h * np.float32({slope}))"),
        // sigmoid(u) = (1 + tanh(u / 2)) / 2, which cannot overflow.
        Activation::Gelu => "h * (0.5 + 0.5 * np.tanh(0.79788456 * h * (1 + 0.044715 * h * h)))".to_owned(),
        Activation::Silu => "h * (0.5 + 0.5 * np.tanh(0.5 * h))".to_owned(),
        Activation::Sigmoid => "0.5 + 0.5 * np.tanh(0.5 * h)".to_owned(),
        Activation::Tanh => "np.tanh(h)".to_owned(),
        Activation::Softplus => "np.logaddexp(h, np.float32(0))".to_owned(),
        Activation::Sine { w0 } => wave("sin", &format!("h * np.float32({})", turns(w0))),
        Activation::Finer { w0 } => wave("sin", &format!("(np.abs(h) + 1) * h * np.float32({})", turns(w0))),
        Activation::Gaussian { scale } => format!("np.exp(-0.5 * (h / np.float32({scale})) ** 2)"),
        Activation::Gabor { w0, scale } => format!(
            "{} * np.exp(-(h * np.float32({scale})) ** 2)",
            wave("cos", &format!("h * np.float32({})", turns(w0)))
        ),
    })
}

/// From the last layer's h to colours.
fn colors(colors: &Colors) -> String {
    let decoded = match (colors.is_linear, colors.is_logarithmic()) {
        (false, _) => return "np.clip(h, 0, 1)".to_owned(),
        (true, false) if colors.transfer.scale == 1.0 => return "h".to_owned(),
        (true, false) => format!("h / np.float32({})", colors.transfer.scale),
        (true, true) => {
            format!("np.copysign(np.expm1(4 * np.abs(h)), h) / np.float32({})", colors.transfer.scale)
        }
    };
    match colors.has_alpha() {
        true => format!("np.concatenate([({decoded})[:, :-1], h[:, -1:]], 1)"),
        false => decoded,
    }
}
