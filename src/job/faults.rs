//! Fault injection for tests, in builds with the feature `faults` only.
//!
//! The program takes faults from the environment variable `AFTERIMAGE_FAULT`, separated by commas:
//!
//! | fault | what happens |
//! |---|---|
//! | `lose-device@STEP` | the device is destroyed when step STEP is about to be submitted |
//! | `drop-submission@STEP` | a submission from step STEP on never reaches the device |
//! | `break-kernel=NAME` | no workgroup of this kernel ever runs |
//! | `refuse-kernel=NAME` | the driver does not compile this kernel |
//!
//! A fault at a step happens once; listed twice, it happens again when the step is repeated.

use crate::model::Step;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A fault at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepFault {
    LoseDevice,
    DropSubmission,
}

/// Faults that devices are opened with. Clones share state: what has happened on a lost device does not happen again
/// on the next.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Pending>);

#[derive(Debug, Default)]
struct Pending {
    at_steps: Mutex<Vec<(StepFault, u64)>>,
    broken: Vec<String>,
    refused: Vec<String>,
    drops_next: AtomicBool,
}

impl Faults {
    /// Parses `text`; `is_kernel` knows the names of kernels.
    ///
    /// # Errors
    /// The end of a sentence, if there is no such fault or kernel.
    pub fn parse(text: &str, is_kernel: impl Fn(&str) -> bool) -> Result<Self, String> {
        let (mut at_steps, mut broken, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for fault in text.split(',').filter(|fault| !fault.is_empty()) {
            let step = |name| fault.strip_prefix(name)?.strip_prefix('@')?.parse::<u64>().ok();
            let kernel = |name| fault.strip_prefix(name)?.strip_prefix('=').filter(|name| is_kernel(name));
            if let Some(step) = step("lose-device") {
                at_steps.push((StepFault::LoseDevice, step));
            } else if let Some(step) = step("drop-submission") {
                at_steps.push((StepFault::DropSubmission, step));
            } else if let Some(name) = kernel("break-kernel") {
                broken.push(name.to_owned());
            } else if let Some(name) = kernel("refuse-kernel") {
                refused.push(name.to_owned());
            } else {
                return Err(format!(
                    "the fault '{fault}'; there are lose-device@STEP, drop-submission@STEP, and break-kernel=NAME \
                     and refuse-kernel=NAME with a name that `afterimage verify` shows"
                ));
            }
        }
        let at_steps = Mutex::new(at_steps);
        Ok(Self(Arc::new(Pending { at_steps, broken, refused, ..Pending::default() })))
    }

    /// Whether `fault` is due at one of `steps`; it will not happen there again.
    pub(crate) fn take(&self, fault: StepFault, steps: &[Step]) -> bool {
        let mut at_steps = self.0.at_steps.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |&(f, at): &(StepFault, u64)| f == fault && steps.iter().any(|step| step.index == at);
        let due = at_steps.iter().position(is_due);
        due.map(|index| at_steps.remove(index)).is_some()
    }

    /// Drops the next submission, as a faulty driver might.
    pub(crate) fn drop_next(&self) {
        self.0.drops_next.store(true, Ordering::Relaxed);
    }

    /// Whether to drop this submission.
    pub(crate) fn drops_this(&self) -> bool {
        self.0.drops_next.swap(false, Ordering::Relaxed)
    }

    /// Whether the kernel named `name` is to compute nothing.
    pub(crate) fn breaks(&self, name: &str) -> bool {
        self.0.broken.iter().any(|broken| broken == name)
    }

    /// Whether the kernel named `name` is not to compile.
    pub(crate) fn refuses(&self, name: &str) -> bool {
        self.0.refused.iter().any(|refused| refused == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Steps;

    #[test]
    fn a_fault_at_a_step_happens_as_often_as_it_is_named() {
        let step = |index| Steps::new(1, 1, 0, 0.1).starting_at(index).next().unwrap();
        let faults =
            Faults::parse("lose-device@4,drop-submission@4,lose-device@4", |_| false).expect("known");
        let steps = [step(3), step(4)];
        assert!(!faults.take(StepFault::LoseDevice, &steps[..1]));
        assert!(faults.take(StepFault::LoseDevice, &steps) && faults.take(StepFault::LoseDevice, &steps));
        assert!(!faults.take(StepFault::LoseDevice, &steps));
        assert!(faults.take(StepFault::DropSubmission, &steps));
    }

    #[test]
    fn unknown_faults_are_refused() {
        let parse = |text: &str| Faults::parse(text, |name| name == "encode_fourier");
        assert!(parse("break-kernel=encode_fourier").expect("known").breaks("encode_fourier"));
        assert!(parse("refuse-kernel=encode_fourier").expect("known").refuses("encode_fourier"));
        for text in ["refuse-kernel=", "lose-device", "lose-device@x", "break-kernel=none such", "fire"] {
            assert!(parse(text).expect_err("unknown").contains(text), "{text}");
        }
    }
}
