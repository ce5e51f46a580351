//! Input encodings: positions to features.

use super::grid;
use super::simd::vectorised;
use crate::model::{Encoding, Real};

/// coords: (n, 2) -> features: (n, encoding.output_width()), both row-major. `params` are the
/// encoding's own weights.
pub fn encode<T: Real>(encoding: &Encoding, params: &[T], coords: &[T], features: &mut [T]) {
    match encoding {
        Encoding::Grid(grid) => grid::encode(grid, params, coords, features),
        Encoding::Identity => features.copy_from_slice(coords),
        Encoding::PerAxis(per_axis) => vectorised(
            #[inline(always)]
            || {
                for (&c, features) in coords.iter().zip(features.chunks_exact_mut(per_axis.n_features())) {
                    per_axis.encode(c, features);
                }
            },
        ),
        Encoding::Fourier { frequencies } => {
            let m = frequencies.len();
            vectorised(
                #[inline(always)]
                || {
                    for (c, row) in coords.chunks_exact(2).zip(features.chunks_exact_mut(2 * m)) {
                        let (sines, cosines) = row.split_at_mut(m);
                        for ((b, sine), cosine) in frequencies.iter().zip(sines).zip(cosines) {
                            let turns = c[0] * T::from_f32(b[0]) + c[1] * T::from_f32(b[1]);
                            (*sine, *cosine) = turns.sin_cos_turns();
                        }
                    }
                },
            );
        }
    }
}
