//! Numbers with their derivatives by two variables, x and y: any formula computed in them gives its own.

use super::{Arithmetic, Real};
use std::cmp::Ordering;
use std::f64::consts::TAU;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A value and its derivatives. They compare by value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// Its derivatives by x and by y.
    pub by: [f64; 2],
}

impl Dual {
    /// f(`self`), from f and f' at the value.
    #[inline(always)]
    fn chain(self, (f, derivative): (f64, f64)) -> Self {
        Self { value: f, by: self.by.map(|d| derivative * d) }
    }
}

impl PartialOrd for Dual {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl Neg for Dual {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.chain((-self.value, -1.0))
    }
}

impl Add for Dual {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self { value: self.value + b.value, by: [self.by[0] + b.by[0], self.by[1] + b.by[1]] }
    }
}

impl Sub for Dual {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self { value: self.value - b.value, by: [self.by[0] - b.by[0], self.by[1] - b.by[1]] }
    }
}

impl Mul for Dual {
    type Output = Self;
    #[inline(always)]
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the rule of products has a sum")]
    fn mul(self, b: Self) -> Self {
        let by = |axis: usize| self.by[axis] * b.value + self.value * b.by[axis];
        Self { value: self.value * b.value, by: [by(0), by(1)] }
    }
}

impl Div for Dual {
    type Output = Self;
    #[inline(always)]
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the rule of quotients has a difference")]
    fn div(self, b: Self) -> Self {
        let value = self.value / b.value;
        let by = |axis: usize| (self.by[axis] - value * b.by[axis]) / b.value;
        Self { value, by: [by(0), by(1)] }
    }
}

impl AddAssign for Dual {
    #[inline(always)]
    fn add_assign(&mut self, b: Self) {
        *self = *self + b;
    }
}

impl SubAssign for Dual {
    #[inline(always)]
    fn sub_assign(&mut self, b: Self) {
        *self = *self - b;
    }
}

impl MulAssign for Dual {
    #[inline(always)]
    fn mul_assign(&mut self, b: Self) {
        *self = *self * b;
    }
}

impl Arithmetic for Dual {
    #[inline(always)]
    fn of(x: f64) -> Self {
        Self { value: x, by: [0.0; 2] }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.chain((self.value.abs(), self.value.sign()))
    }
    #[inline(always)]
    fn distance_to_integer(self) -> Self {
        let above = self.value - self.value.round_ties_even();
        self.chain((above.abs(), above.sign()))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.chain((root, 0.5 / root))
    }
    #[inline(always)]
    fn sin_cos_turns(self) -> (Self, Self) {
        let (sine, cosine) = self.value.sin_cos_turns();
        (self.chain((sine, TAU * cosine)), self.chain((cosine, -TAU * sine)))
    }
    #[inline(always)]
    fn exp_fast(self) -> Self {
        let power = self.value.exp_fast();
        self.chain((power, power))
    }
    #[inline(always)]
    fn ln_1p_fast(self) -> Self {
        self.chain((self.value.ln_1p_fast(), 1.0 / (1.0 + self.value)))
    }
    #[inline(always)]
    fn if_positive(self, yes: Self, no: Self) -> Self {
        if self.value > 0.0 { yes } else { no }
    }
}

impl Real for Dual {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        Self::of(f64::from(x))
    }
    #[inline(always)]
    fn as_f64(self) -> f64 {
        self.value
    }
    #[inline(always)]
    fn as_f32(self) -> f32 {
        self.value as f32
    }
    #[inline(always)]
    fn floor_u32(self) -> u32 {
        self.value.floor_u32()
    }
    #[inline(always)]
    fn of_u32(x: u32) -> Self {
        Self::of(f64::of_u32(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences of f64 with h = 1e-5 are off by about h^2 f''' and 1e-16 / h, so by 1e-8 where functions and
    /// their derivatives are below 100.
    #[test]
    fn derivatives_are_those_of_finite_differences() {
        type Formula<T> = fn(T, T) -> T;
        fn formulas<T: Real>() -> [Formula<T>; 9] {
            [
                |x, y| x * y - y / x,
                |x, y| (x + y).sqrt() * -x,
                |x, y| (x * y).sin_cos_turns().0,
                |x, y| (x - y).sin_cos_turns().1,
                |x, y| (-(x * y)).exp_fast(),
                |x, y| (x * y).ln_1p_fast(),
                |x, y| (y - x).abs() + (x * T::of(3.0)).distance_to_integer(),
                |x, y| (x - y).if_positive(x, y * y) + x.relu(),
                |x, y| {
                    let mut sum = x;
                    sum += y;
                    sum *= x;
                    sum -= y * y;
                    sum
                },
            ]
        }
        for (i, (dual, real)) in formulas::<Dual>().iter().zip(formulas::<f64>()).enumerate() {
            for (x, y) in [(0.3, 0.7), (0.9, 0.2)] {
                let h = 1e-5;
                let found = dual(Dual { value: x, by: [1.0, 0.0] }, Dual { value: y, by: [0.0, 1.0] });
                assert_eq!(found.value, real(x, y), "formula {i}");
                let by = [
                    (real(x + h, y) - real(x - h, y)) / (2.0 * h),
                    (real(x, y + h) - real(x, y - h)) / (2.0 * h),
                ];
                for (found, expected) in found.by.into_iter().zip(by) {
                    let error = (found - expected).abs();
                    assert!(error < 1e-8, "formula {i} at {x}, {y}: {found}, not {expected}");
                }
            }
        }
    }
}
