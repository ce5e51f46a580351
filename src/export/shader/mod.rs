//! One function in a shading language, `vec3 afterimage(vec2 uv)`, and what it needs.

mod code;
mod dialect;
mod features;
mod numbers;
mod shown;

pub(super) use dialect::{Dialect, TABLE_WIDTH};
pub(super) use numbers::Places;

use super::program::{Colors, Features, Program};
use super::rounding::Precision;
use crate::model::Activation;
use code::Code;
use features::Slots;
use numbers::{Table, literal};

/// A shader and, unless it is empty, the table that it reads.
pub(super) struct Shader {
    pub(super) text: String,
    pub(super) table: Vec<u8>,
}

/// `program` in `dialect`; `is_shown` adds `vec3 afterimage_shown(vec2 uv)`, its colours as a screen shows them.
pub(super) fn shader(program: &Program, dialect: Dialect, places: Places, is_shown: bool) -> Shader {
    let grids_in_table = places.grids_in_table && program.grid().is_some();
    let has_table = places.layers_in_table || grids_in_table;
    let mut table = Table::new(program.precision);
    let mut code = Code::new(dialect, has_table);
    if has_table {
        code.raw(dialect.table());
    }
    numbers::readers(&mut code, program.precision, has_table);
    if uses_sines(program) {
        features::sine(&mut code);
    }
    let (mut slots, mut first, mut encode) = (Slots::default(), 0, Vec::new());
    for part in &program.features {
        let table = grids_in_table.then_some(&mut table);
        encode.push(features::declare(&mut code, table, (part, first, program.precision), &mut slots));
        first += part.width();
    }
    let layers = declare_layers(&mut code, places.layers_in_table.then_some(&mut table), program, slots.0);
    let kind = if program.colors.has_alpha() { "vec4" } else { "vec3" };
    code.function((kind, "afterimage"), &[("vec2", "uv")], true, |code| {
        let [scale, offset] =
            [program.scale, program.offset].map(|[x, y]| format!("vec2({}, {})", literal(x), literal(y)));
        let shift = if program.offset == [0.0; 2] { String::new() } else { format!(" + {offset}") };
        code.value("vec2", "c", &format!("uv * {scale}{shift}"));
        code.array("vec4", "x", layers[0].n_inputs);
        encode.into_iter().for_each(|encode| encode(code));
        layers.iter().enumerate().for_each(|(n, layer)| layer.write(code, n));
        colors(code, &program.colors, &format!("h{}[0]", layers.len() - 1));
    });
    if is_shown {
        shown::function(&mut code, &program.colors);
    }
    let (body, table) = (code.finish(), table.bytes());
    Shader { text: format!("{}{body}", heading(program, dialect, (body.len(), table.len()))), table }
}

/// Comments above everything.
fn heading(program: &Program, dialect: Dialect, (text, table): (usize, usize)) -> String {
    let [width, height] = program.size;
    let kind = if program.colors.has_alpha() { "vec4" } else { "vec3" };
    let beside = match table {
        0 => String::new(),
        bytes => format!(", and {:.1} kB in a table", bytes as f64 / 1000.0),
    };
    let wrapped = if dialect == Dialect::Glsl { "// For GLSL ES 3.00, and GLSL from 4.20 on.\n" } else { "" };
    let loader = if table == 0 { String::new() } else { dialect.loader(table) };
    let metal =
        if dialect == Dialect::Msl { "#include <metal_stdlib>\nusing namespace metal;\n\n" } else { "" };
    let (title, colors, work) = (program.title(), program.about_colors(), program.multiply_adds());
    let (kilobytes, precision) = (text as f64 / 1000.0, program.precision);
    format!(
        "// {title}.\n\
         // {kind} afterimage(vec2 uv): uv from (0, 0) at the top left to (1, 1); colours are\n\
         // {colors}.\n\
         // {kilobytes:.1} kB{beside}; weights are {precision}; {work} multiply-adds a pixel.\n\
         // Shown smaller than {width}x{height}, average several calls a pixel, or the picture flickers (aliasing).\n\
         {wrapped}{loader}{metal}"
    )
}

fn uses_sines(program: &Program) -> bool {
    let is_sine = |a: Activation| {
        matches!(a, Activation::Sine { .. } | Activation::Finer { .. } | Activation::Gabor { .. })
    };
    program.features.iter().any(|part| matches!(part, Features::Fourier(_)))
        || program.layers.iter().any(|layer| is_sine(layer.activation))
}

/// A layer whose numbers are declared.
struct Declared {
    /// Vectors of four.
    n_inputs: usize,
    n_outputs: usize,
    matrix: String,
    has_scales: bool,
    activation: &'static str,
}

impl Declared {
    /// The statements that compute h`n` from x or the layer before.
    fn write(&self, code: &mut Code, n: usize) {
        let input = if n == 0 { "x".to_owned() } else { format!("h{}", n - 1) };
        code.array("vec4", &format!("h{n}"), self.n_outputs);
        code.repeat("i", self.n_outputs, |code| {
            let bias = format!("afterimage_b{n}[i]");
            let start = if self.has_scales { code.dialect.splat("0.0") } else { bias.clone() };
            code.variable("vec4", "z", &start);
            code.repeat("j", self.n_inputs, |code| {
                let product = code.dialect.product(&self.matrix, &format!("{input}[j]"));
                code.line(&format!("z += {product};"));
            });
            if self.has_scales {
                code.line(&format!("z = z * afterimage_s{n}[i] + {bias};"));
            }
            let value =
                if self.activation.is_empty() { "z".to_owned() } else { format!("{}(z)", self.activation) };
            code.line(&format!("h{n}[i] = {value};"));
        });
    }
}

fn declare_layers(
    code: &mut Code,
    mut table: Option<&mut Table>,
    program: &Program,
    mut columns: Vec<Option<usize>>,
) -> Vec<Declared> {
    let mut declared = Vec::new();
    let (hidden, last) = (program.layers[0].activation, program.layers.len() - 1);
    let output = program.layers[last].activation;
    let hidden_name = activation(code, "afterimage_hidden", hidden);
    let output_name =
        if output == hidden { hidden_name } else { activation(code, "afterimage_output", output) };
    for (n, layer) in program.layers.iter().enumerate() {
        let (n_inputs, n_outputs) = (columns.len().div_ceil(4), layer.weight.len().div_ceil(4));
        let (from, to) = (layer.weight[0].codes.len(), layer.weight.len());
        code.raw(&format!("// Layer {n}, {from} to {to}, by blocks of 4x4: weights and biases.\n"));
        let blocks = numbers::blocks(&layer.weight, &columns);
        let (name, place) = (format!("afterimage_w{n}"), format!("{n_inputs}u * i + j"));
        let table = table.as_deref_mut();
        let matrix = numbers::matrices(code, table, (&name, program.precision), &blocks, &place);
        let has_scales = program.precision == Precision::U8;
        if has_scales {
            let scales: Vec<f32> = layer.weight.iter().map(|row| row.scale).collect();
            numbers::vectors(code, &format!("afterimage_s{n}"), &scales);
        }
        numbers::vectors(code, &format!("afterimage_b{n}"), &layer.bias);
        let activation = if n == last { output_name } else { hidden_name };
        declared.push(Declared { n_inputs, n_outputs, matrix, has_scales, activation });
        columns = (0..layer.weight.len()).map(Some).collect();
    }
    declared
}

/// Declares an activation; its name is empty for the identity.
fn activation(code: &mut Code, name: &'static str, activation: Activation) -> &'static str {
    let splat = |value: &str| code.dialect.splat(value);
    // Not beyond the range of exp, which may be anything there.
    let sigmoid = |u: &str| format!("1.0 / (1.0 + exp(min(-({u}), {})))", splat("80.0"));
    let turns = |w0: f32| literal((f64::from(w0) / std::f64::consts::TAU) as f32);
    let value = match activation {
        Activation::Identity => return "",
        Activation::Relu => format!("max(z, {})", splat("0.0")),
        Activation::LeakyRelu { slope } => {
            format!("max(z, {0}) + {1} * min(z, {0})", splat("0.0"), literal(slope))
        }
        Activation::Gelu => format!("z * ({})", sigmoid("1.5957691 * z * (1.0 + 0.044715 * z * z)")),
        Activation::Silu => format!("z * ({})", sigmoid("z")),
        Activation::Sigmoid => sigmoid("z"),
        Activation::Tanh => format!("2.0 * ({}) - 1.0", sigmoid("2.0 * z")),
        Activation::Softplus => format!("max(z, {}) + log(1.0 + exp(-abs(z)))", splat("0.0")),
        Activation::Sine { w0 } => format!("afterimage_sin(z * {})", turns(w0)),
        Activation::Finer { w0 } => format!("afterimage_sin((abs(z) + 1.0) * z * {})", turns(w0)),
        Activation::Gaussian { scale } => format!("exp(z * z * {})", literal(-0.5 / (scale * scale))),
        Activation::Gabor { w0, scale } => {
            format!("afterimage_sin(z * {} + 0.25) * exp(z * z * {})", turns(w0), literal(-scale * scale))
        }
    };
    code.function(("vec4", name), &[("vec4", "z")], false, |code| code.line(&format!("return {value};")));
    name
}

/// Returns the colours of the last layer's values.
fn colors(code: &mut Code, colors: &Colors, values: &str) {
    let splat = |value: &str| code.dialect.splat(value);
    let decoded = match (colors.is_linear, colors.is_logarithmic()) {
        (false, _) => format!("clamp({values}, {}, {})", splat("0.0"), splat("1.0")),
        (true, false) => format!("{values} * {}", literal(1.0 / colors.transfer.scale)),
        (true, true) => format!(
            "sign({values}) * (exp(min(4.0 * abs({values}), {})) - 1.0) * {}",
            splat("88.0"),
            literal(1.0 / colors.transfer.scale)
        ),
    };
    code.value("vec4", "v", &decoded);
    let alpha = |component: &str| match colors.is_linear {
        true => format!("{values}.{component}"),
        false => format!("v.{component}"),
    };
    code.line(&match colors.channels {
        1 => "return v.xxx;".to_owned(),
        2 => format!("return vec4(v.xxx, {});", alpha("y")),
        3 => "return v.xyz;".to_owned(),
        _ => format!("return vec4(v.xyz, {});", alpha("w")),
    });
}
