//! One of several networks that are trained at once.

use super::{Job, JobOptions};
use crate::model::{Sampling, Steps, TrainingState};

/// A network to be trained beside others.
#[derive(Clone, Debug)]
pub struct NetworkJob {
    /// Equal for all networks, but for the picture's values and the encoding's constants.
    pub job: Job,
    /// Its state before the first step.
    pub state: TrainingState,
    /// All its steps; those of the others differ only in the order of samples.
    pub steps: Steps,
}

impl NetworkJob {
    /// Whether networks with such jobs can be trained at once: what they sample does not depend on how far they are, and
    /// all have the same pixels.
    pub fn suits(options: &JobOptions) -> bool {
        options.sampling == Sampling::Uniform && options.mask.is_none()
    }
}
