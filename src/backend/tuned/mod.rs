//! Which of several kernels that compute the same thing a device uses: how values between layers are
//! stored, how products are made of tiles, and whether a step is one kernel. Only data, which checkpoints
//! hold too: `gpu` has what depends on the device.

mod storage;
mod tiling;

pub use storage::{HALF_FLUSH, HALF_MAX, HALF_ROUNDING, Storage};
pub use tiling::{MatmulTiling, Operation, TunedTile};

use crate::model::LayerShape;
use serde::{Deserialize, Serialize};

/// What a plan is recorded with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelConfig {
    /// Of the values between layers, in training.
    pub storage: Storage,
    /// Whether a training step is one kernel, as was measured; none where bytes are counted to decide.
    pub fused: Option<bool>,
    /// Of the products in training that are none of `tuned`, where little is padding.
    #[serde(rename = "product")]
    pub tiling: MatmulTiling,
    /// What was measured on this device.
    pub tuned: Vec<TunedTile>,
}

/// How a device trains a job, as it was chosen: a run that goes on there chooses the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedConfig {
    /// Adapter, API and driver.
    pub device: String,
    /// What was chosen.
    #[serde(rename = "variants")]
    pub config: KernelConfig,
}

/// Time of all dispatches of a kernel within a step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTime {
    /// The kernel with its formulas.
    pub kernel: String,
    /// Dispatches a step.
    pub dispatches: usize,
    /// Milliseconds a step, from the device's own clock.
    pub ms: f64,
}

impl KernelConfig {
    /// What prediction uses, whatever training does: a picture is the same to the bit as one rendered from
    /// the model's file.
    pub fn prediction() -> Self {
        Self::default()
    }

    /// For people.
    pub fn name(&self) -> String {
        let way = if self.fused == Some(true) { "one kernel" } else { "by layers" };
        let storage = match self.storage {
            Storage::F32 => "f32",
            Storage::F16 => "mixed",
        };
        format!("{way}, {storage}")
    }

    /// Only `tiling`, for every product.
    pub fn only(storage: Storage, tiling: MatmulTiling, shapes: impl Iterator<Item = LayerShape>) -> Self {
        let all = shapes.flat_map(|LayerShape { input_width, output_width }| {
            Operation::ALL.map(|operation| TunedTile { operation, input_width, output_width, tiling })
        });
        Self { storage, tiling, tuned: all.collect(), ..Self::default() }
    }

    /// How to compute a layer's product.
    pub fn tiling(&self, operation: Operation, shape: LayerShape, n_samples: usize) -> MatmulTiling {
        match self.tuned.iter().find(|choice| choice.is_of(operation, shape)) {
            Some(choice) => choice.tiling,
            None => MatmulTiling::default_for(self.tiling, operation.results(shape, n_samples)),
        }
    }
}
