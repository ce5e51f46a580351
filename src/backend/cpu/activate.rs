//! Activations over whole matrices.

use super::simd::vectorised;
use crate::model::activation::{Formula, Visitor};
use crate::model::{Activation, Real};

/// Turns pre-activations into activations and derivatives: `a` receives f(z), and `z` is overwritten with f'(z),
/// which is all the backward pass needs.
pub fn activate_keeping_derivative<T: Real>(activation: Activation, z: &mut [T], a: &mut [T]) {
    assert_eq!(z.len(), a.len(), "one activation for each pre-activation");
    vectorised!(activation.visit(KeepingDerivative { z, a }));
}

struct KeepingDerivative<'a, T> {
    z: &'a mut [T],
    a: &'a mut [T],
}

impl<T: Real> Visitor for KeepingDerivative<'_, T> {
    type Output = ();

    #[inline(always)]
    fn visit<F: Formula>(self, f: F) {
        for (z, a) in self.z.iter_mut().zip(self.a) {
            (*a, *z) = f.value_and_derivative(*z);
        }
    }
}

/// Replaces pre-activations with activations.
pub(crate) fn activate<T: Real>(activation: Activation, z: &mut [T]) {
    vectorised!(activation.visit(Values { z }));
}

struct Values<'a, T> {
    z: &'a mut [T],
}

impl<T: Real> Visitor for Values<'_, T> {
    type Output = ();

    #[inline(always)]
    fn visit<F: Formula>(self, f: F) {
        for z in self.z {
            (*z, _) = f.value_and_derivative(*z);
        }
    }
}

/// dl_dz = dl_da f'(z), in place.
pub(crate) fn chain<T: Real>(dl_da: &mut [T], derivative: &[T]) {
    vectorised!({
        for (dl, &d) in dl_da.iter_mut().zip(derivative) {
            *dl *= d;
        }
    });
}
