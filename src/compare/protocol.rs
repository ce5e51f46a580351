//! The protocols of the course, the paper, the seed and the Kodak set, as configurations.
//!
//! "Course": UIUC CS 444, assignment 2. "Paper": Tancik et al. 2020, section 6.1 and appendix, and
//! its authors' notebooks. "Seed": the PyTorch part of a student's project on both.

use super::grid::Size;
use super::method::{EncodingChoice, Method, Parameter};
use super::{CompareError, Result};
use crate::config::{
    Config, EncodingConfig, EncodingKind, NetworkConfig, OptimizerKind, OutputConfig, PictureConfig, Preset,
    Sigma,
};
use crate::model::Holdout;
use crate::names::{Named, named};
use crate::report::{Table, TableRow};

named! {
    /// Training settings with published results.
    pub enum Protocol {
        /// UIUC CS 444, assignment 2: 32x32 and 128x128, one sample a step, SGD and Adam
        Course "course",
        /// Tancik et al. 2020, natural pictures: 512x512, full batch, Adam
        Paper "paper",
        /// Tancik et al. 2020, pictures of text: like `paper`, with its parameters for text
        PaperText "paper-text",
        /// A student's project: 512x512, full batch, AdamW, Gaussian features
        Seed "seed",
        /// Whole photographs at their size, as the Kodak set is fitted: quality, seconds, weights and bytes
        Kodak "kodak",
    }
}

/// What a protocol compares, and how it prepares pictures.
pub struct Outline {
    /// Default sizes.
    pub sizes: &'static [Size],
    /// Default encodings and presets.
    pub methods: &'static [Method],
    /// The optimisers it has settings for.
    pub optimizers: &'static [OptimizerKind],
    /// Runs trained at a time by default, if their seconds are to be compared.
    pub jobs: Option<usize>,
    /// Pictures are cropped to a square around their centre, of at most this side.
    pub(crate) square: Option<u32>,
    pub(crate) about: &'static str,
    published: &'static [Published],
}

/// A published result, as a mean over the protocol's pictures.
struct Published {
    method: &'static str,
    psnr: &'static str,
    weights: &'static str,
    seconds: &'static str,
}

const fn plain(kind: EncodingKind) -> Method {
    Method::Encoding(EncodingChoice::plain(kind))
}

const fn gaussian(sigma: f32) -> Method {
    Method::Encoding(EncodingChoice::gaussian(sigma))
}

const NONE: Method = plain(EncodingKind::None);
const BASIC: Method = plain(EncodingKind::Basic);
const POSITIONAL: Method = plain(EncodingKind::Positional);
const GAUSSIAN: Method = plain(EncodingKind::Gaussian);

const COURSE: Outline = Outline {
    // "32x32" and "128x128" of the assignment's two parts.
    sizes: &[Size::Pixels(32), Size::Pixels(128)],
    // The assignment's mappings: none, basic, gauss_1.0, gauss_10.0, gauss_100.0.
    methods: &[NONE, BASIC, gaussian(1.0), gaussian(10.0), gaussian(100.0)],
    // The assignment asks for both.
    optimizers: &[OptimizerKind::Sgd, OptimizerKind::Adam],
    // get_image(): 256 pixels to each side of the centre, then resized.
    jobs: None,
    square: Some(512),
    published: &[],
    about: "UIUC CS 444, assignment 2: the middle 512x512 pixels resized, trained on every other pixel of \
            every other row, tested on all pixels; four linear layers of 256, one sample a step, 500 epochs.",
};

const PAPER: Outline = Outline {
    // Section 6.1: 512x512 pictures.
    sizes: &[Size::Pixels(512)],
    // Table 1's columns; the Gaussian's sigma is the protocol's.
    methods: &[NONE, BASIC, POSITIONAL, GAUSSIAN],
    // Appendix: Adam throughout.
    optimizers: &[OptimizerKind::Adam],
    // The authors' pictures are centre crops.
    jobs: None,
    square: Some(u32::MAX),
    published: &[],
    about: "Tancik et al. 2020, 2D image regression: a centre crop to a square, 512x512, trained on pixels with \
            even x and y, tested on those with odd x and y; four linear layers of 256, 2000 steps of Adam on \
            the full batch.",
};

const SEED: Outline = Outline {
    sizes: &[Size::Pixels(512)],
    methods: &[gaussian(10.0)],
    optimizers: &[OptimizerKind::AdamW],
    jobs: None,
    square: Some(u32::MAX),
    published: &[],
    about: "A student's project on Gaussian Fourier features, its PyTorch part: 512x512, 1000 full-batch steps \
            of AdamW (rate 1e-4, decay 0.1) on the absolute error. It tested on its training pixels, so there is \
            no test split. Left out: its batch normalisation.",
};

const KODAK: Outline = Outline {
    sizes: &[Size::Native],
    methods: &[Method::Preset(Preset::Fast), plain(EncodingKind::HashGrid), Method::Preset(Preset::Sharp)],
    optimizers: &[OptimizerKind::Adam],
    // Their seconds are beside others'.
    jobs: Some(1),
    square: None,
    about: "Photographs fitted whole and measured on the same pixels, one at a time on the whole machine. Published \
            figures: GaussianImage (Zhang et al., ECCV 2024), means over the 24 pictures of the Kodak set on one V100.",
    published: &[
        Published { method: "GaussianImage", psnr: "44.08", weights: "560 k", seconds: "107" },
        Published { method: "instant-ngp", psnr: "43.88", weights: "300 k", seconds: "491" },
        Published { method: "NeuRBF", psnr: "43.78", weights: "337 k", seconds: "992" },
        Published { method: "3D Gaussian splatting", psnr: "43.69", weights: "3.5 M", seconds: "340" },
        Published { method: "WIRE", psnr: "41.47", weights: "137 k", seconds: "14339" },
        Published { method: "SIREN", psnr: "40.83", weights: "273 k", seconds: "6582" },
    ],
};

/// Notebooks of the paper: 128 frequencies along each axis.
const PAPER_FEATURES: usize = 256;

impl Protocol {
    /// What it compares.
    pub fn outline(self) -> &'static Outline {
        match self {
            Self::Course => &COURSE,
            Self::Paper | Self::PaperText => &PAPER,
            Self::Seed => &SEED,
            Self::Kodak => &KODAK,
        }
    }

    /// The published results, if there are any.
    pub(super) fn published(self) -> Option<Table> {
        let row = |&Published { method, psnr, weights, seconds }: &Published| TableRow {
            name: method.to_owned(),
            cells: [psnr, weights, seconds].map(|text| Some(text.to_owned())).into(),
            best: None,
        };
        let rows: Vec<TableRow> = self.outline().published.iter().map(row).collect();
        let columns = ["PSNR in dB", "weights", "seconds"].map(str::to_owned).into();
        (!rows.is_empty()).then_some(Table { columns, rows })
    }

    /// The settings of one cell; the picture is already cropped and resized.
    ///
    /// # Errors
    /// When the protocol has no settings for this optimiser or size.
    pub(crate) fn config(self, size: Size, method: Method, optimizer: OptimizerKind) -> Result<Config> {
        let name = self.name();
        if !self.outline().optimizers.contains(&optimizer) {
            return Err(CompareError::Grid(format!(
                "the protocol `{name}` has no settings for {optimizer}; leave --optimizers out, or --protocol"
            )));
        }
        if self == Self::Kodak {
            return Ok(kodak(method));
        }
        let encoding = match method {
            Method::Encoding(encoding) if encoding.activation.is_none() => encoding,
            other => {
                return Err(CompareError::Grid(format!(
                    "the protocol `{name}` has settings for encodings alone, not for {other}; leave it or \
                     --protocol out"
                )));
            }
        };
        let Size::Pixels(side) = size else {
            return Err(CompareError::Grid(format!(
                "the protocol `{name}` resizes pictures; give sizes in pixels rather than `native`"
            )));
        };
        Ok(match self {
            Self::Course => course(side, encoding, optimizer),
            Self::Paper | Self::PaperText => paper(self == Self::PaperText, encoding),
            Self::Seed => seed(encoding),
            Self::Kodak => kodak(method),
        })
    }
}

/// The settings of `preset` for pictures of any size, with another `encoding`.
fn of_preset(preset: Preset, encoding: EncodingConfig) -> Config {
    let config = preset.config();
    Config { picture: PictureConfig { size: None, ..config.picture }, encoding, ..config }
}

fn course(side: u32, encoding: EncodingChoice, optimizer: OptimizerKind) -> Config {
    // mapping_size = size // 2
    let encoding = with_sigma(encoding, 1.0, 6.0).config(Some((side as usize / 2).max(1)));
    let mut config = of_preset(Preset::Course, encoding);
    config.training.optimizer = Some(optimizer);
    if optimizer == OptimizerKind::Adam {
        config.training.lr = Some(1e-3);
    }
    config
}

fn paper(text: bool, encoding: EncodingChoice) -> Config {
    // Found by the authors' grid search on other pictures: sigma 10 and s = 6 for natural
    // pictures, 14 and 5 for text.
    let (sigma, exponent) = if text { (14.0, 5.0) } else { (10.0, 6.0) };
    let slow = matches!(encoding.kind, EncodingKind::None | EncodingKind::Basic);
    let encoding = with_sigma(encoding, sigma, exponent).config(Some(PAPER_FEATURES));
    let mut config = of_preset(Preset::Paper, encoding);
    // Natural pictures: 1e-2 for none and basic. All else 1e-3.
    if slow && !text {
        config.training.lr = Some(1e-2);
    }
    config
}

fn seed(encoding: EncodingChoice) -> Config {
    // sigma 10, 128 frequencies
    of_preset(Preset::Seed, with_sigma(encoding, 10.0, 6.0).config(Some(128)))
}

/// The defaults, or a preset, on every pixel.
fn kodak(method: Method) -> Config {
    let config = match method {
        Method::Preset(preset) => preset.config(),
        Method::Encoding(encoding) => Config {
            encoding: encoding.config(None),
            network: NetworkConfig { activation: encoding.activation, ..NetworkConfig::default() },
            output: OutputConfig {
                snapshot_every: Some(20),
                measure_every: Some(10),
                ..OutputConfig::default()
            },
            ..Config::default()
        },
    };
    Config { picture: PictureConfig { holdout: Some(Holdout::None), ..PictureConfig::default() }, ..config }
}

/// Fills in an unset parameter.
fn with_sigma(encoding: EncodingChoice, gaussian: f32, positional: f32) -> EncodingChoice {
    let default = match encoding.kind {
        EncodingKind::Gaussian => Some(gaussian),
        EncodingKind::Positional => Some(positional),
        _ => None,
    };
    let default = default.map(|sigma| Parameter::Sigma(Sigma::Fixed(sigma)));
    EncodingChoice { parameter: encoding.parameter.or(default), ..encoding }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(protocol: Protocol, side: u32, encoding: &str, optimizer: OptimizerKind) -> Config {
        protocol.config(Size::Pixels(side), Method::Encoding(encoding.parse().unwrap()), optimizer).unwrap()
    }

    #[test]
    fn presets_agree() {
        let sized = |config: Config, size: &str| {
            let picture = PictureConfig { size: Some(size.parse().unwrap()), ..config.picture };
            Config { picture, ..config }
        };
        let course = cell(Protocol::Course, 32, "gaussian:1", OptimizerKind::Sgd);
        assert_eq!(Preset::Course.config(), sized(course, "32x32"));
        let paper = cell(Protocol::Paper, 512, "gaussian", OptimizerKind::Adam);
        assert_eq!(Preset::Paper.config(), sized(paper, "512x512"));
        let seed = cell(Protocol::Seed, 512, "gaussian:10", OptimizerKind::AdamW);
        assert_eq!(Preset::Seed.config(), sized(seed, "512x512"));
    }

    #[test]
    fn settings_depend_on_size_encoding_and_optimizer_as_published() {
        use OptimizerKind::{Adam, Sgd};
        let course = |side, encoding, optimizer| cell(Protocol::Course, side, encoding, optimizer);
        assert_eq!(course(128, "gaussian:10", Sgd).encoding.features, Some(64));
        assert_eq!(course(32, "basic", Sgd).encoding.features, None);
        let lr = |optimizer| course(32, "none", optimizer).training.lr;
        assert_eq!((lr(Sgd), lr(Adam)), (Some(0.1), Some(1e-3)));
        let rate = |protocol, encoding| cell(protocol, 512, encoding, Adam).training.lr;
        let sigma =
            |protocol, encoding| cell(protocol, 512, encoding, Adam).encoding.sigma.map(|s| s.to_string());
        let (natural, text) = (Protocol::Paper, Protocol::PaperText);
        for encoding in ["none", "basic"] {
            assert_eq!((rate(natural, encoding), rate(text, encoding)), (Some(1e-2), Some(1e-3)));
        }
        for encoding in ["positional", "gaussian"] {
            assert_eq!((rate(natural, encoding), rate(text, encoding)), (Some(1e-3), Some(1e-3)));
        }
        for (encoding, sigmas) in [("gaussian", ["10", "14"]), ("positional", ["6", "5"])] {
            let found = [natural, text].map(|protocol| sigma(protocol, encoding));
            assert_eq!(found, sigmas.map(|sigma| Some(sigma.to_owned())));
        }
        assert_eq!(sigma(natural, "gaussian:3"), Some("3".into()));
        assert!(natural.config(Size::Pixels(512), NONE, Sgd).is_err());
        assert!(natural.config(Size::Native, NONE, Adam).is_err());
        assert!(natural.config(Size::Pixels(512), Method::Preset(Preset::Fast), Adam).is_err());
    }
}
