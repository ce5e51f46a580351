//! Compares kernels, and whole plans dispatch by dispatch, with the CPU in f64.

mod lockstep;

pub use lockstep::LockstepEntry;

use crate::backend::gpu::device::Gpu;
use crate::backend::gpu::execute::readback::{read_buffers, write_words};
use crate::backend::gpu::execute::resources::{Prepared, Resources};
use crate::backend::gpu::execute::{GpuBackend, GpuNetworks, GpuPredictor};
use crate::backend::gpu::kernel::compare::{Worst, compare};
use crate::backend::gpu::kernel::{Call, Case, Kernel, StepParams};
use crate::backend::gpu::ops::{Layout, record};
use crate::backend::gpu::plan::{BufferDecl, BufferId, Dispatch, Plan};
use crate::backend::{BackendError, Result};
use crate::model::Model;
use std::pin::Pin;
use std::sync::Arc;

/// Maximum buffer words of a self-test case at start-up: milliseconds on any device.
const SELF_TEST_WORDS: usize = 20_000;

/// Runs one quick case of each kernel in `used` that has not passed on this device yet, and compares it.
///
/// # Errors
/// [`BackendError::WrongResults`] with the first kernel that fails; others when the device fails.
pub(crate) async fn self_test<'a>(gpu: &Arc<Gpu>, used: impl IntoIterator<Item = &'a Kernel>) -> Result<()> {
    for kernel in used {
        let shader = kernel.shader(gpu);
        if gpu.pipelines.is_proven(&shader) {
            continue;
        }
        let words = |case: &Case| case.buffers.iter().map(Vec::len).sum::<usize>();
        let cases = kernel.cases();
        let quick = cases.iter().filter(|case| words(case) <= SELF_TEST_WORDS).max_by_key(|case| words(case));
        let case = quick.or(cases.first()).expect("every kernel has cases");
        let worst = run_case(gpu, kernel, case).await?;
        log::debug!("self-test: {} at {:.3} of its tolerance", kernel.name(), worst.share);
        if !worst.passes() {
            return Err(BackendError::WrongResults {
                kernel: kernel.name(),
                device: gpu.info.name.clone(),
                place: worst.place,
            });
        }
        gpu.pipelines.set_proven(&shader);
    }
    Ok(())
}

/// The same for the kernels of a plan.
fn prove<'a>(gpu: &'a Arc<Gpu>, plan: &'a Plan) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(self_test(gpu, plan.dispatches.iter().map(|dispatch| &dispatch.kernel)))
}

/// The same for the kernels of predictions of a picture of `n_pixels` pixels.
///
/// # Errors
/// As [`self_test`].
pub async fn predictions(gpu: &Arc<Gpu>, (model, layout): (&Model, &Layout), n_pixels: usize) -> Result<()> {
    let plans = record::predictions(model, layout, n_pixels);
    self_test(gpu, plans.iter().flat_map(|plan| &plan.dispatches).map(|dispatch| &dispatch.kernel)).await
}

impl GpuBackend {
    /// Compares one quick case of every kernel that this job uses with the CPU in f64, and later of those that
    /// rasters of other sizes need.
    pub(crate) async fn self_test(&mut self) -> Result<()> {
        self.tiles.proof = Some(prove);
        self_test(self.gpu(), &self.kernels()).await
    }
}

impl GpuNetworks {
    /// Compares one quick case of every kernel with the CPU in f64.
    ///
    /// # Errors
    /// As [`self_test`].
    pub async fn self_test(&self) -> Result<(), BackendError> {
        self_test(self.gpu(), self.kernels()).await
    }
}

impl GpuPredictor {
    /// Compares one quick case of every kernel that whole tiles use with the CPU in f64, and later of those that
    /// smaller tiles need.
    pub(crate) async fn self_test(&mut self) -> Result<()> {
        self.tiles.proof = Some(prove);
        prove(self.gpu(), &self.plan()).await
    }
}

/// Runs one case of a kernel and compares it.
pub async fn run_case(gpu: &Arc<Gpu>, kernel: &Kernel, case: &Case) -> Result<Worst> {
    let bound = kernel.def.bindings.iter().zip(&case.buffers);
    let decls = bound.map(|(binding, words)| BufferDecl::new(binding.name, &[words.len()])).collect();
    let mut resources = Resources::new(Arc::clone(gpu), decls).await?;
    let ids: Vec<_> = (0..case.buffers.len()).map(BufferId).collect();
    for (&id, words) in ids.iter().zip(&case.buffers) {
        write_words(gpu, resources.buffer(id), 0, words).await?;
    }
    let dispatch = Dispatch {
        kernel: kernel.clone(),
        params: case.params.clone(),
        buffers: ids.clone(),
        grid: case.grid,
        networks: case.networks,
        cost: 0.0,
        piece: None,
    };
    let prepared = resources.prepare(&Plan { dispatches: vec![dispatch] }).await?;
    // Not slot 0, so that the dynamic offset is tested.
    resources.write_steps(&[StepParams::default(), case.step]);
    run_dispatch(&resources, &prepared, 0, 1).await?;
    let after = read_all(&resources, &ids).await?;
    Ok(compare(
        &Call {
            kernel,
            params: &case.params,
            step: case.step,
            buffers: &case.buffers,
            networks: case.networks,
        },
        &after,
    ))
}

async fn run_dispatch(resources: &Resources, plan: &Prepared, index: usize, slot: usize) -> Result<()> {
    let mut encoder = resources.gpu.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        plan.encode(index, slot, resources, &mut pass);
    }
    resources.gpu.wait(resources.gpu.submit(Some(encoder.finish()), None)).await
}

async fn read_all(resources: &Resources, ids: &[BufferId]) -> Result<Vec<Vec<u32>>> {
    let buffers: Vec<_> =
        ids.iter().map(|&id| (resources.buffer(id), resources.decl(id).n_words())).collect();
    read_buffers(&resources.gpu, &buffers).await
}
