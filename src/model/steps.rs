//! The steps of a run, one after the other.

use super::{Importance, Schedule, ScheduleKind, Shuffle, Step};
use std::ops::Range;
use std::sync::Arc;

/// All steps from some point of a run on, epoch after epoch without end.
///
/// ```
/// use afterimage::model::Steps;
/// let steps: Vec<_> = Steps::new(10, 4, 0, 1e-3).starting_at(2).take(2).collect();
/// assert_eq!((steps[0].index, steps[0].first_sample, steps[0].n_samples), (2, 8, 2));
/// assert_eq!((steps[1].index, steps[1].first_sample, steps[1].n_samples), (3, 0, 4));
/// ```
#[derive(Clone, Debug)]
pub struct Steps {
    n_samples: u32,
    /// Which places of the sample order an epoch takes.
    taken: Range<u32>,
    batch_size: u32,
    seed: u64,
    /// The epoch whose sample order all have, where each has not its own.
    order_of: Option<u64>,
    lr: f64,
    lr_factor: f64,
    schedule: Schedule,
    n_steps: u64,
    importance: Option<Arc<Importance>>,
    next: u64,
}

impl Steps {
    /// In batches of `batch_size` of `n_samples` samples, in an order that follows from `seed` and the epoch, at a
    /// learning rate of `lr` throughout.
    pub fn new(n_samples: u32, batch_size: u32, seed: u64, lr: f64) -> Self {
        Self {
            n_samples,
            taken: 0..n_samples,
            batch_size,
            seed,
            order_of: None,
            lr,
            lr_factor: 1.0,
            schedule: Schedule::new(ScheduleKind::Constant),
            n_steps: u64::MAX,
            importance: None,
            next: 0,
        }
    }

    /// With a learning rate that moves by `schedule` over a run of `n_steps` steps.
    #[must_use]
    pub fn scheduled(self, schedule: Schedule, n_steps: u64) -> Self {
        Self { schedule, n_steps, ..self }
    }

    /// With all learning rates times `lr_factor`.
    #[must_use]
    pub fn slowed(self, lr_factor: f64) -> Self {
        Self { lr_factor, ..self }
    }

    /// With samples spread by `importance`.
    #[must_use]
    pub fn spread_by(self, importance: Option<Arc<Importance>>) -> Self {
        Self { importance, ..self }
    }

    /// In the sample order of `epoch` throughout, of which each pass takes the places `taken`.
    #[must_use]
    pub fn part_of_order(self, epoch: u64, taken: Range<u32>) -> Self {
        Self { order_of: Some(epoch), taken, ..self }
    }

    /// From step `index` on, counted from the run's first.
    #[must_use]
    pub fn starting_at(self, index: u64) -> Self {
        Self { next: index, ..self }
    }

    /// Steps of one pass.
    pub fn per_epoch(&self) -> u64 {
        u64::from((self.taken.end - self.taken.start).div_ceil(self.batch_size)).max(1)
    }

    /// Learning rate of step `index`.
    pub fn lr(&self, index: u64) -> f64 {
        self.lr_factor * self.schedule.lr(self.lr, index, self.n_steps)
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let index = self.next;
        self.next = index.saturating_add(1);
        let epoch = self.order_of.unwrap_or(index / self.per_epoch());
        let first_sample = self.taken.start + (index % self.per_epoch()) as u32 * self.batch_size;
        Some(Step {
            index,
            shuffle: Shuffle::new(self.n_samples, self.seed, epoch),
            first_sample,
            n_samples: self.batch_size.min(self.taken.end - first_sample),
            lr: self.lr(index),
            importance: self.importance.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(steps: Steps, n: usize) -> Vec<(u64, u32, u32)> {
        steps.take(n).map(|step| (step.index, step.first_sample, step.n_samples)).collect()
    }

    #[test]
    fn each_epoch_takes_each_sample_once_in_an_order_of_its_own() {
        let steps = Steps::new(10, 4, 7, 0.5);
        assert_eq!(places(steps.clone(), 4), [(0, 0, 4), (1, 4, 4), (2, 8, 2), (3, 0, 4)]);
        let epochs: Vec<_> = steps.take(6).map(|step| step.shuffle).collect();
        assert_eq!(epochs[0], Shuffle::new(10, 7, 0));
        assert_eq!(epochs[5], Shuffle::new(10, 7, 1));
    }

    #[test]
    fn a_part_of_one_order_is_taken_again_and_again() {
        let steps = Steps::new(10, 4, 7, 0.5).part_of_order(9, 5..10);
        assert_eq!(places(steps.clone(), 3), [(0, 5, 4), (1, 9, 1), (2, 5, 4)]);
        assert!(steps.clone().take(3).all(|step| step.shuffle == Shuffle::new(10, 7, 9)));
    }

    #[test]
    fn rates_follow_the_schedule_from_any_step_on() {
        let cosine = Schedule::new(ScheduleKind::Cosine);
        let steps = Steps::new(10, 4, 7, 0.5).scheduled(cosine, 8).slowed(0.25);
        let rates: Vec<f64> = steps.clone().starting_at(4).take(2).map(|step| step.lr).collect();
        assert_eq!(rates, [0.25 * cosine.lr(0.5, 4, 8), 0.25 * cosine.lr(0.5, 5, 8)]);
        assert_eq!(steps.lr(5), rates[1]);
    }
}
