//! How far a correct f32 result may lie from the f64 reference, term by term.

use crate::model::Activation;
use std::f64::consts::TAU;

/// Unit roundoff of f32: the relative error of one rounding.
pub const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// Division may be off by 2.5 units in the last place (WGSL, accuracy of built-in operations), each
/// at most two roundings wide.
pub const DIVISION: f64 = 5.0 * ROUNDING;

/// `sqrt` may be computed as `1 / inverseSqrt` (2 units in the last place and a division).
pub const SQUARE_ROOT: f64 = 4.0 * ROUNDING + DIVISION;

/// Largest error of the polynomial in `header.wgsl`, see `model::real::SIN_TURNS`; twice the
/// measured figure, since a fused multiply-add rounds differently.
pub const SIN_POLYNOMIAL: f64 = 4.4e-7;

/// Denormals may be flushed to zero: the smallest normal f32.
pub const FLUSH: f64 = f32::MIN_POSITIVE as f64;

/// Relative error of a sum of `k` products: one rounding a product and one an addition (Higham,
/// Accuracy and Stability of Numerical Algorithms, 2nd edition, equation 3.3), and four for what
/// is done with the sum.
pub fn sum_of_products(k: usize) -> f64 {
    (k + 5) as f64 * ROUNDING
}

/// Error of sin or cos of `turns` computed as the sum of `magnitude` in `roundings` operations.
pub fn sin_turns(magnitude: f64, roundings: f64) -> f64 {
    SIN_POLYNOMIAL + TAU * magnitude * roundings * ROUNDING
}

/// Largest absolute error of `activation(z)` in WGSL.
pub fn activation(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Identity | Activation::Relu => 0.0,
        Activation::Sine { w0 } => sin_turns((z * f64::from(w0) / TAU).abs(), 2.0),
        Activation::Sigmoid => {
            let p: f64 = activation.value(z);
            // exp: 3 + 2 |z| units in the last place; then an addition and a division.
            let exp = 2.0 * (3.0 + 2.0 * z.abs()) * ROUNDING;
            // The argument is clamped at 87, and 1 / (1 + e^87) is about the smallest normal f32.
            p * (1.0 - p) * exp + p * (ROUNDING + DIVISION) + 2.0 * FLUSH
        }
    }
}

/// Largest absolute error of `activation_derivative(z)` in WGSL.
pub fn derivative(function: Activation, z: f64) -> f64 {
    match function {
        Activation::Identity | Activation::Relu => 0.0,
        Activation::Sine { w0 } => {
            let w0 = f64::from(w0).abs();
            w0 * (sin_turns((z * w0 / TAU).abs(), 2.0) + ROUNDING)
        }
        Activation::Sigmoid => {
            let p: f64 = function.value(z);
            // d(p (1 - p)) = (1 - 2p) dp, then the rounding of 1 - p and of the product.
            activation(function, z) * (1.0 - 2.0 * p).abs().max(ROUNDING) + p * ROUNDING * 2.0
        }
    }
}
