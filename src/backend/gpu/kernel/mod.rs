//! Kernel definitions: where WGSL meets Rust.
//!
//! A [`KernelDef`] names the shader's parts, its bindings in order, its parameter block, and the CPU function that
//! defines its result. The conformance tests, `afterimage verify` and the reflection test iterate over the table of
//! all kernels, so every kernel in it is tested.

mod alignment;
mod call;
pub mod compare;
mod config;
pub mod halves;
mod networks;
pub mod params;
mod source;
pub mod tolerance;

pub(super) use alignment::Alignment;
pub use call::Case;
pub(crate) use call::{Call, Expected, ExpectedValues};
pub(super) use call::{SUM_UNIT, close, close_bounded, fixed_point};
pub(super) use config::possible;
pub(crate) use halves::POISON;
pub(crate) use networks::PART_WORDS;
pub(crate) use params::StepParams;
pub(super) use params::params_block;
pub use params::{Params, ParamsBlock, STEP_BLOCK};
pub use source::Cells;

pub use crate::backend::tuned::{
    FusedBlock, KernelConfig, MatmulTiling, Operation, Storage, TunedConfig, TunedTile,
};
pub use crate::job::Precision;

use crate::backend::gpu::device::{Gpu, WIDE_ATOMICS};
use crate::model::{Activation, Loss, Optimizer};

/// A WGSL file: its path below `shaders/` and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub path: &'static str,
    pub(crate) text: &'static str,
}

/// Includes a file of `shaders/`, by its path or as the file of a module in a folder.
macro_rules! wgsl {
    ($path:expr) => {
        $crate::backend::gpu::kernel::Source {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)),
        }
    };
    ($folder:literal, $module:ident) => {
        $crate::backend::gpu::kernel::wgsl!(concat!($folder, "/", stringify!($module), ".wgsl"))
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
    pub name: &'static str,
    pub access: Access,
    /// Whether its elements are `Stored`: f32 or f16, by the kernel's [`Storage`].
    pub(crate) is_stored: bool,
}

pub(super) const fn read(name: &'static str) -> Binding {
    Binding { name, access: Access::Read, is_stored: false }
}

pub(super) const fn write(name: &'static str) -> Binding {
    Binding { name, access: Access::ReadWrite, is_stored: false }
}

pub(super) const fn read_stored(name: &'static str) -> Binding {
    Binding { is_stored: true, ..read(name) }
}

pub(super) const fn write_stored(name: &'static str) -> Binding {
    Binding { is_stored: true, ..write(name) }
}

/// Which formulas of `model` are joined to a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specialization {
    None,
    Activation,
    /// Any activation, and a core for matrix products: which of the three products it is.
    Matmul(Operation),
    /// A loss and an output activation.
    Loss,
    /// An update rule with this many moments.
    Optimizer(usize),
    /// For a whole network: a hidden activation, an output activation and, in training, a loss.
    Network {
        /// Whether it trains.
        loss: bool,
    },
}

/// A kernel before its formulas are chosen.
#[derive(Debug)]
pub struct KernelDef {
    /// Base name of its shader.
    pub name: &'static str,
    /// Files joined after `header.wgsl` and the formulas.
    pub(crate) parts: &'static [Source],
    /// Those of a network's kernel with cooperative matrices, if it has one.
    pub(crate) parts_with_matrices: &'static [Source],
    pub specialization: Specialization,
    /// Whether `@group(1) @binding(0)` holds [`StepParams`].
    pub uses_step: bool,
    pub bindings: &'static [Binding],
    /// `@group(0) @binding(0)`.
    pub params: ParamsBlock,
    /// Device features needed beyond WebGPU's defaults.
    pub(crate) needs: wgpu::Features,
    /// Whether it adds to fixed-point sums, by one 64-bit atomic or two of 32 bits.
    pub(crate) adds_fixed_point: bool,
    /// The CPU function that defines its result.
    pub(crate) reference: fn(&Call) -> Vec<Expected>,
    pub cases: fn(&Kernel) -> Vec<Case>,
}

impl KernelDef {
    /// Defaults that fit most kernels: no formulas, no per-step parameters, no optional features. The parameters and
    /// the reference must be given.
    pub(super) const fn plain<P: Params>(
        reference: fn(&Call) -> Vec<Expected>,
        cases: fn(&Kernel) -> Vec<Case>,
    ) -> Self {
        Self {
            name: "",
            parts: &[],
            parts_with_matrices: &[],
            specialization: Specialization::None,
            uses_step: false,
            bindings: &[],
            params: P::BLOCK,
            needs: wgpu::Features::empty(),
            adds_fixed_point: false,
            reference,
            cases,
        }
    }
}

impl PartialEq for KernelDef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A kernel that can be compiled: a definition with its formulas.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    pub def: &'static KernelDef,
    /// The activation joined in; identity for kernels without one.
    pub(crate) activation: Activation,
    pub(crate) loss: Option<Loss>,
    pub(crate) optimizer: Option<Optimizer>,
    /// Storage of its stored bindings; f32 for kernels without any.
    pub(crate) storage: Storage,
    /// The tiling of its product, if it is one, or a network's cooperative matrices.
    pub tiling: MatmulTiling,
    /// How its matrices are aligned, if it is one.
    pub(crate) alignment: Alignment,
    /// Whether its fixed-point sums are added to by 64-bit atomics.
    pub(crate) wide_atomics: bool,
    /// Whether it computes several networks at once: see [`networks`].
    pub(crate) for_networks: bool,
    /// The output activation joined in, beside the hidden one.
    pub(crate) output: Option<Activation>,
    /// Values of override constants set by the host: sizes.
    pub(crate) sizes: Vec<(&'static str, u32)>,
    /// Bytes of workgroup memory that a whole network takes with cooperative matrices.
    network_bytes: u32,
}

impl Kernel {
    pub fn plain(def: &'static KernelDef) -> Self {
        Self {
            def,
            activation: Activation::Identity,
            loss: None,
            optimizer: None,
            storage: Storage::F32,
            tiling: MatmulTiling::Tile64,
            alignment: Alignment::ALL,
            wide_atomics: false,
            for_networks: false,
            output: None,
            sizes: Vec::new(),
            network_bytes: 0,
        }
    }

    pub(crate) fn with_activation(def: &'static KernelDef, activation: Activation) -> Self {
        Self { activation, ..Self::plain(def) }
    }

    pub(crate) fn with_loss(def: &'static KernelDef, loss: Loss, output: Activation) -> Self {
        Self { activation: output, loss: Some(loss), ..Self::plain(def) }
    }

    pub(crate) fn with_optimizer(def: &'static KernelDef, optimizer: Optimizer) -> Self {
        Self { optimizer: Some(optimizer), ..Self::plain(def) }
    }

    /// The same with this storage, if it has stored values.
    pub(crate) fn stored_as(self, storage: Storage) -> Self {
        Self { storage: if self.stores() { storage } else { Storage::F32 }, ..self }
    }

    /// The same with 64-bit atomics, if it adds to fixed-point sums.
    pub(crate) fn with_wide_atomics(self) -> Self {
        Self { wide_atomics: self.def.adds_fixed_point, ..self }
    }

    /// The same for several networks at once.
    pub(crate) fn for_networks(self) -> Self {
        Self { for_networks: true, ..self }
    }

    /// Whether it has values between layers, in bindings or in workgroup memory.
    fn stores(&self) -> bool {
        let keeps = matches!(self.def.specialization, Specialization::Network { .. });
        keeps || self.def.bindings.iter().any(|binding| binding.is_stored)
    }

    pub(crate) fn tiled(self, tiling: MatmulTiling) -> Self {
        Self { tiling, ..self }
    }

    /// A whole network's kernel with such matrices and so much workgroup memory.
    pub(crate) fn with_matrices(self, tiling: MatmulTiling, network_bytes: u32) -> Self {
        Self { tiling, network_bytes, ..self }
    }

    /// Workgroup memory that it takes with cooperative matrices.
    pub fn workgroup_bytes(&self) -> u32 {
        match self.def.specialization {
            Specialization::Matmul(_) => self.tiling.workgroup_bytes(self.storage),
            _ => self.network_bytes,
        }
    }

    pub(crate) fn aligned(self, alignment: Alignment) -> Self {
        Self { alignment, ..self }
    }

    /// A whole network's kernel, with its hidden and output activations and the sizes it is compiled for.
    pub(crate) fn with_network(
        def: &'static KernelDef,
        loss: Option<Loss>,
        [activation, output]: [Activation; 2],
        sizes: Vec<(&'static str, u32)>,
    ) -> Self {
        Self { activation, loss, output: Some(output), sizes, ..Self::plain(def) }
    }

    pub(crate) fn size(&self, name: &str) -> u32 {
        let size = self.sizes.iter().find(|(known, _)| *known == name);
        size.unwrap_or_else(|| panic!("{} has no size {name}", self.def.name)).1
    }

    /// Device features needed beyond WebGPU's defaults.
    pub fn needs(&self) -> wgpu::Features {
        let f16 =
            if self.storage == Storage::F16 { wgpu::Features::SHADER_F16 } else { wgpu::Features::empty() };
        let matrices = match self.tiling.matrix_size() {
            Some(_) => wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
            None => wgpu::Features::empty(),
        };
        let atomics = if self.wide_atomics { WIDE_ATOMICS } else { wgpu::Features::empty() };
        self.def.needs | f16 | matrices | atomics
    }

    pub(crate) fn storage_of(&self, n: usize) -> Storage {
        if self.def.bindings[n].is_stored { self.storage } else { Storage::F32 }
    }

    /// Test cases, as its bindings store them.
    pub fn cases(&self) -> Vec<Case> {
        let mut cases = (self.def.cases)(self);
        if self.storage == Storage::F16 {
            let stored = |(n, _): &(usize, &mut Vec<u32>)| self.def.bindings[*n].is_stored;
            for case in &mut cases {
                let buffers = case.buffers.iter_mut().enumerate().filter(stored);
                buffers.for_each(|(_, words)| *words = halves::pack(words));
            }
        }
        if self.for_networks {
            cases = cases.into_iter().map(networks::repeated).collect();
        }
        cases
    }

    fn uses_activation(&self) -> bool {
        matches!(
            self.def.specialization,
            Specialization::Activation
                | Specialization::Matmul(_)
                | Specialization::Loss
                | Specialization::Network { .. }
        )
    }

    /// The base name, then the names of its formulas, separated by dots.
    pub fn name(&self) -> String {
        let alignment = self.alignment.name();
        let mut names = vec![self.def.name];
        names.extend((self.storage == Storage::F16).then_some("f16"));
        names.extend(self.wide_atomics.then_some("u64"));
        names.extend(self.for_networks.then_some("networks"));
        names.extend((self.tiling != MatmulTiling::default()).then(|| self.tiling.name()));
        names.extend(alignment.as_deref());
        names.extend(self.sizes.contains(&("ROWS_OF_FOURS", 0)).then_some("odd-rows"));
        names.extend(self.loss.map(Loss::name));
        names.extend(self.optimizer.map(Optimizer::name));
        if self.uses_activation() {
            names.push(self.activation.name());
        }
        names.extend(self.output.map(Activation::name));
        names.join(".")
    }

    pub fn runs_on(&self, gpu: &Gpu) -> bool {
        self.lacks_on(gpu).is_none()
    }

    /// What `gpu` lacks for it, if anything.
    pub fn lacks_on(&self, gpu: &Gpu) -> Option<String> {
        let missing = self.needs() - gpu.device.features();
        match self.tiling.matrix_size() {
            _ if !missing.is_empty() => Some(missing.to_string()),
            Some(size) if !gpu.has_matrices(size, self.storage) => {
                let of = if self.storage == Storage::F16 { "" } else { " from f32" };
                Some(format!("cooperative matrices of {size} x {size}{of}"))
            }
            Some(_)
                if !self.tiling.fits(gpu, self.storage)
                    || self.workgroup_bytes() > gpu.limits.max_compute_workgroup_storage_size =>
            {
                Some(format!("{} bytes of workgroup memory, or subgroups that fit", self.workgroup_bytes()))
            }
            _ => None,
        }
    }
}
