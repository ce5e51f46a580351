//! Losses: what training minimises.

/// A loss over predictions p and targets t, both (batch, channels), reported as the mean over
/// samples and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// mean (p - t)^2
    Mse,
}

impl Loss {
    /// The name used in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mse => "mse",
        }
    }
}

/// Peak signal-to-noise ratio in dB for values with peak 1.
pub fn psnr(mse: f64) -> f64 {
    -10.0 * mse.log10()
}
