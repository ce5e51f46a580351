//! A dispatch as its reference sees it, the expected results, and test inputs.

use super::tolerance::Bounded;
use super::{Kernel, StepParams, halves};
use crate::backend::tuned::Storage;
use bytemuck::Pod;

/// One dispatch as its reference sees it: everything the kernel could read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub kernel: &'a Kernel,
    pub params: &'a [u8],
    pub step: StepParams,
    /// Contents of the storage bindings before the dispatch, as 32-bit words.
    pub buffers: &'a [Vec<u32>],
    /// Networks computed at once, each with its part of each buffer.
    pub networks: u32,
}

impl Call<'_> {
    pub(crate) fn params<P: Pod>(&self) -> P {
        bytemuck::pod_read_unaligned(&self.params[..size_of::<P>()])
    }

    /// Binding `n` as floats.
    pub(crate) fn f32s(&self, n: usize) -> &[f32] {
        bytemuck::cast_slice(&self.buffers[n])
    }

    /// The first `len` floats of binding `n` from `start`, widened.
    pub(crate) fn f64s(&self, n: usize, start: usize, len: usize) -> Vec<f64> {
        match self.kernel.storage_of(n) {
            Storage::F32 => self.f32s(n)[start..start + len].iter().map(|&v| f64::from(v)).collect(),
            Storage::F16 => (start..start + len).map(|i| halves::get(&self.buffers[n], i).into()).collect(),
        }
    }
}

/// The expected contents of a range of a binding after a dispatch. Words outside every range must not change.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub binding: usize,
    /// First word.
    pub start: usize,
    pub values: ExpectedValues,
}

#[derive(Clone, Debug)]
pub(crate) enum ExpectedValues {
    /// Floats, each within its tolerance.
    Close { values: Vec<f64>, tolerances: Vec<f64> },
    /// Signed 64-bit integers in units of 2^-52, low word first, each within its tolerance.
    FixedPoint { values: Vec<f64>, tolerances: Vec<f64> },
    /// Exact words.
    Bits(Vec<u32>),
}

/// The unit of the fixed-point sums.
pub(crate) const SUM_UNIT: f64 = 1.0 / (1_u64 << 52) as f64;

/// The numbers that pairs of words, low and high, represent.
pub(crate) fn fixed_point(words: &[u32]) -> Vec<f64> {
    let value = |w: &[u32; 2]| ((u64::from(w[1]) << 32 | u64::from(w[0])) as i64) as f64 * SUM_UNIT;
    words.as_chunks().0.iter().map(value).collect()
}

/// Floats with tolerances, from word `start` of `binding`.
pub(crate) fn close(binding: usize, start: usize, values: Vec<f64>, tolerances: Vec<f64>) -> Expected {
    Expected { binding, start, values: ExpectedValues::Close { values, tolerances } }
}

/// The same from word 0, with the bounds as tolerances.
pub(crate) fn close_bounded(binding: usize, found: impl IntoIterator<Item = Bounded>) -> Expected {
    let (values, tolerances) = found.into_iter().map(|b| (b.value, b.error)).unzip();
    close(binding, 0, values, tolerances)
}

/// A test case of a kernel.
#[derive(Clone, Debug)]
pub struct Case {
    /// Shape, for messages.
    pub label: String,
    /// The parameter block's bytes.
    pub params: Vec<u8>,
    pub(crate) step: StepParams,
    /// Contents of the storage bindings; outputs hold poison.
    pub buffers: Vec<Vec<u32>>,
    pub(crate) grid: [u32; 2],
    /// Networks computed at once.
    pub(crate) networks: u32,
}
