//! Activations over whole matrices.

use super::simd::vectorised;
use crate::model::activation::{Formula, with_activation};
use crate::model::{Activation, Real};

/// Turns pre-activations into activations and derivatives: `a` receives f(z), and `z` is overwritten with f'(z),
/// which is all the backward pass needs.
pub fn activate_keeping_derivative<T: Real>(activation: Activation, z: &mut [T], a: &mut [T]) {
    assert_eq!(z.len(), a.len(), "one activation for each pre-activation");
    vectorised!(with_activation!(activation, f => {
        for (z, a) in z.iter_mut().zip(a) {
            (*a, *z) = f.value_and_derivative(*z);
        }
    }));
}

/// Replaces pre-activations with activations.
pub(crate) fn activate<T: Real>(activation: Activation, z: &mut [T]) {
    vectorised!(with_activation!(activation, f => {
        for z in z {
            (*z, _) = f.value_and_derivative(*z);
        }
    }));
}

/// dl_dz = dl_da f'(z), in place.
pub(crate) fn chain<T: Real>(dl_da: &mut [T], derivative: &[T]) {
    vectorised!({
        for (dl, &d) in dl_da.iter_mut().zip(derivative) {
            *dl *= d;
        }
    });
}
