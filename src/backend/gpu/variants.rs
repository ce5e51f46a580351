//! Which of several kernels that compute the same thing a device uses: how values between layers are
//! stored, and how products are made of tiles.

use super::device::{Gpu, is_software};
use crate::backend::BackendError;
use crate::model::LayerShape;
use serde::{Deserialize, Serialize};

/// How a GPU computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Mixed where a hardware GPU has cooperative matrices, f32 elsewhere
    #[default]
    Auto,
    /// 32-bit floats throughout
    F32,
    /// Weights and sums in 32 bits, values between layers in 16; pictures are computed in 32
    Mixed,
}

/// How values between layers are stored: features, pre-activations and their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// One of the three products of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// (samples, inputs) by (inputs, outputs)
    Forward,
    /// (samples, outputs) by (outputs, inputs)
    BackwardInput,
    /// (outputs, samples) by (samples, inputs)
    BackwardWeights,
}

impl Operation {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardInput, Self::BackwardWeights];

    /// Rows and columns of the results for `n_samples` samples.
    pub fn results(self, shape: LayerShape, n_samples: usize) -> [usize; 2] {
        match self {
            Self::Forward => [n_samples, shape.output_width],
            Self::BackwardInput => [n_samples, shape.input_width],
            Self::BackwardWeights => [shape.output_width, shape.input_width],
        }
    }
}

/// How a matrix product is cut into tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// 64 x 64 results a workgroup, 8 x 8 a thread.
    #[default]
    Tile64,
    /// 32 x 32 results a workgroup, 4 x 4 a thread.
    Tile32,
    /// 128 x 128 results a workgroup, 8 x 8 a thread.
    Tile128,
    /// 256 x 4 results a workgroup, 4 x 4 a thread.
    TileTall,
    /// 4 x 256 results a workgroup, 4 x 4 a thread.
    TileWide,
    /// Cooperative matrices of 8 x 8, 64 x 64 results a workgroup. From f16, with sums in f32.
    Matrix8,
    /// The same of 16 x 16, 128 x 128 results a workgroup.
    Matrix16,
}

impl Product {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Tile64,
        Self::Tile32,
        Self::Tile128,
        Self::TileTall,
        Self::TileWide,
        Self::Matrix8,
        Self::Matrix16,
    ];

    /// For names of kernels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tile64 => "tile64",
            Self::Tile32 => "tile32",
            Self::Tile128 => "tile128",
            Self::TileTall => "tall",
            Self::TileWide => "wide",
            Self::Matrix8 => "matrix8",
            Self::Matrix16 => "matrix16",
        }
    }

    /// Rows and columns of the results of a workgroup, as in `shaders/matmul/`.
    pub fn tile(self) -> [usize; 2] {
        match self {
            Self::Tile64 | Self::Matrix8 => [64, 64],
            Self::Tile32 => [32, 32],
            Self::Tile128 | Self::Matrix16 => [128, 128],
            Self::TileTall => [256, 4],
            Self::TileWide => [4, 256],
        }
    }

    /// Rows and columns of a cooperative matrix, where it uses them.
    pub fn matrix_size(self) -> Option<u32> {
        match self {
            Self::Matrix8 => Some(8),
            Self::Matrix16 => Some(16),
            _ => None,
        }
    }

    /// What a workgroup computes for nothing: results of whole tiles over results wanted.
    pub fn waste(self, [rows, columns]: [usize; 2]) -> f64 {
        let [tile_rows, tile_columns] = self.tile();
        let computed = rows.next_multiple_of(tile_rows) * columns.next_multiple_of(tile_columns);
        computed as f64 / (rows * columns) as f64
    }

    /// What multiplies on a device that nothing was measured on, where it may use `preferred`: that, or the
    /// largest of the plain tiles that computes not much more than is wanted, or the one that computes least.
    fn untuned(preferred: Self, results: [usize; 2]) -> Self {
        let worth = |product: &Self| product.waste(results) < 1.5;
        let plain = [Self::Tile64, Self::Tile32, Self::TileTall, Self::TileWide];
        let least = || plain.into_iter().min_by(|a, b| a.waste(results).total_cmp(&b.waste(results)));
        [preferred].into_iter().chain(plain).find(worth).or_else(least).unwrap_or_default()
    }
}

/// A product that was found fastest for a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Which product of the layer.
    pub operation: Operation,
    /// Of the layer.
    pub input_width: usize,
    /// Of the layer.
    pub output_width: usize,
    /// What was fastest.
    pub product: Product,
}

impl Choice {
    /// Whether it is of this product.
    pub fn is_of(&self, operation: Operation, shape: LayerShape) -> bool {
        (self.operation, self.input_width, self.output_width)
            == (operation, shape.input_width, shape.output_width)
    }
}

/// What a plan is recorded with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Variants {
    /// Of the values between layers, in training.
    pub storage: Storage,
    /// Whether a training step is one kernel, as was measured; none where bytes are counted to decide.
    pub fused: Option<bool>,
    /// Of the products in training that are none of `tuned`, where it does not waste too much.
    pub product: Product,
    /// What was measured on this device.
    pub tuned: Vec<Choice>,
}

/// How a device trains a job, as it was chosen: a run that goes on there chooses the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Adapter, API and driver.
    pub device: String,
    /// What was chosen.
    pub variants: Variants,
}

impl Method {
    /// What was chosen, where `gpu` is the same device and `precision` allows it.
    pub fn on(&self, gpu: &Gpu, precision: Precision) -> Option<&Variants> {
        let allowed = match precision {
            Precision::Auto => true,
            Precision::F32 => self.variants.storage == Storage::F32,
            Precision::Mixed => self.variants.storage == Storage::F16,
        };
        (allowed && self.device == gpu.identity()).then_some(&self.variants)
    }
}

impl Variants {
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

    /// Only `product`, for every product.
    pub fn only(storage: Storage, product: Product, shapes: impl Iterator<Item = LayerShape>) -> Self {
        let all = shapes.flat_map(|LayerShape { input_width, output_width }| {
            Operation::ALL.map(|operation| Choice { operation, input_width, output_width, product })
        });
        Self { storage, product, tuned: all.collect(), ..Self::default() }
    }

    /// How to compute a layer's product.
    pub fn product(&self, operation: Operation, shape: LayerShape, n_samples: usize) -> Product {
        match self.tuned.iter().find(|choice| choice.is_of(operation, shape)) {
            Some(choice) => choice.product,
            None => Product::untuned(self.product, operation.results(shape, n_samples)),
        }
    }

    /// What `gpu` trains with when asked for `precision`, as far as it is known without measuring.
    ///
    /// # Errors
    /// When the device cannot do what is asked.
    pub fn choose(gpu: &Gpu, precision: Precision) -> Result<Self, BackendError> {
        let matrices = [Product::Matrix16, Product::Matrix8]
            .into_iter()
            .find(|product| product.matrix_size().is_some_and(|size| gpu.has_matrices(size)));
        let has_f16 = gpu.device.features().contains(wgpu::Features::SHADER_F16);
        let product = matrices.unwrap_or_default();
        let mixed = Self { storage: Storage::F16, product, ..Self::default() };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_unmeasured_wastes_little_where_something_fits() {
        for (results, product) in [
            ([16_384, 256], Product::Tile64),
            ([16_384, 3], Product::TileTall),
            ([3, 256], Product::TileWide),
            ([16_384, 32], Product::Tile32),
            ([3, 5], Product::Tile32),
            ([3, 128], Product::TileWide),
        ] {
            assert_eq!(Product::untuned(Product::Tile64, results), product, "{results:?}");
        }
        assert_eq!(Product::untuned(Product::Matrix16, [4096, 256]), Product::Matrix16);
        assert_eq!(Product::untuned(Product::Matrix16, [4096, 64]), Product::Tile64);
    }

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
