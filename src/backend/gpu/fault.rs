//! Faults made on purpose, so that what follows them can be tested with the program as it is.
//!
//! The environment variable `AFTERIMAGE_FAULT` holds them, separated by commas:
//!
//! | fault | what happens |
//! |---|---|
//! | `lose-device@STEP` | the device is destroyed when step STEP is about to be submitted |
//! | `drop-submission@STEP` | a submission from step STEP on never reaches the device |
//! | `break-kernel=NAME` | no workgroup of this kernel ever runs |
//!
//! A fault at a step happens once: named twice, it happens again when the step is repeated.

use super::kernel::{Composes, DEFINITIONS, KernelDef, kernels};
use crate::backend::BackendError;
use crate::model::Step;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The environment variable.
pub const VARIABLE: &str = "AFTERIMAGE_FAULT";

/// What can happen at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepFault {
    LoseDevice,
    DropSubmission,
}

/// The faults of this process.
#[derive(Debug, Default)]
struct Faults {
    at_steps: Mutex<Vec<(StepFault, u64)>>,
    broken: Vec<String>,
}

static FAULTS: LazyLock<Result<Faults, String>> =
    LazyLock::new(|| Faults::parse(&std::env::var(VARIABLE).unwrap_or_default()));

impl Faults {
    fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        let mut at_steps = Vec::new();
        for fault in text.split(',').filter(|fault| !fault.is_empty()) {
            let step = |name| fault.strip_prefix(name)?.strip_prefix('@')?.parse::<u64>().ok();
            let broken = fault.strip_prefix("break-kernel=").filter(|name| is_kernel(name));
            if let Some(step) = step("lose-device") {
                at_steps.push((StepFault::LoseDevice, step));
            } else if let Some(step) = step("drop-submission") {
                at_steps.push((StepFault::DropSubmission, step));
            } else if let Some(name) = broken {
                faults.broken.push(name.to_owned());
            } else {
                return Err(format!(
                    "{VARIABLE} has the fault '{fault}'; there are lose-device@STEP, drop-submission@STEP and \
                     break-kernel=NAME with a name that `afterimage verify` shows"
                ));
            }
        }
        faults.at_steps = Mutex::new(at_steps);
        Ok(faults)
    }

    fn take(&self, fault: StepFault, steps: &[Step]) -> bool {
        let mut at_steps = self.at_steps.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |&(f, at): &(StepFault, u64)| f == fault && steps.iter().any(|step| step.index == at);
        let due = at_steps.iter().position(is_due);
        due.map(|index| at_steps.remove(index)).is_some()
    }
}

/// Whether there is a kernel of this name. `kernels` lists some of those of whole networks and of other tiles; of the
/// others only the stem is looked at.
fn is_kernel(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let has_more = |def: &&KernelDef| {
        matches!(def.composes, Composes::Network { .. } | Composes::Product) && def.name == stem
    };
    kernels().iter().any(|kernel| kernel.name() == name) || DEFINITIONS.iter().any(has_more)
}

/// Whether the variable can be understood.
pub(super) fn check() -> Result<(), BackendError> {
    FAULTS.as_ref().map(|_| ()).map_err(|reason| BackendError::UnknownFault(reason.clone()))
}

/// Whether `fault` is to happen at one of `steps`; it will not happen there again.
pub(super) fn take(fault: StepFault, steps: &[Step]) -> bool {
    FAULTS.as_ref().is_ok_and(|faults| faults.take(fault, steps))
}

/// Whether the kernel called `name` is to compute nothing.
pub(super) fn breaks(name: &str) -> bool {
    FAULTS.as_ref().is_ok_and(|faults| faults.broken.iter().any(|broken| broken == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Shuffle;

    #[test]
    fn a_fault_at_a_step_happens_as_often_as_it_is_named() {
        let step = |index| Step {
            index,
            shuffle: Shuffle::new(1, 0, 0),
            first_sample: 0,
            n_samples: 1,
            lr: 0.1,
            importance: None,
        };
        let faults = Faults::parse("lose-device@4,drop-submission@4,lose-device@4").expect("known");
        let steps = [step(3), step(4)];
        assert!(!faults.take(StepFault::LoseDevice, &steps[..1]));
        assert!(faults.take(StepFault::LoseDevice, &steps) && faults.take(StepFault::LoseDevice, &steps));
        assert!(!faults.take(StepFault::LoseDevice, &steps));
        assert!(faults.take(StepFault::DropSubmission, &steps));
    }

    #[test]
    fn unknown_faults_are_refused() {
        assert_eq!(Faults::parse("break-kernel=encode_fourier").expect("known").broken, ["encode_fourier"]);
        for text in ["lose-device", "lose-device@x", "break-kernel=none such", "fire"] {
            assert!(Faults::parse(text).expect_err("unknown").contains(text), "{text}");
        }
    }
}
