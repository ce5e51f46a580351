//! Compares the results of a dispatch with its reference.

use super::call::{Call, Expected, ExpectedValues, fixed_point};
use super::halves;
use crate::backend::tuned::{HALF_FLUSH, HALF_MAX, HALF_ROUNDING, Storage};

/// The worst value of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Worst {
    /// Its error over its tolerance: 1 or less passes.
    pub share: f64,
    /// Its place, and the expected value.
    pub place: String,
}

impl Worst {
    /// Whether every value is within its tolerance.
    pub fn passes(&self) -> bool {
        self.share <= 1.0
    }
}

/// Compares the buffers after a dispatch with its reference.
///
/// Words that the reference does not mention must be unchanged.
pub(crate) fn compare(call: &Call, after: &[Vec<u32>]) -> Worst {
    if !call.kernel.for_networks {
        return compare_network(call, after);
    }
    let n_networks = call.networks as usize;
    let mut worst = Worst::default();
    for network in 0..n_networks {
        let part = |words: &Vec<u32>| {
            words.chunks_exact(words.len() / n_networks).nth(network).unwrap_or(&[]).to_vec()
        };
        let [before, after] =
            [call.buffers, after].map(|buffers| buffers.iter().map(part).collect::<Vec<_>>());
        let one = compare_network(&Call { buffers: &before, ..*call }, &after);
        if one.share > worst.share {
            worst = Worst { place: format!("network {network}: {}", one.place), ..one };
        }
    }
    worst
}

/// The same for one network.
fn compare_network(call: &Call, after: &[Vec<u32>]) -> Worst {
    let expected = (call.kernel.def.reference)(call);
    let mut worst = Worst::default();
    // In half words, the smallest elements.
    let mut untouched: Vec<Vec<bool>> = after.iter().map(|words| vec![true; 2 * words.len()]).collect();
    for range in &expected {
        let name = call.kernel.def.bindings[range.binding].name;
        let storage = call.kernel.storage_of(range.binding);
        let n = compare_range(range, &after[range.binding], (name, storage), &mut worst);
        let halves = storage.size_bytes() / 2;
        untouched[range.binding][halves * range.start..halves * (range.start + n)].fill(false);
    }
    for (binding, untouched) in untouched.iter().enumerate() {
        let changed = |&half: &usize| {
            untouched[half]
                && halves::bits(&call.buffers[binding], half) != halves::bits(&after[binding], half)
        };
        if let Some(half) = (0..untouched.len()).find(changed) {
            let at = 2 * half / call.kernel.storage_of(binding).size_bytes();
            let place = format!("{}[{at}] changed and must not", call.kernel.def.bindings[binding].name);
            if worst.share < f64::INFINITY {
                worst = Worst { share: f64::INFINITY, place };
            }
        }
    }
    worst
}

/// Compares `range` of a binding's words; returns how many elements that were.
fn compare_range(
    range: &Expected,
    words: &[u32],
    (name, storage): (&str, Storage),
    worst: &mut Worst,
) -> usize {
    let got = words.get(range.start..).unwrap_or(&[]);
    let mut note = |index: usize, share: f64, text: &dyn Fn() -> String| {
        if share > worst.share {
            *worst = Worst { share, place: format!("{name}[{}] {}", range.start + index, text()) };
        }
    };
    match &range.values {
        ExpectedValues::Close { values, tolerances } if storage == Storage::F16 => {
            // A value within tolerance is then rounded to f16, or clipped to its range.
            let clipped: Vec<f64> = values.iter().map(|v| v.clamp(-HALF_MAX, HALF_MAX)).collect();
            let rounded = |(v, t): (&f64, &f64)| t + (v.abs() + t) * HALF_ROUNDING + HALF_FLUSH;
            let tolerances: Vec<f64> = clipped.iter().zip(tolerances).map(rounded).collect();
            let got = (range.start..range.start + values.len()).map(|i| halves::get(words, i).into());
            compare_numbers(&clipped, &tolerances, got, name, &mut note);
            values.len()
        }
        ExpectedValues::Bits(bits) => {
            for (index, (&want, &got)) in bits.iter().zip(got).enumerate() {
                let share = if want == got { 0.0 } else { f64::INFINITY };
                note(index, share, &|| format!("is {got:#x}, not {want:#x}"));
            }
            bits.len()
        }
        ExpectedValues::Close { values, tolerances } => {
            let got = got.iter().map(|&word| f64::from(f32::from_bits(word)));
            compare_numbers(values, tolerances, got, name, &mut note);
            values.len()
        }
        ExpectedValues::FixedPoint { values, tolerances } => {
            compare_numbers(values, tolerances, fixed_point(got).into_iter(), name, &mut note);
            2 * values.len()
        }
    }
}

fn compare_numbers(
    values: &[f64],
    tolerances: &[f64],
    got: impl ExactSizeIterator<Item = f64>,
    name: &str,
    note: &mut impl FnMut(usize, f64, &dyn Fn() -> String),
) {
    assert_eq!(values.len(), tolerances.len(), "a tolerance for each value of {name}");
    assert!(got.len() >= values.len(), "{name} is too short for its reference");
    for (index, ((&want, &tolerance), got)) in values.iter().zip(tolerances).zip(got).enumerate() {
        let error = (got - want).abs();
        // A NaN never passes, not even in the reference.
        let share = match error / tolerance {
            _ if error == 0.0 => 0.0,
            share if share.is_nan() => f64::INFINITY,
            share => share,
        };
        note(index, share, &|| format!("is {got:e}, not {want:e} within {tolerance:.1e}"));
    }
}
