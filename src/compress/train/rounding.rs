//! What integers are replaced by in training, so that gradients pass: noise, soft rounding, or rounding itself.

use super::density::Coded;

/// How a grid's numbers become those that colours and bits are computed from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rounding {
    /// Rounded softly, moved by up to half a unit of noise, and rounded softly again (Agustsson and Theis 2020).
    Soft {
        /// The lower, the harder.
        temperature: f64,
    },
    /// Rounded, with the gradient of the number itself.
    Hard,
}

/// Rounds softly; the value and its derivative.
#[inline(always)]
fn soft<T: Coded>(x: T, inverse: T, scale: T) -> (T, T) {
    let half = T::of(0.5);
    let floor = x.floor();
    let r = (x - floor - half) * inverse;
    let e = (T::of(-2.0) * r.abs()).exp_fast();
    let tanh = (T::one() - e) / (T::one() + e);
    (floor + half + r.sign() * tanh * scale, (T::one() - tanh * tanh) * scale * inverse)
}

/// A number from -1/2 to 1/2 for each place and step (Wellons' hash of 32 bits).
#[inline(always)]
fn noise(place: u32, seed: u32) -> f32 {
    let mut x = place.wrapping_mul(0x9e37_79b9) ^ seed;
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^= x >> 16;
    (x >> 8) as i32 as f32 * (1.0 / 16_777_216.0) - 0.5
}

impl Rounding {
    /// Writes what replaces `numbers`, and the derivatives. `first` is the place of the first for its noise.
    #[inline(always)]
    pub(super) fn apply<T: Coded>(
        self,
        numbers: &[T],
        (first, seed): (u32, u32),
        out: &mut [T],
        slopes: &mut [T],
    ) {
        let places = first..;
        match self {
            Self::Soft { temperature } => {
                let inverse = T::of(1.0 / temperature);
                let scale = T::of(0.5 / libm::tanh(0.5 / temperature));
                for (((&x, place), out), slope) in numbers.iter().zip(places).zip(out).zip(slopes) {
                    let (once, by_x) = soft(x, inverse, scale);
                    let moved = once + T::from_f32(noise(place, seed));
                    let (twice, by_moved) = soft(moved, inverse, scale);
                    (*out, *slope) = (twice, by_x * by_moved);
                }
            }
            Self::Hard => {
                for ((&x, out), slope) in numbers.iter().zip(out).zip(slopes) {
                    (*out, *slope) = ((x + T::of(0.5)).floor(), T::one());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_rounding_has_its_derivative_and_hardens() {
        for x in [-2.3, -0.5, 0.02, 0.2, 0.49, 1.7] {
            let at = |x: f64, t: f64| soft(x, 1.0 / t, 0.5 / (0.5 / t).tanh());
            let slope = (at(x + 1e-6, 0.3).0 - at(x - 1e-6, 0.3).0) / 2e-6;
            // Central differences err by 1e-12 times a third derivative of a hundred, and by rounding.
            assert!((at(x, 0.3).1 - slope).abs() < 1e-8, "{x}");
            assert!((at(x, 100.0).0 - x).abs() < 1e-4);
        }
        assert!((soft(0.3_f64, 1e3, 0.5).0).abs() < 1e-9);
    }

    #[test]
    fn noise_is_even() {
        let mean = (0..100_000).map(|n| f64::from(noise(n, 7))).sum::<f64>() / 1e5;
        let square = (0..100_000).map(|n| f64::from(noise(n, 7)).powi(2)).sum::<f64>() / 1e5;
        // Five deviations of the mean of a hundred thousand.
        assert!(mean.abs() < 5.0 * (1.0_f64 / 12e5).sqrt(), "{mean}");
        assert!((square - 1.0 / 12.0).abs() < 5.0 * (1.0_f64 / 180e5).sqrt(), "{square}");
    }
}
