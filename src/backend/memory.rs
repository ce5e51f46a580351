//! Refuses what takes more than its share of this machine's memory, before any of it is allocated.

use super::{BackendError, Job, Result};
use crate::job::DeviceOptions;
use crate::model::{Model, TrainingState};

/// Nine tenths of what is free: the rest is for the picture, its copies and other programs.
const SHARE: (u64, u64) = (9, 10);

/// Copies of the weights and moments that a run holds beside those it trains: its last good state, and the one being
/// read or written.
const COPIES: u64 = 2;

/// Free memory of this machine or container in bytes; `None` if unknown.
pub fn free_memory() -> Option<u64> {
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing().with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    );
    let free = system.available_memory();
    let container = system.cgroup_limits().map(|limits| limits.free_memory);
    (free > 0).then(|| container.map_or(free, |limit| free.min(limit)))
}

/// Bytes of the copies of a job's weights and moments on the host.
pub(super) fn state_copies(job: &Job) -> u64 {
    let n_moments = TrainingState::n_moments(job.optimizer, &job.options.refinements) as u64;
    let of_one = (job.model.layout().n_params() as u64).saturating_mul(4 * (1 + n_moments));
    COPIES.saturating_mul(of_one)
}

/// Refuses to `purpose` (train, say) a network that needs `needed` bytes.
///
/// # Errors
/// [`BackendError::DoesNotFit`], with both numbers.
pub(super) fn check(model: &Model, purpose: &str, needed: u64, options: &DeviceOptions) -> Result<()> {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    // If the system does not report free memory, the allocation itself fails.
    let of_machine = || free_memory().map(|free| free / SHARE.1 * SHARE.0);
    let may_use = match options.max_memory.or_else(of_machine) {
        Some(may_use) if needed > may_use => may_use,
        _ => return Ok(()),
    };
    let bound = match options.max_memory {
        Some(_) => format!("{:.1} GiB are allowed", gib(may_use)),
        None => {
            let free = gib(may_use / SHARE.0 * SHARE.1);
            format!("{free:.1} GiB are free, of which a run may take nine tenths")
        }
    };
    Err(BackendError::DoesNotFit(format!(
        "a network of {:.1} million weights needs {:.1} GiB of memory to {purpose} and {bound}; give a smaller {}--hidden, --features or --layers",
        model.layout().n_params() as f64 / 1e6,
        gib(needed),
        if model.encoding.n_params() > 0 { "--log2-table, --levels, " } else { "" },
    )))
}
