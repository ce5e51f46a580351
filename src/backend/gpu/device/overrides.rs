//! Environment variables that leave a choice open, force it or rule it out.

use crate::backend::BackendError;
use std::sync::LazyLock;

/// What such a variable says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Override {
    /// As rules or measurements have it.
    #[default]
    Auto,
    /// Wherever it is possible.
    Always,
    /// Never.
    Never,
}

/// A variable, read once; an error is a sentence.
type Variable = LazyLock<Result<Override, String>>;

/// When networks are fused.
static FUSED: Variable = LazyLock::new(|| Override::read("AFTERIMAGE_FUSED"));

/// When ways to train are timed.
static TUNE: Variable = LazyLock::new(|| Override::read("AFTERIMAGE_TUNE"));

impl Override {
    fn read(variable: &str) -> Result<Self, String> {
        match std::env::var(variable).as_deref().unwrap_or("auto") {
            "auto" | "" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            text => Err(format!("{variable} is '{text}'; give auto, always or never")),
        }
    }

    /// Of `AFTERIMAGE_FUSED`: when networks are fused.
    pub fn fused() -> Self {
        FUSED.as_ref().copied().unwrap_or_default()
    }

    /// Of `AFTERIMAGE_TUNE`: when ways to train are timed.
    pub fn tune() -> Self {
        TUNE.as_ref().copied().unwrap_or_default()
    }
}

/// Whether the variables can be understood.
///
/// # Errors
/// When one cannot.
pub(crate) fn check() -> Result<(), BackendError> {
    for variable in [&FUSED, &TUNE] {
        variable.as_ref().map_err(|reason| BackendError::Environment(reason.clone()))?;
    }
    Ok(())
}
