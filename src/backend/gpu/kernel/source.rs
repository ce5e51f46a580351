//! The text of a kernel: which files are joined into it, and the constants it is compiled with.

use super::networks::for_networks;
use super::{Kernel, Source, Specialization, Storage, wgsl};
use crate::backend::gpu::device::{Gpu, Shader};
use crate::model::activation::{activations, turns_per_unit};
use crate::model::loss::losses;
use crate::model::optimizer::optimizers;
use crate::model::{Activation, Optimizer};

const HEADER: Source = wgsl!("header.wgsl");
const STORAGE_F32: Source = wgsl!("storage/f32.wgsl");
const STORAGE_F16: Source = wgsl!("storage/f16.wgsl");
const FOURS: Source = wgsl!("fours.wgsl");
const FIXED_POINT: Source = wgsl!("fixed_point.wgsl");
const FIXED_POINT_32: Source = wgsl!("fixed_point_32.wgsl");
const FIXED_POINT_64: Source = wgsl!("fixed_point_64.wgsl");
const ENABLE_MATRICES: Source = wgsl!("matmul/enable_matrices.wgsl");

/// Defines a function from the name of a formula to its shader.
macro_rules! snippets {
    ($function:ident of $folder:literal: $($module:ident $name:literal)+) => {
        fn $function(name: &str) -> Source {
            match name {
                $($name => wgsl!($folder, $module),)+
                _ => unreachable!("every formula has a row in its table"),
            }
        }
    };
}
activations!(snippets, activation_source of "activation":);
losses!(snippets, loss_source of "loss":);
optimizers!(snippets, optimizer_source of "optimizer":);

/// The same for the output activation.
fn output_source(output: Activation) -> Source {
    match output {
        Activation::Identity => wgsl!("output/identity.wgsl"),
        Activation::Sigmoid => wgsl!("output/sigmoid.wgsl"),
        other => unreachable!("{} follows no last layer", other.name()),
    }
}

/// The elements of workgroup memory that cooperative matrices pass through, and of what they are loaded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Vectors of four, of which f16 are loaded as words, eight in one load.
    OfFourFromWords,
    /// Vectors of four, loaded as such: AMD's compiler converts halves that come from words to f32 and back.
    OfFour,
    /// Single numbers, as Metal wants them.
    OfOne,
}

impl Cells {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OfFourFromWords, Self::OfFour, Self::OfOne];

    fn on(gpu: &Gpu) -> Self {
        match (gpu.info.backend, gpu.info.vendor) {
            (wgpu::Backend::Metal, _) => Self::OfOne,
            (_, AMD) => Self::OfFour,
            _ => Self::OfFourFromWords,
        }
    }
}

/// AMD's number as a vendor of PCI devices.
const AMD: u32 = 0x1002;

impl Kernel {
    /// The files joined into its shader, in order.
    pub fn sources(&self, cells: Cells) -> Vec<Source> {
        let mut sources = Vec::new();
        sources.extend(self.tiling.matrix_size().map(|_| ENABLE_MATRICES));
        if self.stores() {
            sources.push(if self.storage == Storage::F16 { STORAGE_F16 } else { STORAGE_F32 });
        }
        sources.push(HEADER);
        if self.uses_activation() {
            sources.push(activation_source(self.activation.name()));
        }
        sources.extend(self.output.map(output_source));
        sources.extend(self.loss.map(|loss| loss_source(loss.name())));
        sources.extend(self.optimizer.map(|rule| optimizer_source(rule.name())));
        match self.def.specialization {
            Specialization::Matmul(operation) => {
                sources.extend([FOURS, self.alignment.results_source(operation)]);
                sources.extend(self.tiling.sources());
            }
            Specialization::Network { .. } => sources.push(FOURS),
            _ => (),
        }
        sources.extend(self.tiling.matrix_source());
        if self.tiling.matrix_size().is_some() && matches!(self.def.specialization, Specialization::Matmul(_))
        {
            sources.push(match (self.storage, cells) {
                (Storage::F16, Cells::OfFourFromWords) => wgsl!("matmul/chunks_of_halves.wgsl"),
                _ => wgsl!("matmul/chunks_of_numbers.wgsl"),
            });
        }
        sources.extend(self.tiling.matrix_size().map(|_| match cells {
            Cells::OfFourFromWords | Cells::OfFour => wgsl!("matmul/cells_of_four.wgsl"),
            Cells::OfOne => wgsl!("matmul/cells_of_one.wgsl"),
        }));
        if self.def.adds_fixed_point {
            sources.extend([FIXED_POINT, if self.wide_atomics { FIXED_POINT_64 } else { FIXED_POINT_32 }]);
        }
        let has_matrices = self.tiling.matrix_size().is_some() && !self.def.parts_with_matrices.is_empty();
        sources.extend(if has_matrices { self.def.parts_with_matrices } else { self.def.parts });
        sources
    }

    pub fn wgsl(&self, cells: Cells) -> String {
        let texts: Vec<_> = self.sources(cells).iter().map(|source| source.text).collect();
        let text = texts.join("\n");
        if self.for_networks { for_networks(&text, self.def.bindings) } else { text }
    }

    pub fn override_constants(&self) -> Vec<(&'static str, f64)> {
        let mut constants = self.optimizer.map(Optimizer::constants).unwrap_or_default();
        constants.extend(self.sizes.iter().map(|&(name, size)| (name, f64::from(size))));
        if matches!(self.def.specialization, Specialization::Matmul(_)) {
            constants.extend(self.alignment.constants());
        }
        let widen = |(name, value): (&'static str, f32)| (name, f64::from(value));
        constants.extend(self.loss.iter().flat_map(|loss| loss.params()).map(widen));
        if self.uses_activation() {
            constants.extend(self.activation.params().into_iter().map(widen));
            constants.extend(self.activation.param("w0").map(|w0| ("turns_per_unit", turns_per_unit(w0))));
        }
        constants
    }

    pub(crate) fn shader(&self, gpu: &Gpu) -> Shader {
        let mut constants = self.override_constants();
        if self.tiling.matrix_size().is_some() {
            constants.push(("subgroup_size", gpu.subgroup_size().into()));
        }
        Shader { name: self.name(), wgsl: self.wgsl(Cells::on(gpu)), constants }
    }
}
