//! The matrix products of training, over panels of samples.
//!
//! A product is cut into tiles whose sums stay in registers over the whole depth (`TileWork`). Operands are stored
//! in the order in which a tile reads them: activations stay in panels ([`super::panels`]) from layer to layer, and
//! the weights are packed once per step (`packed.rs`). Only the weight gradient, which sums over samples, has both
//! operands reordered first.
//!
//! Each result is one chain of multiply-adds from the first term to the last. Vector width, tile shape and the number
//! of other samples do not change its bits.

mod gradient;
mod multiply;

pub use gradient::{WeightGradient, tile_and_sum};
pub use multiply::Multiply;

use super::panels::PANEL;
use super::simd::{SimdReal, TileWork, in_tiles};
use crate::model::Real;
use pulp::Simd;

/// Maximum rows of a tile.
const MAX_HEIGHT: usize = 12;

/// Maximum rows of a partial tile.
const MAX_REST: usize = 6;

/// Calls `$tile!(H)` with `$height` as a constant: `$full`, or the height of a partial tile from [`tiles`].
macro_rules! with_height {
    ($height:expr, $full:ident, $tile:ident) => {
        match $height {
            height if height == $full => $tile!($full),
            6 => $tile!(6),
            5 => $tile!(5),
            4 => $tile!(4),
            3 => $tile!(3),
            2 => $tile!(2),
            1 => $tile!(1),
            other => unreachable!("a tile of {other} rows"),
        }
    };
}
use with_height;

/// The rows of a matrix as tiles: as many full ones as possible, and the rest in one or two.
pub(super) fn tiles(n_rows: usize, full: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let rest = n_rows - first;
        let height = if rest >= full { full } else { rest.min(MAX_REST) };
        first += height;
        (height > 0).then_some((first - height, height))
    })
}

/// Rows of a full tile on this processor.
pub(crate) fn tile_height<T: SimdReal>() -> usize {
    struct Height;
    impl TileWork for Height {
        type Output = usize;
        #[inline(always)]
        fn with<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(self, _: S) -> usize {
            ROWS
        }
    }
    in_tiles::<T, _>(Height)
}

/// How many of `n` panels go in groups of `group`.
fn whole_groups(n: usize, group: usize) -> usize {
    n - n % group
}

/// sums += a b: H numbers by `PANELS` times 16.
#[inline(always)]
fn multiply_add<T: SimdReal, S: Simd, const H: usize, const PANELS: usize, const VECTORS: usize>(
    simd: S,
    sums: &mut [[[T::Vector<S>; VECTORS]; PANELS]; H],
    a: impl Fn(usize) -> T,
    b: [&[T; PANEL]; PANELS],
) {
    let b: [[T::Vector<S>; VECTORS]; PANELS] =
        b.map(|b| *T::vectors::<S>(b).first_chunk().expect("vectors of a panel"));
    for (r, sums) in sums.iter_mut().enumerate() {
        let a = T::splat(simd, a(r));
        for (sums, b) in sums.iter_mut().zip(b) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = T::multiply_add(simd, a, b, *sum);
            }
        }
    }
}

/// Writes a matrix of (rows, depth) tile by tile, each (depth, rows of the tile), for full tiles of `height` rows.
pub(crate) fn pack<T: Real>(
    (rows, depth): (usize, usize),
    height: usize,
    at: impl Fn(usize, usize) -> T,
    packed: &mut [T],
) {
    let mut rest = packed;
    for (first, height) in tiles(rows, height) {
        let (tile, after) = rest.split_at_mut(height * depth);
        rest = after;
        for (k, column) in tile.chunks_exact_mut(height).enumerate() {
            for (r, value) in column.iter_mut().enumerate() {
                *value = at(first + r, k);
            }
        }
    }
}

#[cfg(test)]
mod tests;
