//! Configurations that come with the program.

use super::Config;

macro_rules! presets {
    ($($(#[$about:meta])* $preset:ident => $file:literal,)*) => {
        /// A configuration of `assets/presets/`, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
        pub enum Preset {
            $($(#[$about])* $preset,)*
        }

        impl Preset {
            /// Its file.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$preset => include_str!(concat!("../../assets/presets/", $file)),)*
                }
            }
        }
    };
}

presets! {
    /// A hash grid: seconds on a CPU
    Fast => "fast.toml",
    /// Fourier features and sines in small batches: minutes
    Sharp => "sharp.toml",
    /// The same for long: every pixel of a small picture
    Memorize => "memorize.toml",
    /// Sines without an encoding
    Siren => "siren.toml",
    /// A model of less than 20 kB
    Tiny => "tiny.toml",
    /// Tancik et al. 2020
    Paper => "paper.toml",
    /// A student's project on that paper
    Seed => "seed.toml",
    /// A university course's assignment on it
    Course => "course.toml",
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
    use clap::ValueEnum;

    #[test]
    fn presets_mean_something_and_every_file_is_one() {
        for preset in Preset::value_variants() {
            preset.config().check().unwrap_or_else(|e| panic!("{preset:?}: {e}"));
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/presets");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), Preset::value_variants().len());
    }
}
