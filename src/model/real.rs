//! The two number types the CPU operations run in: f32 for training, f64 as the reference.

use std::f64::consts::TAU;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// The arithmetic of formulas: activations, losses and update rules.
///
/// Elementary functions are included so that f32 can use short, vectorisable polynomials while f64, the reference, uses
/// the crate `libm`: the standard library's differ between systems. GPU tolerances come from a third type, which carries
/// an error bound through the same formula (`backend/gpu/kernel/tolerance.rs`).
pub trait Arithmetic:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The nearest value to `x`.
    fn of(x: f64) -> Self;
    /// |x|
    fn abs(self) -> Self;
    /// |x - n| for the nearest integer n.
    fn distance_to_integer(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// (sin 2 pi t, cos 2 pi t) for `t = self` in turns.
    fn sin_cos_turns(self) -> (Self, Self);
    /// e to the power of `self`, for formulas that keep it at 0 or below.
    fn exp_fast(self) -> Self;
    /// ln(1 + x) for x from -0.25 to 1.
    fn ln_1p_fast(self) -> Self;
    /// `yes` where `self` is above 0, else `no`. Both are computed, so that loops vectorise.
    fn if_positive(self, yes: Self, no: Self) -> Self;

    /// 0
    #[inline(always)]
    fn zero() -> Self {
        Self::of(0.0)
    }
    /// 1
    #[inline(always)]
    fn one() -> Self {
        Self::of(1.0)
    }
    /// max(x, 0)
    #[inline(always)]
    fn relu(self) -> Self {
        self.if_positive(self, Self::zero())
    }
    /// The sign: 1 above 0, -1 below, 0 at 0.
    #[inline(always)]
    fn sign(self) -> Self {
        self.if_positive(Self::one(), (-self).if_positive(-Self::one(), Self::zero()))
    }
}

/// A floating-point type of the CPU backend.
pub trait Real:
    Arithmetic + PartialOrd + AddAssign + SubAssign + MulAssign + Debug + Default + Send + Sync + 'static
{
    /// Widens `x`.
    fn from_f32(x: f32) -> Self;
    /// Widens to f64.
    fn as_f64(self) -> f64;
    /// Rounds to f32.
    fn as_f32(self) -> f32;
    /// Rounds down, for values from 0 to 2^22.
    fn floor_u32(self) -> u32;
    /// The nearest value to `x`, which is below 2^31.
    fn of_u32(x: u32) -> Self;
}

/// What is written alike for both types.
macro_rules! common {
    () => {
        #[inline(always)]
        fn of(x: f64) -> Self {
            x as Self
        }
        #[inline(always)]
        fn abs(self) -> Self {
            self.abs()
        }
        #[inline(always)]
        fn distance_to_integer(self) -> Self {
            (self - self.round_ties_even()).abs()
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            self.sqrt()
        }
        #[inline(always)]
        fn if_positive(self, yes: Self, no: Self) -> Self {
            if self > 0.0 { yes } else { no }
        }
    };
}

impl Arithmetic for f64 {
    common!();
    #[inline(always)]
    fn sin_cos_turns(self) -> (Self, Self) {
        // Range reduction in turns is exact and keeps sin and cos accurate for large phases.
        libm::sincos(TAU * (self - self.round()))
    }
    #[inline(always)]
    fn exp_fast(self) -> Self {
        libm::exp(self)
    }
    #[inline(always)]
    fn ln_1p_fast(self) -> Self {
        libm::log1p(self)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        f64::from(x)
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn as_f32(self) -> f32 {
        self as f32
    }
    #[inline(always)]
    fn floor_u32(self) -> u32 {
        // Via i32, a single instruction in every instruction set.
        self as i32 as u32
    }
    #[inline(always)]
    fn of_u32(x: u32) -> Self {
        f64::from(x)
    }
}

/// Coefficients of the odd polynomial P with P(r) = sin(2 pi r) on [-1/4, 1/4], lowest power
/// first. The same as in `shaders/header.wgsl`, which a test checks.
///
/// The minimax fit of sin(2 pi r) / r in r^2 for relative error (2.1e-11 in exact arithmetic); in
/// f32 arithmetic the largest absolute error is 2.2e-7, all of it rounding.
pub const SIN_TURNS: [f32; 6] = [6.283_185_5, -41.341_7, 81.605_225, -76.704_17, 42.007_797, -14.381_391];

/// Adding and subtracting this rounds an f32 of magnitude below 2^22 to the nearest integer, in
/// two additions that every instruction set vectorises.
const ROUND_F32: f32 = 12_582_912.0; // 1.5 * 2^23

#[inline(always)]
fn sin_quarter(r: f32) -> f32 {
    let s = r * r;
    let [c0, c1, c2, c3, c4, c5] = SIN_TURNS;
    r * (c0 + s * (c1 + s * (c2 + s * (c3 + s * (c4 + s * c5)))))
}

/// ln(1 + x) = 2 atanh(s) with s = x / (2 + x), the series up to the thirteenth power: the relative
/// error is below 2e-8 for |s| <= 1/3. The same as in `shaders/header.wgsl`.
#[inline(always)]
pub fn ln_1p_series<T: Arithmetic>(x: T) -> T {
    let s = x / (T::of(2.0) + x);
    let q = s * s;
    let mut sum = T::of(1.0 / 13.0);
    for n in [11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * q + T::of(1.0 / n);
    }
    T::of(2.0) * s * sum
}

impl Real for f32 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn as_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn floor_u32(self) -> u32 {
        // After adding 2^23, the mantissa bits are the nearest integer. A saturating cast would take longer than all
        // other work of finding a grid cell.
        const SHIFT: f32 = 8_388_608.0; // 2^23
        let shifted = self + SHIFT;
        let above = (shifted - SHIFT) > self;
        (shifted.to_bits() & 0x7f_ffff) - u32::from(above)
    }
    #[inline(always)]
    fn of_u32(x: u32) -> Self {
        x as i32 as f32
    }
}

impl Arithmetic for f32 {
    common!();
    #[inline(always)]
    fn ln_1p_fast(self) -> Self {
        ln_1p_series(self)
    }
    #[inline(always)]
    fn sin_cos_turns(self) -> (Self, Self) {
        let r = self - ((self + ROUND_F32) - ROUND_F32); // in [-1/2, 1/2]
        let magnitude = r.abs();
        // Fold onto [-1/4, 1/4], where the polynomial holds: sin is symmetric about a quarter
        // turn, and cos(2 pi r) = sin(2 pi (1/4 - |r|)).
        let folded = 0.25 - (magnitude - 0.25).abs();
        (sin_quarter(folded).copysign(r), sin_quarter(0.25 - magnitude))
    }
    #[inline(always)]
    fn exp_fast(self) -> Self {
        // e^x = 2^n e^f with |f| <= ln(2) / 2: n goes into the exponent bits and e^f is its Taylor
        // series up to the sixth power (relative error below 2e-7). ln 2 is subtracted in two parts
        // (Cody and Waite 1980), the first with few enough bits that n times it is exact.
        const LN_2_HIGH: f32 = 0.693_359_4; // 355 / 512
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        let x = self.clamp(-87.0, 88.0);
        let n = (x * std::f32::consts::LOG2_E + ROUND_F32) - ROUND_F32;
        let f = (x - n * LN_2_HIGH) - n * LN_2_LOW;
        let p = 1.0
            + f * (1.0
                + f * (0.5 + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f * (1.0 / 720.0))))));
        // `n` is an integer within [-126, 127], so the cast and the shift are exact.
        p * f32::from_bits(((n as i32 + 127) as u32) << 23)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_down_is_exact() {
        let wholes = [0, 1, 2, 3, 4, 5, 1023, 1 << 20, (1 << 20) + 1, (1 << 22) - 1];
        for x in wholes.map(|whole| whole as f32) {
            for x in [x.next_down().max(0.0), x, x.next_up(), x + 0.25, x + 0.5, x + 0.75] {
                assert_eq!(x.floor_u32(), x.floor() as u32, "{x}");
                assert_eq!(f64::from(x).floor_u32(), x.floor() as u32, "{x}");
            }
        }
    }

    #[test]
    fn f32_functions_are_close_to_the_standard_ones() {
        for i in -200_000..200_000 {
            let t = i as f32 * 1.37e-3;
            let (sine, cosine) = t.sin_cos_turns();
            let (s, c) = f64::from(t).sin_cos_turns();
            assert!((f64::from(sine) - s).abs() < 3e-7, "sin of {t} turns: {sine}, not {s}");
            assert!((f64::from(cosine) - c).abs() < 3e-7, "cos of {t} turns: {cosine}, not {c}");
            let x = i as f32 * 4e-4;
            let e = f64::from(x).exp();
            assert!((f64::from(x.exp_fast()) / e - 1.0).abs() < 4e-7, "e^{x}: {} not {e}", x.exp_fast());
            let x = (i + 100_000) as f32 / 240_000.0; // -0.42 to 1.25
            if (-0.25..=1.0).contains(&x) && x != 0.0 {
                let (found, exact) = (f64::from(x.ln_1p_fast()), f64::from(x).ln_1p());
                assert!((found / exact - 1.0).abs() < 5e-7, "ln(1 + {x}): {found} not {exact}");
            }
        }
    }
}
