//! Triangle waves along each axis.

use super::fourier::MAX_OCTAVES;
use super::{Encoding, Formula, Pointwise};
use crate::model::Arithmetic;

/// [f_0(x), .., f_{n-1}(x), f_0(y), .., f_{n-1}(y)]: n triangle waves from -1 to 1, the k-th with 2^k half periods across
/// the unit interval. Mueller et al. 2021, *Real-time Neural Radiance Caching for Path Tracing*, section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriangleWave {
    /// n
    pub octaves: usize,
}

pub(super) fn encoding(octaves: usize, _seed: u64) -> Encoding {
    Encoding::Pointwise(Pointwise::TriangleWave(TriangleWave { octaves }))
}

impl Formula for TriangleWave {
    fn with_units(octaves: usize) -> Self {
        Self { octaves }
    }

    fn n_units(&self) -> usize {
        self.octaves
    }

    fn max_units(&self) -> usize {
        MAX_OCTAVES
    }

    // At higher octaves f32 error bounds become vacuous.
    fn max_tried(&self) -> usize {
        16
    }

    fn operations(&self) -> f64 {
        10.0
    }

    fn describe(&self) -> String {
        format!("triangle waves of {} octaves along each axis", self.octaves)
    }

    #[inline(always)]
    fn encode<T: Arithmetic>(&self, c: [T; 2], features: &mut [T]) {
        for (c, features) in c.into_iter().zip(features.chunks_exact_mut(self.octaves)) {
            // The first has half a period.
            let mut periods = T::of(0.5);
            for feature in features {
                *feature = T::one() - T::of(4.0) * (c * periods).distance_to_integer();
                periods = periods + periods;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_triangles_of_doubling_frequency() {
        let waves = |x: f64, y: f64| {
            let mut features = [0.0; 6];
            TriangleWave { octaves: 3 }.encode([x, y], &mut features);
            features
        };
        assert_eq!(waves(0.0, 1.0), [1.0, 1.0, 1.0, -1.0, 1.0, 1.0]);
        assert_eq!(waves(0.25, 0.375), [0.5, 0.0, -1.0, 0.25, -0.5, 0.0]);
    }
}
