//! Runs a loop with the widest vectors this processor has.

/// Calls `work` compiled for the best instruction set found at run time.
///
/// What `work` calls must be `#[inline(always)]`, or it stays compiled for the baseline.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
