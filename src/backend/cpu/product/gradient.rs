//! The gradient of a layer's weights.

use super::{MAX_HEIGHT, multiply_add, tile_height, tiles, whole_groups, with_height};
use crate::backend::cpu::panels::PANEL;
use crate::backend::cpu::simd::{SimdReal, TileWork, in_tiles, prefetch, vectorised};
use pulp::Simd;

/// out += dl_dz^T x, the gradient of a layer's weights.
pub struct WeightGradient<'a, T> {
    /// Samples and `output_width` features, from [`tile_and_sum`].
    pub dl_dz: &'a [[T; PANEL]],
    /// Feature panels of `input_width` features.
    pub x: &'a [[T; PANEL]],
    /// Features of x.
    pub input_width: usize,
    /// Features of dl_dz.
    pub output_width: usize,
    /// (output width, input width), row-major.
    pub out: &'a mut [T],
}

impl<T: SimdReal> WeightGradient<'_, T> {
    /// Adds it to `out`, each weight as a sum over the samples from the first to the last.
    pub fn add(self) {
        let n = self.dl_dz.len() / self.output_width * PANEL;
        assert_eq!(self.x.len(), n * self.input_width.div_ceil(PANEL), "panels of a gradient");
        assert_eq!(self.out.len(), self.input_width * self.output_width, "weights of a gradient");
        in_tiles::<T, _>(self);
    }
}

impl<T: SimdReal> TileWork for WeightGradient<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(self, simd: S) {
        let n_panels = self.input_width.div_ceil(PANEL);
        let whole = whole_groups(n_panels, PANELS);
        let mut gradient = self;
        for panel in (0..whole).step_by(PANELS) {
            gradient_panels::<T, S, ROWS, PANELS, VECTORS>(simd, &mut gradient, panel);
        }
        for panel in whole..n_panels {
            gradient_panels::<T, S, ROWS, 1, VECTORS>(simd, &mut gradient, panel);
        }
    }
}

/// The columns of one or two panels of features from `panel` on: the panels stay in L1.
#[inline(always)]
fn gradient_panels<T: SimdReal, S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
    simd: S,
    gradient: &mut WeightGradient<T>,
    panel: usize,
) {
    let (o, i) = (gradient.output_width, gradient.input_width);
    let n = gradient.dl_dz.len() / o * PANEL;
    let x: [&[[T; PANEL]]; PANELS] =
        std::array::from_fn(|p| &gradient.x[(panel + p) * n..(panel + p + 1) * n]);
    let columns = panel * PANEL..((panel + PANELS) * PANEL).min(i);
    for (first, height) in tiles(o, ROWS) {
        let dl_dz = &gradient.dl_dz[first * n / PANEL..][..height * n / PANEL];
        let out = Columns { values: &mut gradient.out[first * i..], stride: i, columns: columns.clone() };
        macro_rules! tile {
            ($height:expr) => {
                gradient_tile::<T, S, { $height }, PANELS, VECTORS>(simd, dl_dz, x, out)
            };
        }
        with_height!(height, ROWS, tile);
    }
}

/// Some columns of a row-major matrix.
struct Columns<'a, T> {
    values: &'a mut [T],
    stride: usize,
    columns: std::ops::Range<usize>,
}

/// dl_dz: (n / 16, H, 16), x: (n, 16) each; their product is added to H rows of `out`.
#[inline(always)]
fn gradient_tile<T: SimdReal, S: Simd, const H: usize, const PANELS: usize, const VECTORS: usize>(
    simd: S,
    dl_dz: &[[T; PANEL]],
    x: [&[[T; PANEL]]; PANELS],
    out: Columns<T>,
) {
    let mut sums = [[[T::splat(simd, T::zero()); VECTORS]; PANELS]; H];
    // The sums go to rows that are too far apart for the hardware prefetcher.
    for r in 0..H {
        for column in out.columns.clone().step_by(PANEL) {
            prefetch(&out.values[r * out.stride + column]);
        }
    }
    let x = x.map(|x| x.as_chunks::<PANEL>().0);
    let dl_dz = dl_dz.as_chunks::<H>().0;
    let x = x.map(|x| &x[..dl_dz.len()]);
    for (panel, dl_dz) in dl_dz.iter().enumerate() {
        let x = x.map(|x| &x[panel]);
        for s in 0..PANEL {
            multiply_add(simd, &mut sums, |r| dl_dz[r][s], x.map(|x| &x[s]));
        }
    }
    for (r, row) in sums.iter().enumerate() {
        let out = &mut out.values[r * out.stride..][out.columns.clone()];
        for (p, sums) in row.iter().enumerate() {
            let mut values = [T::zero(); PANEL];
            T::vectors_mut::<S>(&mut values).copy_from_slice(sums);
            let out = &mut out[p * PANEL..];
            match out.first_chunk_mut::<PANEL>() {
                Some(out) => add(out, &values),
                None => add(out, &values),
            }
        }
    }
}

/// Sample panels of dl_dz -> (tile, n / 16, rows of the tile, 16), and dl_db += the sum of dl_dz over the samples.
///
/// In sample panels the rows of a tile would be so far apart that they evict each other from the cache.
pub fn tile_and_sum<T: SimdReal>(dl_dz: &[[T; PANEL]], tiled: &mut [[T; PANEL]], dl_db: &mut [T]) {
    tile_and_sum_by(tile_height::<T>(), dl_dz, tiled, dl_db);
}

/// The same for tiles of `height` rows.
pub(super) fn tile_and_sum_by<T: SimdReal>(
    height: usize,
    dl_dz: &[[T; PANEL]],
    tiled: &mut [[T; PANEL]],
    dl_db: &mut [T],
) {
    let width = dl_db.len();
    let n_panels = dl_dz.len() / width;
    vectorised!({
        for (first, height) in tiles(width, height) {
            let tile = &mut tiled[first * n_panels..][..height * n_panels];
            let mut sums = [[T::zero(); PANEL]; MAX_HEIGHT];
            for (to, from) in tile.chunks_exact_mut(height).zip(dl_dz.chunks_exact(width)) {
                for ((to, from), sums) in to.iter_mut().zip(&from[first..]).zip(&mut sums) {
                    *to = *from;
                    add(sums, from);
                }
            }
            for (sum, sums) in dl_db[first..first + height].iter_mut().zip(&mut sums) {
                for width in [8, 4, 2, 1] {
                    for s in 0..width {
                        sums[s] += sums[s + width];
                    }
                }
                *sum += sums[0];
            }
        }
    });
}

#[inline(always)]
fn add<T: SimdReal>(out: &mut [T], values: &[T]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out += value;
    }
}
