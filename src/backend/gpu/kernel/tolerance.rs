//! How far a correct f32 result may be from the f64 reference, term by term.

use crate::model::real::ln_1p_series;
use crate::model::{Activation, Arithmetic};
use std::f64::consts::TAU;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Positions, (n, 2), and how far a device's coordinates may be from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Positions<'a> {
    pub(crate) coords: &'a [f64],
    pub(crate) error: f64,
}

impl<'a> Positions<'a> {
    pub(crate) fn exact(coords: &'a [f64]) -> Self {
        Self { coords, error: 0.0 }
    }
}

/// Unit roundoff of f32: the relative error of one rounding.
pub(crate) const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// Relative error of a sum or a product: WGSL leaves the direction of rounding open, so the result may be either
/// neighbour of the exact one.
pub(crate) const NEIGHBOUR: f64 = 2.0 * ROUNDING;

/// Division may be off by 2.5 units in the last place (WGSL, accuracy of built-in operations), each
/// at most two roundings wide.
pub(crate) const DIVISION: f64 = 5.0 * ROUNDING;

/// `sqrt` may be computed as `1 / inverseSqrt` (2 units in the last place and a division).
pub(crate) const SQUARE_ROOT: f64 = 4.0 * ROUNDING + DIVISION;

/// Largest error of the polynomial in `header.wgsl`, see `model::real::SIN_TURNS`; twice the
/// measured figure, since a fused multiply-add rounds differently.
pub(crate) const SIN_POLYNOMIAL: f64 = 4.4e-7;

/// Denormals may be flushed to zero: the smallest normal f32.
pub(crate) const FLUSH: f64 = f32::MIN_POSITIVE as f64;

/// Relative error of a sum of `k` products: one rounding per product and one per addition (Higham, Accuracy and
/// Stability of Numerical Algorithms, 2nd edition, equation 3.3), and four for further operations on the sum.
pub(crate) fn sum_of_products(k: usize) -> f64 {
    (k + 5) as f64 * ROUNDING
}

/// The same by cooperative matrices. They may truncate where f32 rounds, which doubles the error of each operation, and
/// align the terms they add at once to the largest, which doubles it again.
pub(crate) fn sum_by_matrices(k: usize) -> f64 {
    4.0 * sum_of_products(k)
}

/// Error of sin or cos of `turns` computed as the sum of `magnitude` in `roundings` operations.
pub(crate) fn sin_turns(magnitude: f64, roundings: f64) -> f64 {
    SIN_POLYNOMIAL + TAU * magnitude * roundings * ROUNDING
}

/// Largest absolute error of `activation(z)` in WGSL.
pub(crate) fn activation(activation: Activation, z: f64) -> f64 {
    activation.value(Bounded::exact(z)).error
}

/// Largest absolute error of `activation_derivative(z)` in WGSL.
pub(crate) fn derivative(activation: Activation, z: f64) -> f64 {
    activation.derivative(Bounded::exact(z)).error
}

/// An f64 value with a bound on the error of the same formula in WGSL's f32.
///
/// Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.3): each
/// operation propagates the errors of its operands, to first order and beyond, and adds what WGSL allows for the
/// operation itself. So a formula of `model` evaluated in this type yields its own tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounded {
    pub value: f64,
    /// Bound of the absolute error.
    pub error: f64,
}

impl Bounded {
    /// A value that is the same on both sides.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// The result of an operation with relative error `relative` whose operands contribute `inherited`.
    fn rounded(value: f64, inherited: f64, relative: f64) -> Self {
        Self { value, error: inherited + relative * (value.abs() + inherited) + FLUSH }
    }
}

impl Add for Bounded {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        // Adding 0 is exact, and an exact sum of normal numbers is not flushed.
        if other == Self::exact(0.0) {
            return self;
        }
        Self::rounded(self.value + other.value, self.error + other.error, NEIGHBOUR)
    }
}

impl Neg for Bounded {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, ..self }
    }
}

impl Sub for Bounded {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Bounded {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let inherited =
            self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        Self::rounded(self.value * other.value, inherited, NEIGHBOUR)
    }
}

impl Div for Bounded {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let least = other.value.abs() - other.error;
        let inherited =
            if least > 0.0 { (self.error + value.abs() * other.error) / least } else { f64::INFINITY };
        Self::rounded(value, inherited, DIVISION)
    }
}

impl Arithmetic for Bounded {
    /// Constants are rounded to f32 once.
    fn of(x: f64) -> Self {
        let is_f32 = f64::from(x as f32) == x;
        Self { value: x, error: if is_f32 { 0.0 } else { x.abs() * ROUNDING } }
    }

    fn abs(self) -> Self {
        Self { value: self.value.abs(), ..self }
    }

    fn distance_to_integer(self) -> Self {
        // Continuous, and the difference of neighbours is exact (Sterbenz).
        Self { value: self.value.distance_to_integer(), ..self }
    }

    fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        // A root changes most below its argument, and a little more above one that may be 0.
        let below = value - (self.value - self.error).max(0.0).sqrt();
        let above = (self.value + self.error).sqrt() - value;
        Self::rounded(value, below.max(above), SQUARE_ROOT)
    }

    fn sin_cos_turns(self) -> (Self, Self) {
        let (sine, cosine) = self.value.sin_cos_turns();
        let error = SIN_POLYNOMIAL + TAU * self.error;
        (Self { value: sine, error }, Self { value: cosine, error })
    }

    fn exp_fast(self) -> Self {
        let value = self.value.exp();
        // WGSL allows 3 + 2 |x| units in the last place, each at most two roundings wide.
        let relative = 2.0 * (3.0 + 2.0 * self.value.abs()) * ROUNDING;
        let inherited = if self.error > 0.0 { value * self.error.exp_m1() } else { 0.0 };
        // Far below the smallest f32 only the flush remains.
        if value < FLUSH {
            Self { value, error: 2.0 * FLUSH }
        } else {
            Self::rounded(value, inherited, relative)
        }
    }

    fn ln_1p_fast(self) -> Self {
        let series = ln_1p_series(self);
        let value = self.value.ln_1p();
        Self { value, error: series.error + (series.value - value).abs() }
    }

    fn if_positive(self, yes: Self, no: Self) -> Self {
        let (taken, other) = if self.value > 0.0 { (yes, no) } else { (no, yes) };
        // If the sign is not certain, the device may take the other branch.
        let is_certain = self.error == 0.0 || self.value.abs() > self.error;
        let apart = if is_certain { 0.0 } else { (taken.value - other.value).abs() + other.error };
        Self { value: taken.value, error: taken.error.max(apart) }
    }
}
