//! Which of several equivalent kernels a device uses: how values between layers are stored, how products are tiled,
//! and whether a step is fused. Only data, which checkpoints hold too; the device-dependent code is in `gpu`.

mod storage;
mod tiling;

pub use storage::{HALF_FLUSH, HALF_MAX, HALF_ROUNDING, Storage};
pub use tiling::{MatmulTiling, Operation, TunedTile};

use crate::model::LayerShape;
use serde::{Deserialize, Serialize};

/// The kernel choices a plan is recorded with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelConfig {
    /// Storage of values between layers, in training.
    pub storage: Storage,
    /// Whether a training step is one kernel, as measured; `None` to decide by counting bytes.
    pub fused: Option<bool>,
    /// The cooperative matrices that a fused step multiplies with, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fused_tiling: Option<MatmulTiling>,
    /// The blocks of a fused step, as measured; `None` for the largest that fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fused_block: Option<FusedBlock>,
    /// Whether a kernel of its own fetches the samples of a fused step that could fetch them itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub separate_samples: bool,
    /// For training products that are not in `tuned`, unless padding makes it wasteful.
    #[serde(rename = "product")]
    pub tiling: MatmulTiling,
    /// What was measured on this device.
    pub tuned: Vec<TunedTile>,
}

/// What a workgroup of a fused step takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FusedBlock {
    /// Samples: 16, 32, 64 or 128.
    pub samples: usize,
    /// Threads at most. With cooperative matrices, the samples decide.
    pub threads: usize,
}

/// How a device trains a job: a run resumed on the same device trains the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedConfig {
    /// Adapter, API and driver.
    pub device: String,
    /// The choice.
    #[serde(rename = "variants")]
    pub config: KernelConfig,
}

/// Time of all dispatches of a kernel within a step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTime {
    /// The kernel with its formulas.
    pub kernel: String,
    /// Dispatches per step.
    pub dispatches: usize,
    /// Milliseconds per step, by the device's own clock.
    pub ms: f64,
}

impl KernelConfig {
    /// What predictions use, whatever training does: a picture is the same to the bit as one rendered from the model
    /// file.
    pub fn prediction() -> Self {
        Self::default()
    }

    /// For display.
    pub fn name(&self) -> String {
        let way = match (self.fused, self.fused_tiling) {
            (Some(true), None) => "in one kernel",
            (Some(true), Some(_)) => "in one kernel with matrices",
            _ => "by layers",
        };
        let block = self.fused_block.map(|FusedBlock { samples, threads }| match self.fused_tiling {
            None => format!(", {samples} samples and at most {threads} threads at a time"),
            Some(_) => format!(", {samples} samples at a time"),
        });
        let storage = match self.storage {
            Storage::F32 => "f32",
            Storage::F16 => "mixed",
        };
        let samples = if self.separate_samples { " after another for its samples" } else { "" };
        format!("{way}{samples}, {storage}{}", block.unwrap_or_default())
    }

    /// Uses `tiling` for every product.
    pub fn only(storage: Storage, tiling: MatmulTiling, shapes: impl Iterator<Item = LayerShape>) -> Self {
        let all = shapes.flat_map(|LayerShape { input_width, output_width }| {
            Operation::ALL.map(|operation| TunedTile { operation, input_width, output_width, tiling })
        });
        Self { storage, tiling, tuned: all.collect(), ..Self::default() }
    }

    /// The tiling of a layer's product.
    pub fn tiling(&self, operation: Operation, shape: LayerShape, n_samples: usize) -> MatmulTiling {
        match self.tuned.iter().find(|choice| choice.is_of(operation, shape)) {
            Some(choice) => choice.tiling,
            None => MatmulTiling::default_for(self.tiling, operation.results(shape, n_samples)),
        }
    }
}
