//! Update rules over flat parameter ranges.

use crate::model::optimizer::{Formula, with_rule};
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
    with_rule!(optimizer, rule => {
        let factors = rule.factors(index, lr).map(T::of);
        let rows = params.iter_mut().zip(grads);
        match moments {
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
    });
}
