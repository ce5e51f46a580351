//! Configurations that come with the program.

use super::Config;
use crate::names::named;

macro_rules! presets {
    ($($(#[doc = $about:literal])+ $preset:ident $name:literal,)*) => {
        named! {
            /// A configuration of `assets/presets/`, by name.
            pub enum Preset {
                $($(#[doc = $about])+ $preset $name,)*
            }
        }

        impl Preset {
            /// Its file.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$preset => include_str!(concat!("../../assets/presets/", $name, ".toml")),)*
                }
            }
        }
    };
}

presets! {
    /// A hash grid: seconds on a CPU
    Fast "fast",
    /// The same for longer than the default: a minute
    Sharp "sharp",
    /// Fourier features and sines, by muon in small batches: minutes
    Fourier "fourier",
    /// The same for long: every pixel of a small picture
    Memorize "memorize",
    /// Sines without an encoding
    Siren "siren",
    /// Sines that do well between the pixels: to enlarge a picture
    Between "between",
    /// A model of less than 20 kB
    Tiny "tiny",
    /// Tancik et al. 2020
    Paper "paper",
    /// A student's project on that paper
    Seed "seed",
    /// A university course's assignment on it
    Course "course",
}

impl Preset {
    /// Its settings.
    pub fn config(self) -> Config {
        Config::parse(self.text()).expect("a test reads every preset")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Named;

    #[test]
    fn presets_mean_something_and_every_file_is_one() {
        for preset in Preset::ALL {
            preset.config().check().unwrap_or_else(|e| panic!("{preset:?}: {e}"));
        }
        // Another rule leaves nothing of Muon behind.
        let adam = Config::parse("training.optimizer = 'adam'").expect("a configuration");
        let adam = adam.or(Preset::Fourier.config());
        assert_eq!((adam.warnings(), adam.training.lr), (Vec::new(), Some(5e-4)));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/presets");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), Preset::ALL.len());
    }
}
