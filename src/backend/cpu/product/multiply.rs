//! A linear layer over samples, forward and backward.

use super::{multiply_add, tiles, whole_groups, with_height};
use crate::backend::cpu::panels::PANEL;
use crate::backend::cpu::simd::{SimdReal, TileWork, in_tiles};
use pulp::Simd;

/// out = W x + b for each sample. Forward, W is a layer's weights; backward to its inputs, their transpose, without
/// b.
pub struct Multiply<'a, T> {
    /// (rows, depth) as packed by `pack`.
    pub weights: &'a [T],
    /// b: (rows)
    pub bias: Option<&'a [T]>,
    /// Features of the result.
    pub rows: usize,
    /// Features of x.
    pub depth: usize,
}

impl<T: SimdReal> Multiply<'_, T> {
    /// x: sample panels of `depth` features, out: sample panels of `rows` features. `then` is called with each block
    /// of `out` as soon as it is written, while it is in L1, and with its offset.
    pub fn run(&self, x: &[[T; PANEL]], out: &mut [[T; PANEL]], then: impl FnMut(usize, &mut [[T; PANEL]])) {
        assert_eq!(self.weights.len(), self.rows * self.depth, "weights of a product");
        assert_eq!(x.len() / self.depth, out.len() / self.rows, "panels of a product");
        in_tiles::<T, _>(MultiplyPanels { product: self, x, out, then });
    }
}

pub(super) struct MultiplyPanels<'a, T, F> {
    pub(super) product: &'a Multiply<'a, T>,
    pub(super) x: &'a [[T; PANEL]],
    pub(super) out: &'a mut [[T; PANEL]],
    pub(super) then: F,
}

impl<T: SimdReal, F: FnMut(usize, &mut [[T; PANEL]])> TileWork for MultiplyPanels<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn with<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(mut self, simd: S) {
        let Multiply { depth, rows, .. } = *self.product;
        let n_panels = self.x.len() / depth;
        let grouped = whole_groups(n_panels, PANELS);
        let (mut weights, mut first) = (self.product.weights, 0);
        while first < rows {
            let n_rows = rows_of_block::<T>(depth, ROWS).min(rows - first);
            let (block, rest) = weights.split_at(n_rows * depth);
            let block = Block { weights: block, first, n_rows, product: self.product };
            for panel in (0..grouped).step_by(PANELS) {
                self.panels::<S, ROWS, PANELS, VECTORS>(simd, block, panel);
            }
            for panel in grouped..n_panels {
                self.panels::<S, ROWS, 1, VECTORS>(simd, block, panel);
            }
            (weights, first) = (rest, first + n_rows);
        }
    }
}

impl<T: SimdReal, F: FnMut(usize, &mut [[T; PANEL]])> MultiplyPanels<'_, T, F> {
    /// `PANELS` panels from `panel` on.
    #[inline(always)]
    fn panels<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        block: Block<T>,
        panel: usize,
    ) {
        let Multiply { depth, rows, .. } = *self.product;
        let x = &self.x[panel * depth..(panel + PANELS) * depth];
        let out = &mut self.out[panel * rows..(panel + PANELS) * rows];
        multiply_panels::<T, S, ROWS, PANELS, VECTORS>(simd, block, x, out);
        for p in 0..PANELS {
            let written = p * rows + block.first..p * rows + block.first + block.n_rows;
            (self.then)(panel * rows + written.start, &mut out[written]);
        }
    }
}

/// Bytes of weights applied to all panels of a chunk before the next: a quarter of a 512 KiB L2 cache.
const BLOCK_BYTES: usize = 128 << 10;

/// Rows of weights, whole tiles, that are read at a time.
fn rows_of_block<T>(depth: usize, height: usize) -> usize {
    (BLOCK_BYTES / (size_of::<T>() * depth * height)).max(1) * height
}

/// Some rows of a product's weights.
#[derive(Clone, Copy)]
struct Block<'a, T> {
    weights: &'a [T],
    first: usize,
    n_rows: usize,
    product: &'a Multiply<'a, T>,
}

/// One or two panels of samples through all tiles of some weights: the panels stay in L1.
#[inline(always)]
fn multiply_panels<T: SimdReal, S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
    simd: S,
    block: Block<T>,
    x: &[[T; PANEL]],
    out: &mut [[T; PANEL]],
) {
    let (rows, depth) = (block.product.rows, block.product.depth);
    let x: [&[[T; PANEL]]; PANELS] = std::array::from_fn(|p| &x[p * depth..(p + 1) * depth]);
    let mut weights = block.weights;
    for (offset, height) in tiles(block.n_rows, ROWS) {
        let first = block.first + offset;
        let (tile, rest) = weights.split_at(height * depth);
        weights = rest;
        let bias = block.product.bias.map(|bias| &bias[first..]);
        macro_rules! tile {
            ($height:expr) => {
                multiply_tile::<T, S, { $height }, PANELS, VECTORS>(
                    simd,
                    tile,
                    bias,
                    x,
                    (rows, &mut out[first..]),
                )
            };
        }
        with_height!(height, ROWS, tile);
    }
}

/// weights: (depth, H), x: (depth, 16) each -> H rows of each panel of `out`, which are `stride` apart.
#[inline(always)]
fn multiply_tile<T: SimdReal, S: Simd, const H: usize, const PANELS: usize, const VECTORS: usize>(
    simd: S,
    weights: &[T],
    bias: Option<&[T]>,
    x: [&[[T; PANEL]]; PANELS],
    (stride, out): (usize, &mut [[T; PANEL]]),
) {
    let mut sums = [[[T::splat(simd, T::zero()); VECTORS]; PANELS]; H];
    if let Some(bias) = bias {
        for (row, &b) in sums.iter_mut().zip(&bias[..H]) {
            *row = [[T::splat(simd, b); VECTORS]; PANELS];
        }
    }
    let weights = weights.as_chunks::<H>().0;
    let x = x.map(|x| &x[..weights.len()]);
    for (k, w) in weights.iter().enumerate() {
        multiply_add(simd, &mut sums, |r| w[r], x.map(|x| &x[k]));
    }
    for p in 0..PANELS {
        let out = out[p * stride..].first_chunk_mut::<H>().expect("rows of a tile");
        for (out, row) in out.iter_mut().zip(&sums) {
            T::vectors_mut::<S>(out).copy_from_slice(&row[p]);
        }
    }
}
