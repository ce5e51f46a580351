//! Several networks of one shape trained at once: which buffers they have each, how many fit, and their steps as plans.

use super::layout::MAX_DISPATCH_FLOP;
use super::{Layout, loss, record};
use crate::backend::gpu::device::Budget;
use crate::backend::gpu::kernel::KernelConfig;
use crate::backend::gpu::plan::{BufferId, PicturePlace, Plan, TrainingBuffers};
use crate::backend::{Job, Result};
use crate::model::Shuffle;
use std::collections::BTreeSet;

/// The buffers of several networks.
#[derive(Clone, Debug)]
pub(crate) struct Networks {
    pub(crate) layout: Layout,
    pub(crate) buffers: TrainingBuffers,
    pub(crate) count: usize,
}

impl Networks {
    /// Buffers for as many networks of `job` as fit, at most `wanted`; each has its own order of samples if
    /// `own_order`. `None` if not even one fits.
    ///
    /// # Errors
    /// As [`Layout::training`].
    pub(crate) fn new(
        job: &Job,
        budget: Budget,
        config: KernelConfig,
        (wanted, own_order): (usize, bool),
    ) -> Result<Option<Self>> {
        // Nothing is predicted, and the networks go side by side instead of their matrices.
        let budget = Budget { tile_pixels: 1, matrices_at_once: 1, ..budget };
        // A fused step knows one order of samples.
        let config = KernelConfig { separate_samples: config.separate_samples || own_order, ..config };
        let (mut layout, mut buffers) = Layout::training(job, budget, config)?;
        let PicturePlace::Device { sample_index, .. } = &mut buffers.picture else { return Ok(None) };
        if own_order {
            *sample_index = Some(layout.add("keys", &[Shuffle::ROUNDS]));
        }
        let mut networks = Self { layout, buffers, count: 1 };
        let plan = networks.step(job, job.batch_size as usize);
        let own = networks.own(&plan);
        networks.count = networks.fitting(&plan, &own).min(wanted);
        own.iter().for_each(|id| networks.layout.buffers[id.0].networks = networks.count);
        Ok((networks.count > 0).then_some(networks))
    }

    /// The step of `n_samples` samples of every network.
    pub(crate) fn step(&self, job: &Job, n_samples: usize) -> Plan {
        let mut plan = record::training_step(job, &self.layout, &self.buffers, n_samples);
        for dispatch in &mut plan.dispatches {
            // The loss is read back for the first alone, to count the steps.
            if dispatch.kernel.def != &loss::REDUCE {
                dispatch.repeat(self.count);
            }
        }
        plan
    }

    /// The buffers that each network has a part of.
    fn own(&self, plan: &Plan) -> BTreeSet<BufferId> {
        let of_networks = plan.dispatches.iter().filter(|dispatch| dispatch.kernel.for_networks);
        of_networks.flat_map(|dispatch| &dispatch.buffers).copied().collect()
    }

    fn fitting(&self, plan: &Plan, own: &BTreeSet<BufferId>) -> usize {
        let budget = &self.layout.budget;
        let bytes =
            || own.iter().map(|id| self.layout.buffers[id.0].size_bytes().next_multiple_of(16).max(16));
        let by_binding = budget.max_binding_bytes / bytes().max().unwrap_or(1);
        let by_memory = budget.batch_bytes / bytes().sum::<u64>();
        let longest = plan.dispatches.iter().map(|dispatch| dispatch.cost).fold(1.0, f64::max);
        let by_time = (MAX_DISPATCH_FLOP / longest) as u64;
        by_binding.min(by_memory).min(by_time.max(1)).min(budget.max_groups.into()) as usize
    }
}
