//! A trained network in the languages of other programs.
//!
//! [`Program`] says what is computed and holds the numbers, rounded to a [`Precision`]. Each target has one writer of it;
//! the shading languages share one, whose dialects are a table (`shader/dialect.rs`). Compressed pictures are exported with
//! a decoder (`decoder.rs`).

mod decoder;
mod numpy;
mod onnx;
mod page;
mod program;
mod rounding;
mod shader;
mod shadertoy;

pub use decoder::{check_compressed, export_compressed};
pub use page::Extras;
pub use program::{Colors, Features, Layer, Program};
pub use rounding::{Precision, Row};

use crate::names::{Named, named};
use shader::{Dialect, Places, shader};

named! {
    /// What a model is exported to.
    pub enum Target {
        /// GLSL ES 3.00, or GLSL from 4.20 on: a function of uv
        Glsl "glsl",
        /// HLSL from shader model 5 on
        Hlsl "hlsl",
        /// WGSL
        Wgsl "wgsl",
        /// The Metal Shading Language
        Msl "msl",
        /// A shader to paste into Shadertoy
        Shadertoy "shadertoy",
        /// A web page that needs nothing else, with WebGPU or WebGL2
        Html "html",
        /// An ONNX graph, opset 18: uv (N, 2) to colours (N, channels)
        Onnx "onnx",
        /// A Python file that needs only NumPy
        Numpy "numpy",
    }
}

/// A model in another language.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file.
    pub file: Vec<u8>,
    /// A second file, for a texture or buffer that a shader reads.
    pub table: Option<Vec<u8>>,
}

impl Target {
    /// The precision unless one is asked for: what computes with floats of 32 bits gets them.
    pub fn usual_precision(self) -> Precision {
        match self {
            Self::Onnx | Self::Numpy => Precision::F32,
            _ => Precision::F16,
        }
    }

    /// The ending of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Msl => "metal",
            Self::Shadertoy => "shadertoy.glsl",
            Self::Numpy => "py",
            other => other.name(),
        }
    }
}

/// `program` in the language of `target`; a page also has the `extras`.
///
/// # Errors
/// When the target cannot say it, in a sentence.
pub fn export(program: &Program, target: Target, extras: &Extras) -> Result<Exported, String> {
    let dialect = match target {
        Target::Glsl => Dialect::Glsl,
        Target::Hlsl => Dialect::Hlsl,
        Target::Wgsl => Dialect::Wgsl,
        Target::Msl => Dialect::Msl,
        single => {
            let file = match single {
                Target::Shadertoy => shadertoy::shader_of(program)?.into_bytes(),
                Target::Html => page::page(program, extras)?.into_bytes(),
                Target::Numpy => numpy::source(program).into_bytes(),
                _ => onnx::graph(program),
            };
            return Ok(Exported { file, table: None });
        }
    };
    let places = Places { layers_in_table: false, grids_in_table: true };
    let shader = shader(program, dialect, places, false);
    let table = (!shader.table.is_empty()).then_some(shader.table);
    Ok(Exported { file: shader.text.into_bytes(), table })
}
