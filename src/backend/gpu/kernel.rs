//! What a kernel is: the one place where WGSL meets Rust.
//!
//! A [`KernelDef`] names the shader's parts, its bindings in order, its parameter block, and the
//! CPU function that says what it must compute. The conformance tests, `afterimage verify` and the
//! reflection test walk [`kernels`], so a kernel added to [`DEFINITIONS`] is covered by itself.

use super::ops;
pub(super) use super::params::params_block;
pub use super::params::{ParamsBlock, StepParams};
use crate::model::Activation;
use crate::model::activation::turns_per_unit;
use bytemuck::Pod;

/// A WGSL file: its path below `shaders/` and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path below `shaders/`.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Includes a file of `shaders/`.
macro_rules! wgsl {
    ($path:literal) => {
        $crate::backend::gpu::kernel::Source {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)),
        }
    };
}
pub(super) use wgsl;

/// Whether a shader may write a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
}

/// A storage binding; number n of a kernel is `@group(0) @binding(n + 1)`, after the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name in WGSL.
    pub name: &'static str,
    /// What the shader may do with it.
    pub access: Access,
}

/// Shorthand for a binding the shader only reads.
pub(super) const fn read(name: &'static str) -> Binding {
    Binding { name, access: Access::Read }
}

/// Shorthand for a binding the shader writes.
pub(super) const fn write(name: &'static str) -> Binding {
    Binding { name, access: Access::ReadWrite }
}

/// A kernel before its activation and constants are chosen.
#[derive(Debug)]
pub struct KernelDef {
    /// Stem of its shader.
    pub name: &'static str,
    /// Files joined after `header.wgsl` and the activation.
    pub parts: &'static [Source],
    /// Whether an activation is composed in.
    pub uses_activation: bool,
    /// Whether `@group(1) @binding(0)` holds [`StepParams`].
    pub uses_step: bool,
    /// Storage bindings in order.
    pub bindings: &'static [Binding],
    /// `@group(0) @binding(0)`.
    pub params: ParamsBlock,
    /// Values for the shader's own override constants, used when it is verified.
    pub example_constants: &'static [(&'static str, f64)],
    /// What it must compute.
    pub reference: fn(&Call) -> Vec<Expected>,
    /// Inputs to try.
    pub cases: fn(&Kernel) -> Vec<Case>,
}

/// A kernel that can be compiled: a definition with its activation and constants.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What is common to all variants.
    pub def: &'static KernelDef,
    /// The activation composed in; identity for kernels without one.
    pub activation: Activation,
    /// The shader's own override constants; the activation's are added.
    pub constants: Vec<(&'static str, f64)>,
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.def, other.def)
            && self.activation == other.activation
            && self.constants == other.constants
    }
}

const HEADER: Source = wgsl!("header.wgsl");

/// Activations with their snippets and override constants.
const ACTIVATIONS: [(Activation, Source); 4] = [
    (Activation::Identity, wgsl!("activation/identity.wgsl")),
    (Activation::Relu, wgsl!("activation/relu.wgsl")),
    (Activation::Sine { w0: 30.0 }, wgsl!("activation/sine.wgsl")),
    (Activation::Sigmoid, wgsl!("activation/sigmoid.wgsl")),
];

/// Every kernel there is.
pub static DEFINITIONS: &[&KernelDef] = &[
    &ops::sample::SAMPLE,
    &ops::sample::RASTER,
    &ops::encode::IDENTITY,
    &ops::encode::FOURIER,
    &ops::grid::ENCODE,
    &ops::grid::BACKWARD,
    &ops::grid::GRADIENTS,
    &ops::dense::FORWARD,
    &ops::dense::BACKWARD_INPUT,
    &ops::dense::BACKWARD_WEIGHTS,
    &ops::dense::REDUCE_PARTIALS,
    &ops::loss::MSE,
    &ops::loss::REDUCE,
    &ops::optimizer::SGD,
    &ops::optimizer::MOMENTUM,
    &ops::optimizer::ADAM,
    &ops::predict::OUTPUT,
];

/// Every kernel with every activation composed in.
pub fn kernels() -> Vec<Kernel> {
    let variants = |def: &'static KernelDef| {
        let n = if def.uses_activation { ACTIVATIONS.len() } else { 1 };
        ACTIVATIONS[..n].iter().map(move |&(activation, _)| Kernel {
            def,
            activation,
            constants: def.example_constants.to_vec(),
        })
    };
    DEFINITIONS.iter().flat_map(|def| variants(def)).collect()
}

impl Kernel {
    /// A kernel without activation and constants.
    pub fn plain(def: &'static KernelDef) -> Self {
        Self { def, activation: Activation::Identity, constants: Vec::new() }
    }

    /// A kernel with an activation composed in.
    pub fn with_activation(def: &'static KernelDef, activation: Activation) -> Self {
        Self { def, activation, constants: Vec::new() }
    }

    /// `stem` or `stem.activation`.
    pub fn name(&self) -> String {
        if self.def.uses_activation {
            format!("{}.{}", self.def.name, self.activation.name())
        } else {
            self.def.name.to_owned()
        }
    }

    /// The files joined into its shader, in order.
    pub fn sources(&self) -> Vec<Source> {
        let mut sources = vec![HEADER];
        if self.def.uses_activation {
            let name = self.activation.name();
            let snippet = ACTIVATIONS.iter().find(|(a, _)| a.name() == name);
            sources.push(snippet.expect("every activation has a row in ACTIVATIONS").1);
        }
        sources.extend(self.def.parts);
        sources
    }

    /// Its complete WGSL.
    pub fn wgsl(&self) -> String {
        let texts: Vec<_> = self.sources().iter().map(|source| source.text).collect();
        texts.join("\n")
    }

    /// Values of all override constants.
    pub fn override_constants(&self) -> Vec<(&'static str, f64)> {
        let mut constants = self.constants.clone();
        if let (true, Activation::Sine { w0 }) = (self.def.uses_activation, self.activation) {
            constants.push(("w0", f64::from(w0)));
            constants.push(("turns_per_unit", turns_per_unit::<f64>(w0)));
        }
        constants
    }
}

/// One dispatch as its reference sees it: everything the kernel could read.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The kernel with its constants.
    pub kernel: &'a Kernel,
    /// The parameter block's bytes.
    pub params: &'a [u8],
    /// What changes from step to step.
    pub step: StepParams,
    /// Contents of the storage bindings before the dispatch, as 32-bit words.
    pub buffers: &'a [Vec<u32>],
}

impl Call<'_> {
    /// The parameter block.
    pub fn params<P: Pod>(&self) -> P {
        bytemuck::pod_read_unaligned(&self.params[..size_of::<P>()])
    }

    /// Binding `n` as floats.
    pub fn f32s(&self, n: usize) -> &[f32] {
        bytemuck::cast_slice(&self.buffers[n])
    }

    /// The first `len` floats of binding `n` from `start`, widened.
    pub fn f64s(&self, n: usize, start: usize, len: usize) -> Vec<f64> {
        self.f32s(n)[start..start + len].iter().map(|&v| f64::from(v)).collect()
    }

    /// The override constant `name`.
    pub fn constant(&self, name: &str) -> f64 {
        let found = self.kernel.constants.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("{} has no constant {name}", self.kernel.name())).1
    }
}

/// What a range of a binding must hold after a dispatch. Words outside every range must not change.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Number of the storage binding.
    pub binding: usize,
    /// First word.
    pub start: usize,
    /// The words.
    pub values: ExpectedValues,
}

/// Expected contents.
#[derive(Clone, Debug)]
pub enum ExpectedValues {
    /// Floats, each within its tolerance.
    Close {
        /// In f64.
        values: Vec<f64>,
        /// The largest error allowed for each.
        tolerances: Vec<f64>,
    },
    /// Signed 64-bit integers in units of 2^-52, low word first, each within its tolerance.
    FixedPoint {
        /// As numbers, in f64.
        values: Vec<f64>,
        /// The largest error allowed for each.
        tolerances: Vec<f64>,
    },
    /// The same words.
    Bits(Vec<u32>),
}

/// Floats with tolerances, from word `start` of `binding`.
pub(super) fn close(binding: usize, start: usize, values: Vec<f64>, tolerances: Vec<f64>) -> Expected {
    Expected { binding, start, values: ExpectedValues::Close { values, tolerances } }
}

/// Inputs to verify a kernel with.
#[derive(Clone, Debug)]
pub struct Case {
    /// Shape, for people.
    pub label: String,
    /// The parameter block's bytes.
    pub params: Vec<u8>,
    /// Per-step parameters.
    pub step: StepParams,
    /// Contents of the storage bindings; outputs hold poison.
    pub buffers: Vec<Vec<u32>>,
    /// Workgroups in x and y.
    pub grid: [u32; 2],
}

/// A quiet NaN that no kernel computes: what outputs hold before a dispatch.
pub const POISON: u32 = 0x7fc0_dead;
