//! Update rules over flat parameter ranges.

use crate::model::optimizer::{Formula, Visitor};
use crate::model::{Optimizer, Real};

/// One update of `params` from `grads`; step `index` counts from 0. All slices have one length;
/// `moments` has [`Optimizer::n_moments`] of them.
#[inline(always)]
pub fn update<T: Real>(
    optimizer: Optimizer,
    index: u64,
    lr: f64,
    grads: &[T],
    params: &mut [T],
    moments: &mut [&mut [T]],
) {
    assert_eq!(moments.len(), optimizer.n_moments(), "moments of {optimizer:?}");
    optimizer.visit(Update { step: (index, lr), grads, params, moments });
}

struct Update<'a, 'b, T> {
    step: (u64, f64),
    grads: &'a [T],
    params: &'a mut [T],
    moments: &'a mut [&'b mut [T]],
}

impl<T: Real> Visitor for Update<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn visit<F: Formula>(self, rule: F) {
        let factors = rule.factors(self.step.0, self.step.1).map(T::of);
        let rows = self.params.iter_mut().zip(self.grads);
        match self.moments {
            [] => {
                for (w, &g) in rows {
                    (*w, _) = rule.update(factors, *w, g, [T::zero(); 2]);
                }
            }
            [first] => {
                for ((w, &g), m) in rows.zip(first.iter_mut()) {
                    (*w, [*m, _]) = rule.update(factors, *w, g, [*m, T::zero()]);
                }
            }
            [first, second] => {
                for (((w, &g), m), v) in rows.zip(first.iter_mut()).zip(second.iter_mut()) {
                    (*w, [*m, *v]) = rule.update(factors, *w, g, [*m, *v]);
                }
            }
            _ => unreachable!("no rule keeps more than two moments"),
        }
    }
}
