//! Where a shader's numbers are: in its text, or in a table beside it.

use super::super::rounding::{Precision, Row, shortest};
use super::code::Code;
use super::dialect::TABLE_WIDTH;
use half::f16;

/// Where the weights of layers and the entries of grids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Places {
    /// Layers in the table, rather than as constants.
    pub(in super::super) layers_in_table: bool,
    /// Entries of grids in the table, rather than as constants.
    pub(in super::super) grids_in_table: bool,
}

/// The table as it grows, in quads: four numbers of the precision, which shaders read together.
pub(super) struct Table {
    precision: Precision,
    codes: Vec<f32>,
}

impl Table {
    pub(super) fn new(precision: Precision) -> Self {
        Self { precision, codes: Vec::new() }
    }

    /// Appends `codes` and returns the number of their first quad.
    pub(super) fn push(&mut self, codes: impl IntoIterator<Item = f32>) -> usize {
        let first = self.codes.len() / 4;
        self.codes.extend(codes);
        self.codes.resize(self.codes.len().next_multiple_of(4), 0.0);
        first
    }

    /// Whole rows of a texture; none if there is nothing in it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = match self.precision {
            Precision::F32 => self.codes.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Precision::F16 => self.codes.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Precision::U8 => self.codes.iter().map(|&v| byte(v)).collect(),
        };
        bytes.resize(bytes.len().next_multiple_of(16 * TABLE_WIDTH), 0);
        bytes
    }
}

fn byte(code: f32) -> u8 {
    (code + 128.0) as u8
}

/// The functions that read numbers: `afterimage_bytes` of a word, `afterimage_quad` of the table.
pub(super) fn readers(code: &mut Code, precision: Precision, has_table: bool) {
    if precision == Precision::U8 {
        code.function(("vec4", "afterimage_bytes"), &[("uint", "w")], false, |code| {
            code.line("return vec4(uvec4(w & 255u, (w >> 8u) & 255u, (w >> 16u) & 255u, w >> 24u)) - 128.0;");
        });
    }
    if !has_table {
        return;
    }
    code.raw("// Numbers 4 q to 4 q + 3 of the table.\n");
    let dialect = code.dialect;
    code.function(("vec4", "afterimage_quad"), &[("uint", "q")], true, |code| match precision {
        Precision::F32 => code.line(&format!("return {};", dialect.floats(&dialect.entry("q")))),
        Precision::F16 => {
            code.value("uvec4", "w", &dialect.entry("(q >> 1u)"));
            code.value("uvec2", "v", &dialect.select("(q & 1u) == 0u", "w.xy", "w.zw"));
            code.line(&format!("return vec4({}, {});", dialect.halves("v.x"), dialect.halves("v.y")));
        }
        Precision::U8 => {
            code.value("uvec4", "w", &dialect.entry("(q >> 2u)"));
            code.line("return afterimage_bytes(w[q & 3u]);");
        }
    });
}

/// The 4x4 blocks of a weight matrix, padded with zeros: by rows of blocks, each column by column. `columns` says which
/// input is in which place.
pub(super) fn blocks(rows: &[Row], columns: &[Option<usize>]) -> Vec<[f32; 16]> {
    let code = |row: usize, column: usize| match (rows.get(row), columns.get(column)) {
        (Some(row), Some(Some(column))) => row.codes[*column],
        _ => 0.0,
    };
    let block = |i: usize, j: usize| std::array::from_fn(|k| code(4 * i + k % 4, 4 * j + k / 4));
    let (n, m) = (rows.len().div_ceil(4), columns.len().div_ceil(4));
    (0..n).flat_map(|i| (0..m).map(move |j| block(i, j))).collect()
}

/// Declares `blocks` as constants called `name`, or puts them into the table, and returns the expression for block `k`.
pub(super) fn matrices(
    code: &mut Code,
    table: Option<&mut Table>,
    (name, precision): (&str, Precision),
    blocks: &[[f32; 16]],
    k: &str,
) -> String {
    if let Some(table) = table {
        let first = table.push(blocks.iter().flatten().copied());
        let quads: Vec<String> =
            (0..4).map(|c| format!("afterimage_quad({}u + 4u * ({k})$t)", first + c)).collect();
        return format!("mat4({})", quads.join(", "));
    }
    if precision == Precision::U8 {
        code.constants("word", name, &packed(blocks.as_flattened()));
        let columns: Vec<String> =
            (0..4).map(|c| format!("afterimage_bytes(uint({name}[4u * ({k}) + {c}u]))")).collect();
        return format!("mat4({})", columns.join(", "));
    }
    let written: Vec<String> = blocks.iter().map(|block| constructed("mat4", block, precision)).collect();
    code.constants("mat4", name, &written);
    format!("{name}[{k}]")
}

/// Codes of 8 bits, four to a word.
pub(super) fn packed(codes: &[f32]) -> Vec<String> {
    let word = |four: &[f32; 4]| format!("0x{:x}", u32::from_le_bytes(four.map(byte)));
    codes.as_chunks().0.iter().map(word).collect()
}

/// `kind(a, b, ..)`
pub(super) fn constructed(kind: &str, values: &[f32], precision: Precision) -> String {
    let numbers: Vec<String> = values.iter().map(|&v| shortest(v, precision)).collect();
    format!("{kind}({})", numbers.join(","))
}

/// Vectors of four exact numbers, padded with zeros, as constants called `name`.
pub(super) fn vectors(code: &mut Code, name: &str, values: &[f32]) {
    let four = |values: &[f32]| {
        let padded: [f32; 4] = std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0));
        constructed("vec4", &padded, Precision::F32)
    };
    let written: Vec<String> = values.chunks(4).map(four).collect();
    code.constants("vec4", name, &written);
}

/// `value` as a float in an expression, with a point.
pub(super) fn literal(value: f32) -> String {
    let text = shortest(value, Precision::F32);
    let text = if text.contains(['.', 'e']) { text } else { format!("{text}.0") };
    if value < 0.0 { format!("({text})") } else { text }
}
