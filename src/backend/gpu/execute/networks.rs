//! Trains several networks of one shape at once, each on its own picture.

use super::executor::{Executor, Task};
use super::readback::{read_buffers, write_words};
use super::resources::{Prepared, Resources};
use super::trainer::{check_features, step_params};
use crate::backend::gpu::device::{Budget, Gpu};
use crate::backend::gpu::kernel::{Kernel, KernelConfig, StepParams};
use crate::backend::gpu::ops::encode::constants;
use crate::backend::gpu::ops::networks::Networks;
use crate::backend::gpu::plan::picture::pack;
use crate::backend::gpu::plan::{BufferId, PicturePlace, Plan};
use crate::backend::{Job, NetworkJob, Result};
use crate::model::{Shuffle, Step, TrainingState};
use std::sync::Arc;

/// Several networks of one shape that are trained at once, each as it would be alone by the same kernels, to the bit.
#[derive(Debug)]
pub struct GpuNetworks {
    jobs: Vec<NetworkJob>,
    resources: Resources,
    networks: Networks,
    /// Plans by the number of samples.
    plans: Vec<(u32, Plan, Prepared)>,
    executor: Executor,
    steps_done: u64,
    /// The orders of samples that the device has, if each network has its own.
    orders: Option<Vec<Shuffle>>,
}

impl GpuNetworks {
    /// Puts as many of `jobs` on the device as fit together, from the first on. `None` if not even one fits.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn new(
        gpu: Arc<Gpu>,
        mut jobs: Vec<NetworkJob>,
        (budget, config): (Budget, KernelConfig),
    ) -> Result<Option<Self>> {
        let first = jobs.first().expect("there are networks");
        let order = |network: &NetworkJob| network.steps.clone().next().map(|step| step.shuffle);
        check_features(&gpu, &first.job)?;
        let own_order = jobs.iter().any(|network| order(network) != order(first));
        let networks = Networks::new(&first.job, budget, config, (jobs.len(), own_order))?;
        let Some(networks) = networks else { return Ok(None) };
        jobs.truncate(networks.count);
        let resources = Resources::new(gpu, networks.layout.buffers.clone()).await?;
        let executor = Executor::new(&resources, networks.buffers.ring).await?;
        let mut this = Self {
            jobs,
            resources,
            networks,
            plans: Vec::new(),
            executor,
            steps_done: 0,
            orders: own_order.then(Vec::new),
        };
        this.upload().await?;
        let Job { samples, batch_size, .. } = &this.jobs[0].job;
        let sizes = [*batch_size, samples.len() % batch_size];
        for n_samples in sizes.into_iter().filter(|&n| n > 0) {
            this.prepare(n_samples).await?;
        }
        Ok(Some(this))
    }

    /// How many networks there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Never: there is at least one network.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The kernels of the steps.
    pub(crate) fn kernels(&self) -> impl Iterator<Item = &Kernel> {
        self.plans.iter().flat_map(|(_, plan, _)| &plan.dispatches).map(|dispatch| &dispatch.kernel)
    }

    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.resources.gpu
    }

    async fn write(&self, id: BufferId, network: usize, words: &[u32]) -> Result<()> {
        let first = network as u64 * self.resources.decl(id).part_words();
        write_words(&self.resources.gpu, self.resources.buffer(id), first, words).await
    }

    fn state_buffers(&self) -> Vec<BufferId> {
        self.networks.buffers.of_state(self.networks.layout.forward.params)
    }

    async fn upload(&self) -> Result<()> {
        let PicturePlace::Device { parts, words_per_part, .. } = self.networks.buffers.picture else {
            unreachable!("pictures of several networks are on the device")
        };
        for (network, NetworkJob { job, state, .. }) in self.jobs.iter().enumerate() {
            let words = pack(&job.picture, 0..job.picture.n_pixels() as usize);
            for (part, words) in words.chunks(words_per_part).enumerate() {
                self.write(parts[part], network, words).await?;
            }
            let of_parts = job.model.encoding.parts();
            for (part, id) in of_parts.iter().zip(&self.networks.layout.forward.constants) {
                if let (Some(constants), Some(id)) = (constants(part), id) {
                    self.write(*id, network, &constants.words).await?;
                }
            }
            for (id, values) in
                self.state_buffers().into_iter().zip([&state.params].into_iter().chain(&state.moments))
            {
                self.write(id, network, bytemuck::cast_slice(values)).await?;
            }
        }
        let progress = self.networks.buffers.progress;
        write_words(&self.resources.gpu, self.resources.buffer(progress), 0, &[0, 0]).await
    }

    async fn prepare(&mut self, n_samples: u32) -> Result<()> {
        let plan = self.networks.step(&self.jobs[0].job, n_samples as usize);
        let prepared = self.resources.prepare(&plan).await?;
        self.plans.push((n_samples, plan, prepared));
        Ok(())
    }

    /// Step `index` of each network.
    fn steps(&self, index: u64) -> Vec<Step> {
        let step =
            |network: &NetworkJob| network.steps.clone().starting_at(index).next().expect("without end");
        self.jobs.iter().map(step).collect()
    }

    /// Runs or schedules the next `n_steps` steps of every network. Waits if more than a few submissions are in flight.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn advance(&mut self, n_steps: usize) -> Result<()> {
        let first: Vec<Step> =
            self.jobs[0].steps.clone().starting_at(self.steps_done).take(n_steps).collect();
        #[cfg(feature = "faults")]
        if self.gpu().options.faults.take(crate::job::faults::StepFault::LoseDevice, &first) {
            self.gpu().device.destroy();
        }
        let shares_order = self.orders.is_none();
        // As long as the order stays the same.
        for steps in first.chunk_by(|a, b| shares_order || a.shuffle == b.shuffle) {
            self.set_orders(steps[0].index).await?;
            let plan = |step: &Step| {
                let known = self.plans.iter().find(|(n, ..)| *n == step.n_samples);
                &known.expect("prepared before").2
            };
            let tasks: Vec<_> = steps
                .iter()
                .map(|step| Task { params: step_params(&self.jobs[0].job, step), step, plan: plan(step) })
                .collect();
            self.executor.run(&self.resources, None, &tasks).await?;
        }
        self.executor.take_losses(&self.resources)?;
        self.steps_done += n_steps as u64;
        Ok(())
    }

    /// Sets each network's order of samples in step `index`, if it has its own.
    async fn set_orders(&mut self, index: u64) -> Result<()> {
        let PicturePlace::Device { sample_index: Some(keys), .. } = self.networks.buffers.picture else {
            return Ok(());
        };
        let orders: Vec<Shuffle> = self.steps(index).into_iter().map(|step| step.shuffle).collect();
        if self.orders.as_ref() != Some(&orders) {
            let words: Vec<u32> = orders.iter().flat_map(|shuffle| shuffle.keys).collect();
            self.write(keys, 0, &words).await?;
            self.orders = Some(orders);
        }
        Ok(())
    }

    /// The state of every network. Waits for all steps.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn states(&mut self) -> Result<Vec<TrainingState>> {
        self.executor.finish(&self.resources).await?;
        let ids = self.state_buffers();
        let buffers: Vec<_> =
            ids.iter().map(|&id| (self.resources.buffer(id), self.resources.decl(id).n_words())).collect();
        let all = read_buffers(&self.resources.gpu, &buffers).await?;
        let part_words = self.resources.decl(ids[0]).part_words() as usize;
        let n_params = self.jobs[0].state.params.len();
        let state = |network: usize| {
            let part =
                |words: &Vec<u32>| bytemuck::cast_slice(&words[network * part_words..][..n_params]).to_vec();
            let mut flat = all.iter().map(part);
            let params = flat.next().expect("the parameters come first");
            TrainingState { step: self.steps_done, params, moments: flat.collect() }
        };
        Ok((0..self.len()).map(state).collect())
    }

    /// Prepares the next step to be run one dispatch at a time without the executor, and counts it as done.
    pub(crate) async fn step_by_dispatch(&mut self) -> Result<(&Resources, &Plan, &Prepared, StepParams)> {
        self.executor.finish(&self.resources).await?;
        let step = self.jobs[0].steps.clone().starting_at(self.steps_done).next().expect("without end");
        self.set_orders(step.index).await?;
        let params = step_params(&self.jobs[0].job, &step);
        self.resources.write_steps(&[params]);
        self.executor.skip(1);
        self.steps_done += 1;
        let (_, plan, prepared) =
            self.plans.iter().find(|(n, ..)| *n == step.n_samples).expect("prepared before");
        Ok((&self.resources, plan, prepared, params))
    }
}
