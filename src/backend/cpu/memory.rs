//! How much memory a job takes on the CPU, computed before anything is allocated.

use super::chunks::{CHUNK_SIZE, n_lanes};
use super::lane::Lane;
use super::muon::Orthogonalizer;
use super::network::Scratch;
use super::packed::{PackFor, Packed};
use super::simd::SimdReal;
use crate::backend::{DeviceOptions, Job, Result, memory};
use crate::model::{Model, TrainingState};

/// Bytes of weights, moments, gradient sums and work space, without the picture.
pub fn size_bytes<T: SimdReal>(job: &Job, threads: usize) -> u64 {
    let model = &job.model;
    let n_encoding = model.encoding.n_params();
    let n_moments = TrainingState::n_moments(job.optimizer, &job.options.refinements);
    let flat = (n_encoding + model.network.n_params()) * (1 + n_moments) + n_encoding;
    let layout = model.layout();
    let flat = flat + Packed::<T>::size(&layout, PackFor::Training);
    let matrices = job.whole_matrices(&layout).iter().map(|layer| Orthogonalizer::<T>::size(layer.shape));
    let flat = flat + matrices.sum::<usize>();
    let lanes = n_lanes(job.batch_size as usize) * Lane::<T>::size(model);
    let values = ((flat + lanes) * size_of::<T>()) as u64;
    values + (threads * Scratch::<T>::size_bytes(model, CHUNK_SIZE)) as u64
}

/// Refuses a job that needs more than its share of the free memory on `threads` threads, or more than `options` allow.
///
/// # Errors
/// [`BackendError::DoesNotFit`], with both numbers.
pub fn check<T: SimdReal>(job: &Job, threads: usize, options: &DeviceOptions) -> Result<()> {
    let needed = size_bytes::<T>(job, threads).saturating_add(memory::state_copies(job));
    memory::check(&job.model, "train", needed, options)
}

/// The same for a model that only predicts, whose weights are already in memory.
///
/// # Errors
/// [`BackendError::DoesNotFit`], with both numbers.
pub fn check_predictor(model: &Model, threads: usize, options: &DeviceOptions) -> Result<()> {
    let flat = model.layout().n_params() + Packed::<f32>::size(&model.layout(), PackFor::Prediction);
    let needed = flat * size_of::<f32>() + threads * Scratch::<f32>::size_bytes(model, CHUNK_SIZE);
    memory::check(model, "render", needed as u64, options)
}
