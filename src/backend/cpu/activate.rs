//! Activations over whole matrices.

use super::simd::vectorised;
use crate::model::{Activation, Real};

/// Turns pre-activations into activations and derivatives: `a` receives f(z) and `z` is
/// overwritten with f'(z), which is all the backward pass needs.
pub fn activate_keeping_derivative<T: Real>(activation: Activation, z: &mut [T], a: &mut [T]) {
    assert_eq!(z.len(), a.len(), "one activation for each pre-activation");
    #[inline(always)]
    fn run<T: Real>(activation: Activation, z: &mut [T], a: &mut [T]) {
        for (z, a) in z.iter_mut().zip(a) {
            (*a, *z) = activation.value_and_derivative(*z);
        }
    }
    // One loop each, so that the choice of activation is not made inside it.
    vectorised(|| match activation {
        Activation::Identity => run(Activation::Identity, z, a),
        Activation::Relu => run(Activation::Relu, z, a),
        Activation::Sine { w0 } => run(Activation::Sine { w0 }, z, a),
        Activation::Sigmoid => run(Activation::Sigmoid, z, a),
    });
}

/// Replaces pre-activations by activations.
pub fn activate<T: Real>(activation: Activation, z: &mut [T]) {
    #[inline(always)]
    fn run<T: Real>(activation: Activation, z: &mut [T]) {
        for z in z {
            *z = activation.value(*z);
        }
    }
    vectorised(|| match activation {
        Activation::Identity => {}
        Activation::Relu => run(Activation::Relu, z),
        Activation::Sine { w0 } => run(Activation::Sine { w0 }, z),
        Activation::Sigmoid => run(Activation::Sigmoid, z),
    });
}

/// dl_dz = dl_da f'(z), in place.
pub fn chain<T: Real>(dl_da: &mut [T], derivative: &[T]) {
    vectorised(
        #[inline(always)]
        || {
            for (dl, &d) in dl_da.iter_mut().zip(derivative) {
                *dl *= d;
            }
        },
    );
}
