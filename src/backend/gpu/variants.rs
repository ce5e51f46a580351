//! Which of several kernels that compute the same thing a device uses: how values between layers are
//! stored, and how products are made of tiles.

use super::device::Gpu;
use crate::backend::BackendError;
use serde::{Deserialize, Serialize};

/// How a GPU computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Mixed where the GPU has cooperative matrices, f32 elsewhere
    #[default]
    Auto,
    /// 32-bit floats throughout
    F32,
    /// Weights and sums in 32 bits, values between layers in 16; pictures are computed in 32
    Mixed,
}

/// How values between layers are stored: features, pre-activations and their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As they are computed.
    #[default]
    F32,
    /// In half the memory.
    F16,
}

impl Storage {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::F32, Self::F16];
}

/// Relative error of an f32 rounded to f16 in a direction that WGSL leaves open.
pub const HALF_ROUNDING: f64 = 1.0 / (1 << 10) as f64;

/// The largest f16.
pub const HALF_MAX: f64 = 65_504.0;

/// The smallest normal f16: below it, denormals may be flushed to zero.
pub const HALF_FLUSH: f64 = 1.0 / (1 << 14) as f64;

/// Gradients in f16 are stored this many times as large, times the samples of the step to the nearest
/// power of two below: near 1, where f16 is exact to three digits, instead of below what it can hold.
/// Those beyond its range clip. tiny-cuda-nn's default loss scale is the same.
const LOSS_SCALE: f64 = 128.0;

impl Storage {
    /// Bytes of a value.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// What gradients are multiplied with while they are stored, in a step of `n_values` samples times
    /// channels: a power of two, so that taking it back is exact.
    pub fn gradient_scale(self, n_values: usize) -> f32 {
        match self {
            Self::F32 => 1.0,
            Self::F16 => (LOSS_SCALE * f64::from(n_values as u32).log2().floor().exp2()) as f32,
        }
    }
}

/// How a matrix product is cut into tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// 64 x 64 results a workgroup, 8 x 8 a thread.
    #[default]
    Tile64,
    /// Cooperative matrices of 8 x 8, 64 x 64 results a workgroup. From f16, with sums in f32.
    Matrix8,
    /// The same of 16 x 16, 128 x 128 results a workgroup.
    Matrix16,
}

impl Product {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Tile64, Self::Matrix8, Self::Matrix16];

    /// For names of kernels; the first has none.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tile64 => "",
            Self::Matrix8 => "matrix8",
            Self::Matrix16 => "matrix16",
        }
    }

    /// Rows and columns of the results of a workgroup: `TILE` in `shaders/matmul/`.
    pub fn tile(self) -> usize {
        match self {
            Self::Tile64 | Self::Matrix8 => 64,
            Self::Matrix16 => 128,
        }
    }

    /// What multiplies a layer of these widths: small layers would leave most of a large tile idle.
    pub fn for_widths(self, input_width: usize, output_width: usize) -> Self {
        let narrowest = input_width.min(output_width);
        if self.matrix_size().is_some() && 2 * narrowest < self.tile() { Self::Tile64 } else { self }
    }

    /// Rows and columns of a cooperative matrix, where it uses them.
    pub fn matrix_size(self) -> Option<u32> {
        match self {
            Self::Tile64 => None,
            Self::Matrix8 => Some(8),
            Self::Matrix16 => Some(16),
        }
    }
}

/// What a plan is recorded with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variants {
    /// Of the values between layers, in training.
    pub storage: Storage,
    /// Of the products, in training.
    pub product: Product,
}

impl Variants {
    /// What prediction uses, whatever training does: a picture is the same to the bit as one rendered from
    /// the model's file.
    pub const PREDICTION: Self = Self { storage: Storage::F32, product: Product::Tile64 };

    /// What `gpu` trains with when asked for `precision`.
    ///
    /// # Errors
    /// When the device cannot do what is asked.
    pub fn choose(gpu: &Gpu, precision: Precision) -> Result<Self, BackendError> {
        let matrices = [Product::Matrix16, Product::Matrix8]
            .into_iter()
            .find(|product| product.matrix_size().is_some_and(|size| gpu.has_matrices(size)));
        let has_f16 = gpu.device.features().contains(wgpu::Features::SHADER_F16);
        let mixed = Self { storage: Storage::F16, product: matrices.unwrap_or_default() };
        match precision {
            Precision::Mixed if !has_f16 => Err(BackendError::NoAdapter(format!(
                "{} has no 16-bit floats in shaders (SHADER_F16), which --precision mixed needs; use --precision f32",
                gpu.info.name
            ))),
            Precision::Mixed => Ok(mixed),
            Precision::Auto if has_f16 && matrices.is_some() => Ok(mixed),
            Precision::Auto | Precision::F32 => Ok(Self::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_gradients_are_powers_of_two_near_the_number_of_values() {
        for n in [1, 3, 1000, 3 << 20, u32::MAX as usize] {
            let scale = f64::from(Storage::F16.gradient_scale(n));
            assert_eq!(scale.log2().fract(), 0.0, "{n}");
            let share = scale / LOSS_SCALE / n as f64;
            assert!(share > 0.5 && share <= 1.0, "{n}: {share}");
        }
        assert_eq!(Storage::F32.gradient_scale(7), 1.0);
    }
}
