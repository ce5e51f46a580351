//! A whole step compared with its references, dispatch by dispatch.

use super::{read_all, run_dispatch};
use crate::backend::Result;
use crate::backend::gpu::execute::GpuBackend;
use crate::backend::gpu::execute::stream::UploadRequest;
use crate::backend::gpu::execute::trainer::ByDispatch;
use crate::backend::gpu::kernel::Call;
use crate::backend::gpu::kernel::compare::{Worst, compare};
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
            for (number, dispatch) in plan.dispatches.iter().enumerate() {
                if let (Some(stream), Some(piece)) = (&mut stream, &dispatch.piece) {
                    stream.send(resources, &[UploadRequest { step_slot: 0, step, piece }]);
                }
                let before = read_all(resources, &dispatch.buffers).await?;
                run_dispatch(resources, prepared, number, 0).await?;
                let after = read_all(resources, &dispatch.buffers).await?;
                let (kernel, bytes) = (&dispatch.kernel, &dispatch.params);
                let call = Call { kernel, params: bytes, step: params, buffers: &before };
                let worst = compare(&call, &after);
                entries.push(LockstepEntry { step: step.index, kernel: kernel.name(), worst });
            }
        }
        Ok(entries)
    }
}
