//! Loss functions.

mod half_mse;
mod huber;
mod l1;
mod log_cosh;
mod mse;
mod relative_l2;
mod smape;

use super::Arithmetic;
use super::family::family;

/// A loss's formula, for one prediction p and its target t.
///
/// Its shader in `shaders/loss/` has the functions `loss` and `loss_derivative`.
pub trait Formula: Copy {
    /// l(p, t) and dl/dp.
    fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T);
}

family! {
    ($) losses, with_loss of loss;
    /// A loss over predictions p and targets t, both (batch, channels), reported as the mean over
    /// samples and channels.
    pub enum Loss: f32;
    /// Losses by name.
    pub enum LossKind;
    /// (p - t)^2
    Mse "mse" in mse,
    /// 0.5 (p - t)^2
    HalfMse "half-mse" in half_mse,
    /// |p - t|
    L1 "l1" in l1,
    /// Quadratic within delta of the target, linear beyond
    Huber { delta = 0.1 } "huber" in huber,
    /// ln cosh(p - t): quadratic near the target, linear far away
    LogCosh "log-cosh" in log_cosh,
    /// (p - t)^2 / (p^2 + 0.01), for HDR
    RelativeL2 "relative-l2" in relative_l2,
    /// |p - t| over the mean of |p| and |t|, for HDR
    Smape "smape" in smape,
}

impl Loss {
    /// l(p, t) and dl/dp
    #[inline(always)]
    pub fn value_and_derivative<T: Arithmetic>(self, p: T, t: T) -> (T, T) {
        with_loss!(self, formula => formula.value_and_derivative(p, t))
    }
}

/// Peak signal-to-noise ratio in dB for values with peak 1.
pub fn psnr(mse: f64) -> f64 {
    -10.0 * libm::log10(mse)
}
