//! How much memory a job takes on the CPU, computed before anything is allocated.

use super::chunks::{CHUNK_SIZE, n_lanes};
use super::lane::Lane;
use super::network::Scratch;
use super::packed::{PackFor, Packed};
use super::simd::SimdReal;
use crate::backend::{BackendError, Job};
use crate::model::TrainingState;

/// Bytes of weights, moments, gradient sums and work space, without the picture.
pub fn size_bytes<T: SimdReal>(job: &Job, threads: usize) -> u64 {
    let model = &job.model;
    let n_encoding = model.encoding.n_params();
    let n_moments = TrainingState::n_moments(job.optimizer, &job.options.refinements);
    let flat = (n_encoding + model.network.n_params()) * (1 + n_moments) + n_encoding;
    let flat = flat + Packed::<T>::size(&model.layout(), PackFor::Training);
    let lanes = n_lanes(job.batch_size as usize) * Lane::<T>::size(model);
    let values = ((flat + lanes) * size_of::<T>()) as u64;
    values + (threads * Scratch::<T>::size_bytes(model, CHUNK_SIZE)) as u64
}

/// Refuses a job that needs more than the free memory on `threads` threads.
///
/// # Errors
/// [`BackendError::DoesNotFit`], with both numbers.
pub fn check<T: SimdReal>(job: &Job, threads: usize) -> Result<(), BackendError> {
    let model = &job.model;
    let needed = size_bytes::<T>(job, threads);
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing().with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    );
    let free = system.available_memory();
    // If the system does not report free memory, the allocation itself fails.
    if free > 0 && needed > free {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        return Err(BackendError::DoesNotFit(format!(
            "a network of {:.1} million weights needs {:.1} GiB of memory to train and {:.1} GiB are free; give a smaller {}--hidden, --features or --layers",
            model.layout().n_params() as f64 / 1e6,
            gib(needed),
            gib(free),
            if model.encoding.n_params() > 0 { "--log2-table, --levels, " } else { "" },
        )));
    }
    Ok(())
}
