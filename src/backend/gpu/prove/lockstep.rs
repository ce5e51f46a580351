//! A whole step compared with its references, dispatch by dispatch.

use super::{read_all, run_dispatch};
use crate::backend::Result;
use crate::backend::gpu::execute::resources::{Prepared, Resources};
use crate::backend::gpu::execute::stream::UploadRequest;
use crate::backend::gpu::execute::trainer::ByDispatch;
use crate::backend::gpu::execute::{GpuBackend, GpuNetworks};
use crate::backend::gpu::kernel::compare::{Worst, compare};
use crate::backend::gpu::kernel::{Call, StepParams};
use crate::backend::gpu::plan::Plan;
use crate::model::Step;

/// One dispatch of a lockstep run.
#[derive(Clone, Debug)]
pub struct LockstepEntry {
    pub step: u64,
    pub kernel: String,
    pub worst: Worst,
}

impl GpuBackend {
    /// Runs `steps` one dispatch at a time. Before each, its buffers are copied to the host and the reference
    /// computes from them in f64; after it the two results are compared.
    pub async fn lockstep(&mut self, steps: &[Step]) -> Result<Vec<LockstepEntry>> {
        let mut entries = Vec::new();
        for step in steps {
            let by_dispatch = self.step_by_dispatch(step).await?;
            let ByDispatch { resources, plan, prepared, params, mut stream } = by_dispatch;
            for number in 0..plan.dispatches.len() {
                if let (Some(stream), Some(piece)) = (&mut stream, &plan.dispatches[number].piece) {
                    stream.send(resources, &[UploadRequest { step_slot: 0, step, piece }]);
                }
                entries.push(compare_dispatch(resources, (plan, prepared, number), params).await?);
            }
        }
        Ok(entries)
    }
}

impl GpuNetworks {
    /// The same for the next `n_steps` steps of every network.
    pub async fn lockstep(&mut self, n_steps: usize) -> Result<Vec<LockstepEntry>> {
        let mut entries = Vec::new();
        for _ in 0..n_steps {
            let (resources, plan, prepared, params) = self.step_by_dispatch().await?;
            for number in 0..plan.dispatches.len() {
                entries.push(compare_dispatch(resources, (plan, prepared, number), params).await?);
            }
        }
        Ok(entries)
    }
}

/// Runs dispatch `number` of a plan and compares it.
async fn compare_dispatch(
    resources: &Resources,
    (plan, prepared, number): (&Plan, &Prepared, usize),
    step: StepParams,
) -> Result<LockstepEntry> {
    let dispatch = &plan.dispatches[number];
    let before = read_all(resources, &dispatch.buffers).await?;
    run_dispatch(resources, prepared, number, 0).await?;
    let after = read_all(resources, &dispatch.buffers).await?;
    let (kernel, params, networks) = (&dispatch.kernel, &dispatch.params, dispatch.networks);
    let worst = compare(&Call { kernel, params, step, buffers: &before, networks }, &after);
    Ok(LockstepEntry { step: step.index.into(), kernel: kernel.name(), worst })
}
