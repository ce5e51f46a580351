//! Activation functions and their exact derivatives, from the pre-activation z.

use super::Real;
use std::f64::consts::TAU;

/// The non-linearity after a dense layer.
///
/// Each has a twin in `shaders/activation/` with the functions `activation` and
/// `activation_derivative`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// z
    Identity,
    /// max(z, 0); the derivative at 0 is 0, as in PyTorch.
    Relu,
    /// sin(w0 z), Sitzmann et al. 2020 (SIREN), equation 5.
    Sine {
        /// Angular frequency w0 in radians per unit of z.
        w0: f32,
    },
    /// 1 / (1 + e^-z)
    Sigmoid,
}

impl Activation {
    /// The name used in configurations and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::Sine { .. } => "sine",
            Self::Sigmoid => "sigmoid",
        }
    }

    /// f(z)
    #[inline(always)]
    pub fn value<T: Real>(self, z: T) -> T {
        match self {
            Self::Identity => z,
            Self::Relu => z.max(T::zero()),
            Self::Sine { w0 } => (z * turns_per_unit(w0)).sin_cos_turns().0,
            Self::Sigmoid => T::one() / (T::one() + (-z).exp_fast()),
        }
    }

    /// f(z) and df/dz, sharing what they have in common.
    #[inline(always)]
    pub fn value_and_derivative<T: Real>(self, z: T) -> (T, T) {
        match self {
            Self::Sine { w0 } => {
                let (sine, cosine) = (z * turns_per_unit(w0)).sin_cos_turns();
                (sine, T::from_f32(w0) * cosine)
            }
            Self::Sigmoid => {
                let p = self.value(z);
                (p, p * (T::one() - p))
            }
            Self::Identity | Self::Relu => (self.value(z), self.derivative(z)),
        }
    }

    /// df/dz at z
    #[inline(always)]
    pub fn derivative<T: Real>(self, z: T) -> T {
        match self {
            Self::Identity => T::one(),
            Self::Relu => {
                if z > T::zero() {
                    T::one()
                } else {
                    T::zero()
                }
            }
            Self::Sine { w0 } => T::from_f32(w0) * (z * turns_per_unit(w0)).sin_cos_turns().1,
            Self::Sigmoid => {
                let p = self.value(z);
                p * (T::one() - p)
            }
        }
    }
}

/// w0 / 2 pi: what turns a pre-activation into a phase in turns.
#[inline(always)]
pub fn turns_per_unit<T: Real>(w0: f32) -> T {
    T::of(f64::from(w0) / TAU)
}
