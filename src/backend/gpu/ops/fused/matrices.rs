//! The sizes of a step by cooperative matrices, beyond those of its rows: see `fused/matrices.wgsl`.

use crate::backend::gpu::kernel::{Kernel, MatmulTiling};
use crate::model::{LayerShape, Mlp};

/// Matrices of gradients that a subgroup keeps in registers at most: `sum0`.. in `fused/matrices_gradients.wgsl`. They are
/// half of what a thread has where 32 threads share 16 x 16 numbers.
const MOST_SUMS: usize = 16;
/// `DEPTH` in `fused/matrices.wgsl`.
const DEPTH: usize = 64;
/// `PARTS` there.
const PARTS: usize = 2;
/// Numbers that a row of f16 is padded by there, and one of f32.
const PADDING: [usize; 2] = [8, 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matrices {
    pub(super) tiling: MatmulTiling,
    /// Matrices of gradients that a subgroup keeps in registers.
    pub(super) sums: usize,
    /// Rows of pre-activations, each with the gradient of a bias.
    pub(super) bias_rows: usize,
}

impl Matrices {
    /// For a network whose features are taken `slice` at a time.
    pub(super) fn new(
        tiling: MatmulTiling,
        network: &Mlp,
        (slice, bias_rows): (usize, usize),
        block: usize,
    ) -> Self {
        let size = side(tiling);
        let rounds = |outputs: usize, inputs: usize| {
            (outputs.div_ceil(size) * inputs.div_ceil(size)).div_ceil(PARTS * block / size)
        };
        let of_layer = |(index, layer): (usize, LayerShape)| {
            let step = if index == 0 { slice } else { layer.input_width };
            let slices = (0..layer.input_width).step_by(step);
            slices.map(|k| rounds(layer.output_width, step.min(layer.input_width - k))).sum::<usize>()
        };
        let wanted: usize = network.layers().enumerate().map(of_layer).sum();
        Self { tiling, sums: wanted.min(MOST_SUMS), bias_rows }
    }

    /// Those of a kernel that is compiled with some.
    pub(super) fn of_kernel(kernel: &Kernel) -> Option<Self> {
        kernel.tiling.matrix_size()?;
        let size = |name| kernel.size(name) as usize;
        Some(Self { tiling: kernel.tiling, sums: size("N_SUMS"), bias_rows: size("BIAS_ROWS") })
    }

    /// Subgroups of a workgroup: some for each matrix's width of samples.
    pub(super) fn subgroups(self, block: usize) -> usize {
        PARTS * block / side(self.tiling)
    }

    /// Bytes of workgroup memory beside the rows and the positions of the samples.
    pub(super) fn bytes(self, block: usize) -> usize {
        let size = side(self.tiling);
        let tile_rows = 2 * PARTS * size;
        let (weights, biases) = (2 * tile_rows * (DEPTH + PADDING[0]), 4 * tile_rows);
        let results = 4 * PARTS * block * (size + PADDING[1]);
        weights + biases + results + 4 * self.bias_rows
    }
}

/// Rows and columns of a matrix.
pub(super) fn side(tiling: MatmulTiling) -> usize {
    tiling.matrix_size().expect("a tiling with cooperative matrices") as usize
}

/// Vectors of four samples in a row of `block`, with its padding.
pub(super) fn pitch(block: usize) -> usize {
    (block + PADDING[0]) / 4
}
