//! Activation functions and their derivatives with respect to the pre-activation z.

mod finer;
mod gabor;
mod gaussian;
mod gelu;
mod identity;
mod leaky_relu;
mod relu;
mod sigmoid;
mod silu;
mod sine;
mod softplus;
mod tanh;

pub use sine::turns_per_unit;

use super::Arithmetic;
use super::family::family;

/// An activation's formula.
///
/// Its shader in `shaders/activation/` has the functions `activation` and `activation_derivative`.
pub trait Formula: Copy {
    /// f(z) and df/dz, sharing subexpressions.
    fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T);
}

family! {
    ($) activations, with_activation of activation;
    /// The non-linearity after a dense layer.
    pub enum Activation: f32;
    /// Activations by name.
    pub enum ActivationKind;
    /// max(z, 0); the derivative at 0 is 0, as in PyTorch
    Relu "relu" in relu,
    /// max(z, slope z)
    LeakyRelu { slope = 0.01 } "leaky-relu" in leaky_relu,
    /// GELU, tanh form
    Gelu "gelu" in gelu,
    /// z sigmoid(z)
    Silu "silu" in silu,
    /// ln(1 + e^z)
    Softplus "softplus" in softplus,
    /// sin(w0 z), as in SIREN
    Sine { w0 = 30.0 } "sine" in sine,
    /// sin(w0 (|z| + 1) z), as in FINER
    Finer { w0 = 30.0 } "finer" in finer,
    /// exp(-z^2 / (2 scale^2))
    Gaussian { scale = 0.5 } "gaussian" in gaussian,
    /// cos(w0 z) exp(-(scale z)^2), as in WIRE
    Gabor { w0 = 2.0, scale = 1.0 } "gabor" in gabor,
    /// tanh z
    Tanh "tanh" in tanh,
    /// 1 / (1 + e^-z)
    Sigmoid "sigmoid" in sigmoid,
    /// z, no activation
    Identity "identity" or "none" in identity,
}

impl Activation {
    /// f(z)
    #[inline(always)]
    pub fn value<T: Arithmetic>(self, z: T) -> T {
        self.value_and_derivative(z).0
    }

    /// df/dz at z
    #[inline(always)]
    pub fn derivative<T: Arithmetic>(self, z: T) -> T {
        self.value_and_derivative(z).1
    }

    /// f(z) and df/dz
    #[inline(always)]
    pub fn value_and_derivative<T: Arithmetic>(self, z: T) -> (T, T) {
        with_activation!(self, formula => formula.value_and_derivative(z))
    }
}
