//! Which of several kernels that compute the same thing a device uses: how values between layers are
//! stored, how products are made of tiles, and whether a step is one kernel.

mod storage;
mod tiling;

pub use storage::{HALF_FLUSH, HALF_MAX, HALF_ROUNDING, Storage};
pub(crate) use tiling::possible;
pub use tiling::{MatmulTiling, Operation, TunedTile};

use crate::backend::BackendError;
use crate::backend::gpu::device::{Gpu, is_software};
use crate::model::LayerShape;
use serde::{Deserialize, Serialize};

/// How a GPU computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Whichever is faster on a hardware GPU, f32 on a software driver
    #[default]
    Auto,
    /// 32-bit floats throughout
    F32,
    /// Weights and sums in 32 bits, values between layers in 16; pictures are computed in 32
    Mixed,
}

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

impl TunedConfig {
    /// What was chosen, where `gpu` is the same device and `precision` allows it.
    pub fn on(&self, gpu: &Gpu, precision: Precision) -> Option<&KernelConfig> {
        let storage = self.config.storage;
        let allowed = match precision {
            Precision::Auto => true,
            Precision::F32 => storage == Storage::F32,
            Precision::Mixed => storage == Storage::F16,
        };
        let is_there = self.device == gpu.identity() && self.config.are_on(gpu);
        (allowed && is_there).then_some(&self.config)
    }
}

impl KernelConfig {
    /// What prediction uses, whatever training does: a picture is the same to the bit as one rendered from
    /// the model's file.
    pub fn prediction() -> Self {
        Self::default()
    }

    /// Whether `gpu` has all of them: what a file says may be anything.
    pub(crate) fn are_on(&self, gpu: &Gpu) -> bool {
        let has = |tiling: MatmulTiling| possible(gpu, self.storage).any(|p| p == tiling);
        has(self.tiling) && self.tuned.iter().all(|choice| has(choice.tiling))
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

    /// What `gpu` trains with when asked for `precision`, as far as it is known without measuring.
    ///
    /// # Errors
    /// When the device cannot do what is asked.
    pub fn choose(gpu: &Gpu, precision: Precision) -> Result<Self, BackendError> {
        let matrices = [MatmulTiling::Matrix16, MatmulTiling::Matrix8]
            .into_iter()
            .find(|tiling| tiling.matrix_size().is_some_and(|size| gpu.has_matrices(size)));
        let has_f16 = gpu.device.features().contains(wgpu::Features::SHADER_F16);
        let tiling = matrices.unwrap_or_default();
        let mixed = Self { storage: Storage::F16, tiling, ..Self::default() };
        match precision {
            Precision::Mixed if !has_f16 => Err(BackendError::NoAdapter(format!(
                "{} has no 16-bit floats in shaders (SHADER_F16), which --precision mixed needs; use --precision f32",
                gpu.info.name
            ))),
            Precision::Mixed => Ok(mixed),
            // A software driver computes matrices one product at a time, and takes seconds to compile each kernel.
            Precision::Auto if has_f16 && matrices.is_some() && !is_software(&gpu.info) => Ok(mixed),
            Precision::Auto | Precision::F32 => Ok(Self::default()),
        }
    }
}
