//! Submits many steps at a time, keeps a few submissions in flight, and reads the losses back.

use super::resources::{Prepared, Resources};
use super::stream::{Stream, UploadRequest};
use crate::backend::gpu::device::{Gpu, Staging, Submission};
use crate::backend::gpu::kernel::StepParams;
use crate::backend::gpu::plan::{BufferId, RING_SLOTS};
use crate::backend::{BackendError, Result};
use crate::model::Step;
use std::collections::VecDeque;
use std::time::Duration;

/// Submissions in flight: one running, one waiting behind it, one being encoded.
const MAX_IN_FLIGHT: usize = 3;

/// Target duration of a submission: long enough to hide its overhead, short enough to keep a desktop responsive and
/// not to trigger a watchdog.
const TARGET: Duration = Duration::from_millis(30);

/// Cost of the first submission, before any measurement: a tenth of a second on a device of 20 GFLOP/s.
const FIRST_BUDGET: f64 = 2e9;

/// A step that costs more than this many submissions is split; a shorter one is submitted whole.
const CUT: f64 = 4.0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    /// Its parameters, except the slot.
    pub params: StepParams,
    pub step: &'a Step,
    pub plan: &'a Prepared,
}

/// Submissions in flight and the measured speed of the device.
#[derive(Debug)]
pub(crate) struct Executor {
    ring: BufferId,
    staging: Vec<Staging>,
    in_flight: VecDeque<InFlight>,
    /// Maximum cost of a submission.
    budget: f64,
    last_done: Duration,
    losses: Vec<f64>,
    /// The device's expected step count when the submissions so far are done.
    steps_read: u32,
}

#[derive(Debug)]
struct InFlight {
    submission: Submission,
    submitted: Duration,
    cost: f64,
    /// Staging buffer with the losses of the steps that end here.
    losses: Option<(Staging, usize)>,
}

impl Executor {
    pub(crate) async fn new(resources: &Resources, ring: BufferId) -> Result<Self> {
        let size = 4 * resources.decl(ring).part_words();
        let mut staging = Vec::new();
        for _ in 0..MAX_IN_FLIGHT {
            staging.push(Staging::new(&resources.gpu, size).await?);
        }
        Ok(Self {
            ring,
            staging,
            in_flight: VecDeque::new(),
            budget: FIRST_BUDGET,
            last_done: resources.gpu.options.clock.now(),
            losses: Vec::new(),
            steps_read: 0,
        })
    }

    /// Submits `tasks` in order, with their samples from `stream` if the picture stays on the host.
    pub(crate) async fn run(
        &mut self,
        resources: &Resources,
        mut stream: Option<&mut Stream>,
        tasks: &[Task<'_>],
    ) -> Result<()> {
        let max_steps = stream.as_ref().map_or(RING_SLOTS, |stream| stream.ring.max_steps().min(RING_SLOTS));
        let mut rest = tasks;
        while !rest.is_empty() {
            let mut cost = 0.0;
            let fits = |task: &&Task| {
                cost += task.plan.total_cost();
                cost <= self.budget
            };
            let n = rest.iter().take(max_steps).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(n);
            self.submit_group(resources, stream.as_deref_mut(), now).await?;
            rest = later;
        }
        Ok(())
    }

    /// Submits steps that share one readback; a single long step takes several submissions.
    async fn submit_group(
        &mut self,
        resources: &Resources,
        mut stream: Option<&mut Stream>,
        tasks: &[Task<'_>],
    ) -> Result<()> {
        self.make_room(resources).await?;
        let steps: Vec<_> =
            tasks.iter().zip(0..).map(|(task, slot)| StepParams { slot, ..task.params }).collect();
        resources.write_steps(&steps);
        let dispatches: Vec<(usize, usize)> = tasks
            .iter()
            .enumerate()
            .flat_map(|(slot, task)| (0..task.plan.dispatches.len()).map(move |d| (slot, d)))
            .collect();
        let mut rest = dispatches.as_slice();
        loop {
            let mut cost = 0.0;
            let fits = |&&(slot, d): &&(usize, usize)| {
                cost += tasks[slot].plan.dispatches[d].cost;
                cost <= CUT * self.budget
            };
            let mut n = rest.iter().take_while(fits).count().max(1).min(rest.len());
            if let Some(stream) = &mut stream {
                n = send_samples(resources, stream, tasks, &rest[..n]);
            }
            let (now, later) = rest.split_at(n);
            let cost = now.iter().map(|&(slot, d)| tasks[slot].plan.dispatches[d].cost).sum();
            let n_losses = if later.is_empty() { tasks.len() } else { 0 };
            self.submit(resources, tasks, now, cost, n_losses)?;
            rest = later;
            if rest.is_empty() {
                return Ok(());
            }
            self.make_room(resources).await?;
        }
    }

    fn submit(
        &mut self,
        resources: &Resources,
        tasks: &[Task],
        dispatches: &[(usize, usize)],
        cost: f64,
        n_losses: usize,
    ) -> Result<()> {
        let gpu = &resources.gpu;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for &(slot, index) in dispatches {
                tasks[slot].plan.encode(index, slot, resources, &mut pass);
            }
        }
        let losses = match n_losses {
            0 => None,
            n => {
                // After make_room one is free, unless an error kept it.
                let staging = self
                    .staging
                    .pop()
                    .ok_or_else(|| BackendError::DeviceLost("an earlier submission had failed".to_owned()))?;
                let size = Some(8 * n as u64);
                encoder.copy_buffer_to_buffer(resources.buffer(self.ring), 0, &staging.buffer, 0, size);
                Some((staging, n))
            }
        };
        let read_back = losses.as_ref().map(|(staging, n)| (staging, 8 * *n as u64));
        let submission = gpu.submit(Some(encoder.finish()), read_back);
        let submitted = gpu.options.clock.now();
        self.in_flight.push_back(InFlight { submission, submitted, cost, losses });
        gpu.check()
    }

    async fn make_room(&mut self, resources: &Resources) -> Result<()> {
        while self.in_flight.len() >= MAX_IN_FLIGHT {
            self.wait_for_oldest(&resources.gpu).await?;
        }
        Ok(())
    }

    async fn wait_for_oldest(&mut self, gpu: &Gpu) -> Result<()> {
        let Some(InFlight { submission, submitted, cost, losses }) = self.in_flight.pop_front() else {
            return Ok(());
        };
        gpu.poll();
        let was_done = losses.as_ref().is_some_and(|(staging, _)| staging.is_ready());
        gpu.wait(submission).await?;
        self.measure((submitted, gpu.options.clock.now()), cost, was_done);
        losses.map_or(Ok(()), |(staging, n)| self.take(staging, n))
    }

    /// Adapts to the device's speed after a submission, by at most a factor of eight at once.
    ///
    /// A submission that was done before the first poll took an unknown shorter time, so it can only show that more
    /// fits.
    fn measure(&mut self, (submitted, now): (Duration, Duration), cost: f64, was_done: bool) {
        let seconds = now.saturating_sub(submitted.max(self.last_done)).as_secs_f64().max(1e-5);
        self.last_done = now;
        let fitting = cost * TARGET.as_secs_f64() / seconds;
        let least = if was_done { self.budget } else { self.budget / 8.0 };
        self.budget = fitting.clamp(least, self.budget * 8.0);
    }

    /// Reads the losses of `n` steps and checks that the device counted each of them.
    fn take(&mut self, staging: Staging, n: usize) -> Result<()> {
        let slots = staging.read(8 * n as u64, bytemuck::pod_collect_to_vec::<u8, u32>)?;
        for slot in slots.chunks_exact(2) {
            self.steps_read = self.steps_read.wrapping_add(1);
            if slot[1] != self.steps_read {
                return Err(BackendError::DeviceLost(format!(
                    "step {} did not run: the device counts {}",
                    self.steps_read, slot[1]
                )));
            }
            self.losses.push(f64::from(f32::from_bits(slot[0])));
        }
        self.staging.push(staging);
        Ok(())
    }

    pub(crate) async fn finish(&mut self, resources: &Resources) -> Result<()> {
        while !self.in_flight.is_empty() {
            self.wait_for_oldest(&resources.gpu).await?;
        }
        Ok(())
    }

    /// Losses that have arrived, without waiting.
    pub(crate) fn take_losses(&mut self, resources: &Resources) -> Result<Vec<f64>> {
        resources.gpu.poll();
        resources.gpu.check()?;
        let is_ready = |oldest: &InFlight| oldest.losses.as_ref().is_some_and(|(s, _)| s.is_ready());
        while self.in_flight.front().is_some_and(is_ready)
            && let Some(InFlight { submitted, cost, losses, .. }) = self.in_flight.pop_front()
        {
            self.measure((submitted, resources.gpu.options.clock.now()), cost, true);
            losses.map_or(Ok(()), |(staging, n)| self.take(staging, n))?;
        }
        Ok(std::mem::take(&mut self.losses))
    }

    /// Counts steps run without the executor.
    pub(crate) fn skip(&mut self, n_steps: u32) {
        self.steps_read = self.steps_read.wrapping_add(n_steps);
    }

    /// Resets the count: the device's counter was set to 0.
    pub(crate) fn reset(&mut self) {
        self.steps_read = 0;
        self.losses.clear();
    }
}

/// Sends the samples that `dispatches`, each a task and an index, read; returns for how many of them the ring has
/// room.
fn send_samples(
    resources: &Resources,
    stream: &mut Stream,
    tasks: &[Task],
    dispatches: &[(usize, usize)],
) -> usize {
    let wanted = |&(slot, index): &(usize, usize)| {
        let task: &Task = &tasks[slot];
        let piece = task.plan.dispatches[index].piece.as_ref();
        piece.map(|piece| UploadRequest { step_slot: slot, step: task.step, piece })
    };
    let all: Vec<_> = dispatches.iter().filter_map(wanted).collect();
    let n_fitting = stream.fitting(all.iter().copied());
    stream.send(resources, &all[..n_fitting]);
    let mut taking = (0..).zip(dispatches).filter(|(_, dispatch)| wanted(dispatch).is_some());
    taking.nth(n_fitting).map_or(dispatches.len(), |(index, _)| index)
}
