//! The encodings in shading languages. Features are in vectors of four; each part of them is padded on its own.

use super::super::program::Features;
use super::super::rounding::{Precision, Row};
use super::code::Code;
use super::numbers::{Table, constructed, literal, packed, vectors};
use crate::model::encoding::grid::HASH_PRIME;
use crate::model::{HashGrid, Interpolation};

/// The features in the order of the shader's vectors: which of the network's inputs is in which place.
#[derive(Default)]
pub(super) struct Slots(pub(super) Vec<Option<usize>>);

impl Slots {
    /// The next vectors hold inputs `range`. Returns the number of the first vector.
    fn push(&mut self, range: std::ops::Range<usize>) -> usize {
        let first = self.0.len() / 4;
        self.0.extend(range.map(Some));
        self.0.resize(self.0.len().next_multiple_of(4), None);
        first
    }
}

/// Declares what `part` needs, whose first feature is the network's input `first`, and returns the statements that
/// write its features into `x`.
pub(super) fn declare(
    code: &mut Code,
    table: Option<&mut Table>,
    (part, first, precision): (&Features, usize, Precision),
    slots: &mut Slots,
) -> Box<dyn FnOnce(&mut Code)> {
    match part {
        Features::Position => {
            let slot = slots.push(first..first + 2);
            Box::new(move |code| code.line(&format!("x[{slot}] = vec4(c, 0.0, 0.0);")))
        }
        Features::Fourier(b) => {
            let m = b.len();
            let (sine, cosine) = (slots.push(first..first + m), slots.push(first + m..first + 2 * m));
            frequencies(code, b);
            Box::new(move |code| {
                code.repeat("i", m.div_ceil(4), |code| {
                    code.value("vec4", "t", "c.x * afterimage_fx[i] + c.y * afterimage_fy[i]");
                    // Reduced first, so that a quarter of a turn is added without losing digits.
                    code.value("vec4", "r", "t - floor(t + 0.5)");
                    code.line(&format!("x[{sine}u + i] = afterimage_sin(r);"));
                    code.line(&format!("x[{cosine}u + i] = afterimage_sin(r + 0.25);"));
                });
            })
        }
        Features::Triangles(b) => {
            let slot = slots.push(first..first + b.len());
            let n = b.len().div_ceil(4);
            frequencies(code, b);
            Box::new(move |code| {
                code.repeat("i", n, |code| {
                    code.value("vec4", "t", "c.x * afterimage_fx[i] + c.y * afterimage_fy[i]");
                    code.line(&format!("x[{slot}u + i] = 1.0 - 4.0 * abs(t - floor(t + 0.5));"));
                });
            })
        }
        Features::Blobs(bins) => {
            blobs(code, *bins, [slots.push(first..first + bins), slots.push(first + bins..first + 2 * bins)])
        }
        Features::Grid { grid, levels } => {
            let slot = slots.push(first..first + grid.output_width());
            declare_grid(code, table, (grid, levels), precision);
            let (f, n) = (grid.features_per_level, grid.output_width().div_ceil(4));
            let last = grid.levels.len() - 1;
            Box::new(move |code| {
                code.repeat("i", n, |code| {
                    let level = |k: usize| match grid_step(f, k) {
                        step if k == 0 => format!("afterimage_level(c, {step}$t)"),
                        // Beyond the last level is nothing: the layer's weights there are 0.
                        step => format!("afterimage_level(c, min({step}, {last}u)$t)"),
                    };
                    let parts: Vec<String> = (0..(4 / f).max(1)).map(level).collect();
                    code.line(&format!("x[{slot}u + i] = vec4({});", parts.join(", ")));
                });
            })
        }
    }
}

/// The argument of `afterimage_level` for part `k` of vector `i`.
fn grid_step(features: usize, k: usize) -> String {
    match (features, k) {
        (1, _) => format!("4u * i + {k}u"),
        (2, _) => format!("2u * i + {k}u"),
        _ => "i".to_owned(),
    }
}

/// B, along x and along y.
fn frequencies(code: &mut Code, b: &[[f32; 2]]) {
    code.raw("// Cycles per unit of length, along x and along y.\n");
    for (axis, name) in ["afterimage_fx", "afterimage_fy"].into_iter().enumerate() {
        let along: Vec<f32> = b.iter().map(|b| b[axis]).collect();
        vectors(code, name, &along);
    }
}

/// sin(2 pi t): the polynomial of `model::real`, which is the same everywhere, unlike the built-in one.
pub(super) fn sine(code: &mut Code) {
    code.raw("// sin(2 pi t)\n");
    code.function(("vec4", "afterimage_sin"), &[("vec4", "t")], false, |code| {
        let quarter = code.dialect.splat("0.25");
        code.value("vec4", "u", "t - floor(t + 0.25) - 0.25");
        code.value("vec4", "r", &format!("{quarter} - abs(u)"));
        code.value("vec4", "s", "r * r");
        code.line(
            "return r * (6.2831855 + s * (-41.3417 + s * (81.605225 + s * (-76.70417 + s * (42.007797 - s * 14.381391)))));",
        );
    });
}

/// Shares of a blob in bins, and of its images `n` bins away: `encoding::one_blob`.
fn blobs(code: &mut Code, bins: usize, slots: [usize; 2]) -> Box<dyn FnOnce(&mut Code)> {
    code.raw("// The part of a blob in the bin that begins at `left`.\n");
    code.function(("vec4", "afterimage_cdf"), &[("vec4", "v")], false, |code| {
        let [low, high] = ["-1.0", "1.0"].map(|bound| code.dialect.splat(bound));
        code.value("vec4", "u", &format!("clamp(v, {low}, {high})"));
        code.value("vec4", "s", "u * u");
        code.line("return u * (0.9375 + s * (s * 0.1875 - 0.625));");
    });
    code.function(("vec4", "afterimage_share"), &[("vec4", "left")], false, |code| {
        code.line("return afterimage_cdf(left + 1.0) - afterimage_cdf(left);");
    });
    let n = literal(bins as f32);
    Box::new(move |code| {
        code.repeat("i", bins.div_ceil(4), |code| {
            code.value("vec4", "k", "float(4u * i) + vec4(0.0, 1.0, 2.0, 3.0)");
            for (axis, slot) in ["x", "y"].into_iter().zip(slots) {
                let left = format!("k - c.{axis} * {n}");
                code.line(&format!(
                    "x[{slot}u + i] = afterimage_share({left} - {n}) + afterimage_share({left}) + afterimage_share({left} + {n});"
                ));
            }
        });
    })
}

/// The function `afterimage_level(c, l)`: the interpolated features of level l, or four of its eight.
fn declare_grid(
    code: &mut Code,
    table: Option<&mut Table>,
    (grid, levels): (&HashGrid, &[Row]),
    precision: Precision,
) {
    let f = grid.features_per_level;
    let kind = ["", "float", "vec2", "", "vec4"][f.min(4)];
    code.raw("// Of each level: cells across, the first entry, and what the hash keeps; 0 where there is an entry for each vertex.\n");
    let level = |level: &crate::model::GridLevel| {
        let mask = if level.is_hashed() { level.n_entries - 1 } else { 0 };
        format!("uvec4({}u, {}u, {mask}u, 0u)", level.resolution, level.first_entry)
    };
    code.constants("uvec4", "afterimage_levels", &grid.levels.iter().map(level).collect::<Vec<_>>());
    if precision == Precision::U8 {
        code.raw("// Of each level: scale and offset.\n");
        let range = |row: &Row| constructed("vec2", &[row.scale, row.offset], Precision::F32);
        let ranges: Vec<String> = levels.iter().map(range).collect();
        code.constants("vec2", "afterimage_ranges", &ranges);
    }
    let codes = levels.iter().flat_map(|row| row.codes.iter().copied());
    let quad = match table {
        Some(table) => {
            let first = table.push(codes);
            let base = if first == 0 { String::new() } else { format!("{first}u + ") };
            Box::new(move |q: &str| format!("afterimage_quad({base}{q}$t)")) as Box<dyn Fn(&str) -> String>
        }
        None => {
            let mut codes: Vec<f32> = codes.collect();
            codes.resize(codes.len().next_multiple_of(4), 0.0);
            constant_entries(code, &codes, precision);
            Box::new(move |q: &str| match precision {
                Precision::U8 => format!("afterimage_bytes(uint(afterimage_entries[{q}]))"),
                _ => format!("afterimage_entries[{q}]"),
            })
        }
    };
    entry_function(code, (kind, f), &*quad);
    level_function(code, grid, (kind, precision));
}

/// The function `afterimage_entry`: of eight features, four at a time. `quad` gives four numbers of the table.
fn entry_function(code: &mut Code, (kind, f): (&str, usize), quad: &dyn Fn(&str) -> String) {
    let parameters = [("uvec4", "g"), ("uint", "x"), ("uint", "y"), ("uint", "part")];
    let parameters = if f == 8 { &parameters[..] } else { &parameters[..3] };
    code.raw("// The entry of vertex (x, y).\n");
    let dialect = code.dialect;
    code.function((kind, "afterimage_entry"), parameters, true, |code| {
        let hashed = format!("(x ^ (y * {HASH_PRIME}u)) & g.z");
        let dense = "y * (g.x + 2u) + x";
        let place = dialect.select("g.z != 0u", &format!("({hashed})"), &format!("({dense})"));
        code.value("uint", "e", &format!("g.y + ({place})"));
        match f {
            1 => {
                code.value("vec4", "v", &quad("(e >> 2u)"));
                code.line("return v[e & 3u];");
            }
            2 => {
                code.value("vec4", "v", &quad("(e >> 1u)"));
                code.line(&format!("return {};", dialect.select("(e & 1u) == 0u", "v.xy", "v.zw")));
            }
            4 => code.line(&format!("return {};", quad("e"))),
            _ => code.line(&format!("return {};", quad("(2u * e + part)"))),
        }
    });
}

fn constant_entries(code: &mut Code, codes: &[f32], precision: Precision) {
    if precision == Precision::U8 {
        return code.constants("word", "afterimage_entries", &packed(codes));
    }
    let written: Vec<String> = codes.chunks(4).map(|four| constructed("vec4", four, precision)).collect();
    code.constants("vec4", "afterimage_entries", &written);
}

fn level_function(code: &mut Code, grid: &HashGrid, (kind, precision): (&str, Precision)) {
    let (level, half) = match grid.features_per_level {
        8 => ("l >> 1u", ", l & 1u"),
        _ => ("l", ""),
    };
    code.raw("// The features of level l at c, interpolated between the vertices around it.\n");
    code.function((kind, "afterimage_level"), &[("vec2", "c"), ("uint", "l")], true, |code| {
        code.value("uvec4", "g", &format!("afterimage_levels[{level}]"));
        code.value("float", "n", "float(g.x)");
        code.value("vec2", "p", "clamp(c * n + 0.5, vec2(0.0, 0.0), vec2(n + 1.0, n + 1.0))");
        code.value("uvec2", "a", "min(uvec2(p), g.xx)");
        code.variable("vec2", "t", "p - vec2(a)");
        if grid.interpolation == Interpolation::Smoothstep {
            code.line("t = t * t * (3.0 - 2.0 * t);");
        }
        let vertex = |dx: u32, dy: u32| format!("afterimage_entry(g, a.x + {dx}u, a.y + {dy}u{half}$t)");
        for (name, dy) in [("above", 0), ("below", 1)] {
            code.value(kind, &format!("left_{name}"), &vertex(0, dy));
            let right = vertex(1, dy);
            code.value(kind, name, &format!("left_{name} + ({right} - left_{name}) * t.x"));
        }
        match precision {
            Precision::U8 => {
                code.value("vec2", "range", &format!("afterimage_ranges[{level}]"));
                code.line("return (above + (below - above) * t.y) * range.x + range.y;");
            }
            _ => code.line("return above + (below - above) * t.y;"),
        }
    });
}
