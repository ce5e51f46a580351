//! Uniform blocks: `Pod` structs with the names and offsets of their fields.

use crate::model::{Optimizer, Refinements, Step};

/// Declares a parameter block: a `Pod` struct with the names and offsets of its fields, which a test compares with
/// the shader's struct.
macro_rules! params_block {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name { $($(#[$field_meta])* pub $field: $kind,)* }

        impl $crate::backend::gpu::kernel::params::Params for $name {
            const BLOCK: $crate::backend::gpu::kernel::params::ParamsBlock =
                $crate::backend::gpu::kernel::params::ParamsBlock {
                    name: stringify!($name),
                    size: size_of::<$name>(),
                    fields: &[$((stringify!($field), core::mem::offset_of!($name, $field)),)*],
                };
        }
    };
}
pub(crate) use params_block;

/// What [`params_block`] declares.
pub trait Params: bytemuck::Pod {
    /// The block as the reflection test sees it.
    const BLOCK: ParamsBlock;
}

/// A uniform block: struct name, size and the offset of every field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamsBlock {
    /// Name of the struct, the same in WGSL and in Rust.
    pub name: &'static str,
    pub size: usize,
    /// (name, offset in bytes)
    pub fields: &'static [(&'static str, usize)],
}

params_block! {
    /// What changes between steps; one slot per step of a submission, at a dynamic offset.
    StepParams {
        /// Keys of the epoch's Feistel network.
        keys: [u32; 4],
        /// Bits in each half of its block.
        half_bits: u32,
        /// Samples in the epoch.
        n_samples: u32,
        /// First sample of the step within the epoch.
        first_sample: u32,
        /// Slot of the loss ring.
        slot: u32,
        /// Of the update rule, see [`Optimizer::factors`].
        factors: [f32; 4],
        /// The same for the encoding's weights.
        encoding_factors: [f32; 4],
        /// Of the weights' moving average, see [`Refinements::average_rate`].
        average_rate: f32,
        /// Low half of the step's number.
        index: u32,
        /// Learning rate of matrices that are updated as a whole, and factor on their weights.
        matrix_lr: f32,
        matrix_keep: f32,
    }
}

/// The block of what changes between steps.
pub const STEP_BLOCK: ParamsBlock = StepParams::BLOCK;

impl StepParams {
    /// Parameters of `step`, which writes its loss to `slot`.
    pub(crate) fn new(step: &Step, optimizer: Optimizer, refinements: &Refinements, slot: u32) -> Self {
        let matrix_lr = refinements.matrix_rate * step.lr;
        let decay = optimizer.param("weight_decay").unwrap_or(0.0);
        let factors = |lr: f64| optimizer.factors(step.index, lr).map(|factor| factor as f32);
        Self {
            keys: step.shuffle.keys,
            half_bits: step.shuffle.half_bits,
            n_samples: step.shuffle.n,
            first_sample: step.first_sample,
            slot,
            factors: factors(step.lr),
            encoding_factors: factors(refinements.encoding_rate * step.lr),
            average_rate: refinements.average_rate(step.index) as f32,
            index: step.index as u32,
            matrix_lr: matrix_lr as f32,
            matrix_keep: (1.0 - matrix_lr * decay) as f32,
        }
    }
}
