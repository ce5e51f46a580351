//! Bits of an integer under a Laplace density, with gradients.

use crate::backend::cpu::simd::SimdReal;
use std::f64::consts::LN_2;

/// What training needs beyond other arithmetic.
pub(crate) trait Coded: SimdReal {
    /// The natural logarithm of a positive, normal number.
    fn ln_fast(self) -> Self;
    /// The largest integer that is not above.
    fn floor(self) -> Self;
    /// (a, b) if `self` < `other`, else (b, a): both are computed, so that loops vectorise.
    #[inline(always)]
    fn if_below(self, other: Self, yes: Self, no: Self) -> Self {
        (other - self).if_positive(yes, no)
    }
}

impl Coded for f64 {
    #[inline(always)]
    fn ln_fast(self) -> Self {
        libm::log(self)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        self.floor()
    }
}

impl Coded for f32 {
    #[inline(always)]
    fn ln_fast(self) -> Self {
        // x = 2^n m with m from 0.75 to 1.5, the range of the series.
        const THREE_QUARTERS: u32 = 0x3f40_0000;
        let bits = self.to_bits().wrapping_sub(THREE_QUARTERS);
        let n = (bits as i32) >> 23;
        let m = f32::from_bits((bits & 0x7f_ffff) + THREE_QUARTERS);
        n as f32 * std::f32::consts::LN_2 + crate::model::real::ln_1p_series(m - 1.0)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        self.floor()
    }
}

/// Bits of a value, and their derivatives by the value and by the logarithm of the density's scale. That by the
/// density's mean is the negative of the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<T> {
    pub(super) bits: T,
    pub(super) by_value: T,
    pub(super) by_scale: T,
}

/// Least and greatest logarithm to base 2 of a scale.
pub(super) const SCALES: (f64, f64) = (-4.0, 6.0);

/// Bits of all within half a unit of `value`, where the density is exp(-|value - mean| / b) / 2b with b = 2^scale.
#[inline(always)]
pub(super) fn bits_of<T: Coded>(value: T, mean: T, scale: T) -> Bits<T> {
    let (half, one, ln_2) = (T::of(0.5), T::one(), T::of(LN_2));
    // Beyond the range nothing changes but the gradient, which leads back only.
    let (low, high) = (T::of(SCALES.0), T::of(SCALES.1));
    let inside = scale.if_below(low, low, scale.if_below(high, scale, high));
    let inverse = (-inside * ln_2).exp_fast();
    let signed = value - mean;
    let a = signed.abs();
    let (inner, outer) = (a - half, a + half);
    let near = inner.abs();
    let e_near = (-near * inverse).exp_fast();
    let e_far = (-outer * inverse).exp_fast();
    let e_unit = (-inverse).exp_fast();
    // In the tail, the part that the distance decides is taken out of the logarithm, where it would underflow.
    let p = inner.if_positive(half * (one - e_unit), one - half * (e_near + e_far));
    let ln_p = p.ln_fast() - inner.if_positive(inner * inverse, T::zero());
    let by_a = inner.if_positive(-inverse, half * (e_far - e_near) * inverse / p);
    // By the natural logarithm of b.
    let tail = inner * inverse - half * e_unit * inverse / p;
    let middle = -half * (e_far * outer + e_near * near) * inverse / p;
    let by_ln_b = inner.if_positive(tail, middle);
    let to_bits = T::of(-1.0 / LN_2);
    let by_scale = -by_ln_b;
    // Gradients that would push the scale further out of its range are dropped.
    let by_scale = scale.if_below(low, by_scale.if_positive(T::zero(), by_scale), by_scale);
    let by_scale = high.if_below(scale, by_scale.if_positive(by_scale, T::zero()), by_scale);
    Bits { bits: to_bits * ln_p, by_value: to_bits * by_a * signed.sign(), by_scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_bits() {
        let h = 1e-6;
        for (value, mean, scale) in
            [(0.1, 0.0, -1.0), (3.0, 0.2, 0.5), (-2.0, 0.4, -3.5), (-0.3, 0.1, 4.0), (9.0, -9.0, 1.0)]
        {
            let at = |v: f64, m: f64, s: f64| bits_of(v, m, s).bits;
            let found = bits_of(value, mean, scale);
            let by_value = (at(value + h, mean, scale) - at(value - h, mean, scale)) / (2.0 * h);
            let by_scale = (at(value, mean, scale + h) - at(value, mean, scale - h)) / (2.0 * h);
            // Central differences err by h^2 and by rounding of 1e-16 / h, times values up to a hundred.
            assert!((found.by_value - by_value).abs() < 1e-7, "{found:?}, not {by_value}");
            assert!((found.by_scale - by_scale).abs() < 1e-7, "{found:?}, not {by_scale}");
        }
    }

    #[test]
    fn probabilities_of_all_integers_add_up_to_one() {
        for (mean, scale) in [(0.0, -3.0), (0.3, 0.0), (-0.5, 2.0)] {
            let p = |k: i32| libm::exp2(-bits_of(f64::from(k), mean, scale).bits);
            let sum: f64 = (-200..=200).map(p).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }
    }

    #[test]
    fn the_short_logarithm_is_close() {
        for i in 1..20_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).ln();
            // The series has a relative error of 2e-8; f32 rounds n ln 2, of up to 9.3, by 5e-7.
            assert!((f64::from(x.ln_fast()) - exact).abs() < 1e-6, "{x}");
        }
    }
}
