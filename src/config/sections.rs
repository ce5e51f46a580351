//! The settings, one line each: TOML name, command-line option and `--help` text. A new setting needs a field here
//! and a use in `resolve.rs`.

use super::{
    ActivationKind, BackendChoice, BatchSize, ChannelWeights, CheckpointEvery, EncodingKind, EncodingList,
    Frequencies, Growth, Keep, LossKind, OptimizerKind, OutputKind, PictureSize, Sigma,
};
use crate::job::{DeviceRequest, Precision};
use crate::model::optimizer::MuonLayers;
use crate::model::{Coords, GridGradients, Holdout, Init, Interpolation, Sampling, ScheduleKind};
use crate::picture::{ColorHandling, Curve, Transparent};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Largest integer TOML can hold.
#[cfg(feature = "cli")]
const TOML_MAX: u64 = i64::MAX as u64;

/// A setting of any type.
pub(crate) trait Setting: Any {
    fn is_given(&self) -> bool;
    fn clear(&mut self);
}

impl<T: Any> Setting for Option<T> {
    fn is_given(&self) -> bool {
        self.is_some()
    }

    fn clear(&mut self) {
        *self = None;
    }
}

/// Access to settings by field name, which is also the name of a parameter.
pub(crate) trait Section {
    fn setting(&self, name: &str) -> &dyn Setting;
    fn setting_mut(&mut self, name: &str) -> &mut dyn Setting;

    /// The setting `name`, a `T`, if given.
    fn get<T: Any + Copy>(&self, name: &str) -> Option<T> {
        let setting: &dyn Any = self.setting(name);
        *setting.downcast_ref().expect("a parameter has its setting's type")
    }

    /// Sets or clears the setting `name`, a `T`.
    fn set<T: Any>(&mut self, name: &str, value: Option<T>) {
        let setting: &mut dyn Any = self.setting_mut(name);
        *setting.downcast_mut().expect("a parameter has its setting's type") = value;
    }
}

/// A section of optional settings, each also a command-line option. `or(self, base)` fills in unset values from
/// `base`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        #[command($($command:tt)*)]
        pub struct $name:ident { $($(#[doc = $help:literal])+ #[arg($($arg:tt)*)] pub $field:ident: $type:ty,)* }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "cli", derive(clap::Args), command($($command)*))]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $help])+
                #[cfg_attr(feature = "cli", arg($($arg)*))]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
        }

        impl $name {
            /// The names of its settings.
            const FIELDS: &[&str] = &[$(stringify!($field)),*];

            pub(crate) fn or(self, base: Self) -> Self {
                Self { $($field: self.$field.or(base.$field),)* }
            }
        }

        impl Section for $name {
            fn setting(&self, name: &str) -> &dyn Setting {
                match name {
                    $(stringify!($field) => &self.$field,)*
                    _ => unreachable!("{name} is no setting of the section"),
                }
            }

            fn setting_mut(&mut self, name: &str) -> &mut dyn Setting {
                match name {
                    $(stringify!($field) => &mut self.$field,)*
                    _ => unreachable!("{name} is no setting of the section"),
                }
            }
        }
    };
}

section! {
    /// The `[picture]` section.
    #[command(about = None, long_about = None, next_help_heading = "Picture")]
    pub struct PictureConfig {
        /// The picture's file
        #[arg(skip)]
        pub file: PathBuf,
        /// Which picture of a file with several, counted from 1 [default: the largest or first]
        #[arg(long, value_name = "N")]
        pub page: NonZeroU32,
        /// Resize the picture first: WIDTHxHEIGHT, the longer side alone, or `native` [default: native]
        #[arg(long, value_name = "WxH|SIDE")]
        pub size: PictureSize,
        /// Pixels held out from training and measured as the test split [default: none]
        #[arg(long)]
        pub holdout: Holdout,
        /// A picture of the same shape: only its white pixels are trained on and measured, for inpainting
        /// [default: all]
        #[arg(long, value_name = "FILE")]
        pub mask: PathBuf,
        /// Where pixels lie in the plane [default: center]
        #[arg(long)]
        pub coords: Coords,
        /// Colours of other spaces than sRGB [default: srgb]
        #[arg(long)]
        pub color: ColorHandling,
        /// Colours where alpha is 0 [default: fill]
        #[arg(long)]
        pub transparent: Transparent,
        /// Pictures in linear light (HDR): factor that brings the usual brightness near 1 [default: from the picture]
        #[arg(long, value_name = "F")]
        pub hdr_scale: f32,
        /// Pictures in linear light (HDR): the curve of the values that the network is trained on [default: log where
        /// the peak is more than 16 times the median]
        #[arg(long)]
        pub hdr_curve: Curve,
    }
}

section! {
    /// The `[encoding]` section.
    #[command(about = None, long_about = None, next_help_heading = "Network")]
    pub struct EncodingConfig {
        /// How a position becomes features [default: hash-grid; gaussian with --holdout, --sigma, --features or an
        /// activation other than relu and leaky-relu]
        #[arg(id = "encoding", long, value_name = "ENCODING")]
        pub kind: EncodingKind,
        /// More encodings, side by side with the first: at most one each of none, the frequencies, the bins or waves
        /// along each axis, and the grids
        #[arg(long, value_name = "E,E,..")]
        pub also: EncodingList,
        /// Standard deviation of the Gaussian frequencies, in cycles per longer side, or `auto` to choose it on
        /// held-out pixels; for positional, log2 of the highest frequency plus one [default: 15 at 64 to 512 pixels;
        /// positional 6]
        #[arg(long, value_name = "F|auto")]
        pub sigma: Sigma,
        /// Number of frequencies M; the first layer sees 2M inputs [default: 256]
        #[arg(long, value_name = "M")]
        pub features: usize,
        /// Basic, positional, gaussian and octaves: whether the frequencies are trained [default: frozen]
        #[arg(long)]
        pub frequencies: Frequencies,
        /// Octaves and triangle-wave: frequencies along each axis [default: by size, up to half a cycle per pixel: 10
        /// at 512x512]
        #[arg(long, value_name = "N")]
        pub octaves: usize,
        /// One-blob: bins along each axis [default: 96]
        #[arg(long, value_name = "N")]
        pub bins: usize,
        /// Grids: levels of resolution [default: 16]
        #[arg(long, value_name = "L")]
        pub levels: usize,
        /// Grids: trained features per vertex, 1, 2, 4 or 8 [default: 2]
        #[arg(long, value_name = "F")]
        pub features_per_level: usize,
        /// Hash grid: log2 of the maximum number of vertices stored per level [default: by size, 15 at 512x512; one
        /// more for noise and dithering]
        #[arg(long, value_name = "N")]
        pub log2_table: u32,
        /// Grids: cells across the longer side at the coarsest level [default: 16]
        #[arg(long, value_name = "N")]
        pub base_resolution: u32,
        /// Grids: growth factor of the resolution from level to level, or `half` for a cell per two pixels at the finest
        /// [default: such that the finest has a cell per pixel]
        #[arg(long, value_name = "F|half")]
        pub growth: Growth,
        /// Grids: interpolation between vertices [default: linear]
        #[arg(long)]
        pub interpolation: Interpolation,
        /// Grids, on a GPU: how gradients are summed [default: exact]
        #[arg(long)]
        pub grid_gradients: GridGradients,
    }
}

section! {
    /// The `[network]` section.
    #[command(about = None, long_about = None, next_help_heading = "Network")]
    pub struct NetworkConfig {
        /// Units of each hidden layer [default: 128; grids 64]
        #[arg(long, value_name = "H")]
        pub hidden: usize,
        /// Linear layers, at least 2 [default: 4; grids 3]
        #[arg(long, value_name = "L")]
        pub layers: usize,
        /// Activation of the hidden layers [default: relu; grids leaky-relu]
        #[arg(long)]
        pub activation: ActivationKind,
        /// Angular frequency of sine, finer and gabor [default: 30; gabor 2]
        #[arg(long, value_name = "F")]
        pub w0: f32,
        /// Width of gaussian; one over the width of gabor's envelope [default: 0.5; gabor 1]
        #[arg(long, value_name = "F")]
        pub scale: f32,
        /// Slope of leaky-relu below 0 [default: 0.01]
        #[arg(long, value_name = "F")]
        pub slope: f32,
        /// Activation of the last layer; without a sigmoid, values are clamped to black and white [default: identity
        /// with grids and muon, for HDR and for mostly black or white pictures; sigmoid]
        #[arg(id = "output_activation", long = "output-activation", value_name = "ACTIVATION")]
        pub output: OutputKind,
        /// How initial weights are drawn [default: by activation, he-normal for relu]
        #[arg(long)]
        pub init: Init,
    }
}

section! {
    /// The `[training]` section.
    #[command(about = None, long_about = None, next_help_heading = "Training")]
    pub struct TrainingConfig {
        /// Passes over the training pixels; 0 writes the untrained network [default: by size, less than a minute on
        /// two cores: 60 at 512x512, 30 without grids]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=TOML_MAX))]
        pub epochs: u64,
        /// Factor on the default number of epochs: 2 trains twice as long [default: 1]
        #[arg(long, value_name = "F", conflicts_with = "epochs")]
        pub effort: f64,
        /// End after the epoch in which the trained pixels are measured at this PSNR, such as 40dB [default: never]
        #[arg(long, value_name = "DB", value_parser = super::fields::decibels)]
        pub until: f64,
        /// Choose the scale of frequencies for this picture by short trainings that are measured on held-out pixels: sigma of
        /// Gaussian features, or else w0 of sines [default: false]
        #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        pub tune: bool,
        /// Samples per step, or `full` for all training pixels [default: a 32nd of the picture, 512 to 2048; muon a
        /// 16th, 1024 to 4096; grids a 64th, 512 to 16384]
        #[arg(long, value_name = "N")]
        pub batch: BatchSize,
        /// Sample every pixel once per epoch, or pixels with large errors more often, with less weight [default:
        /// uniform]
        #[arg(long)]
        pub sampling: Sampling,
        /// The loss function [default: mse]
        #[arg(long)]
        pub loss: LossKind,
        /// Where huber changes from quadratic to linear [default: 0.1]
        #[arg(long, value_name = "F")]
        pub delta: f32,
        /// Factor on the loss of each channel, such as 1,1,1,0.5 [default: 1 for each]
        #[arg(long, value_name = "W,W,..")]
        pub channel_weights: ChannelWeights,
        /// The update rule [default: adam; muon with fixed features, relu and every pixel trained, if the picture has at
        /// most four values for each weight and --lr is not given]
        #[arg(long)]
        pub optimizer: OptimizerKind,
        /// Learning rate of the first step [default: by optimizer and activation, Adam 5e-3 with
        /// relu, 5e-4 with sine, less for pictures below 65,536 pixels, 1e-2 with grids; muon a fifth of that; SGD 0.1]
        #[arg(long, value_name = "F")]
        pub lr: f64,
        /// Learning rate schedule [default: cosine]
        #[arg(long)]
        pub schedule: ScheduleKind,
        /// Steps over which the learning rate rises to --lr [default: 0; one-cycle: 30% of the run]
        #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(..=TOML_MAX))]
        pub warmup: u64,
        /// Steps at --lr before the decay of cosine, exponential and step begins [default: 0]
        #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(..=TOML_MAX))]
        pub hold: u64,
        /// Final learning rate of the cosine schedules [default: 0]
        #[arg(long, value_name = "F")]
        pub min_lr: f64,
        /// Steps between restarts of cosine-restarts and drops of step [default: a quarter of the run]
        #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..=TOML_MAX))]
        pub cycle: u64,
        /// Exponential: final learning rate as a share of --lr; step: factor at each drop [default: 0.01; step 0.1]
        #[arg(long, value_name = "F")]
        pub decay: f64,
        /// Momentum of SGD [default: 0; nesterov 0.9; muon 0.95]
        #[arg(long, value_name = "F")]
        pub momentum: f64,
        /// Decoupled weight decay, or L2 penalty for sgd and nesterov [default: 0; adamw 0.01]
        #[arg(long, value_name = "F")]
        pub weight_decay: f64,
        /// Decay of the first moment of Adam and its relatives [default: 0.9]
        #[arg(long, value_name = "F")]
        pub beta1: f64,
        /// Decay of the second moment [default: 0.999; grids and lion 0.99]
        #[arg(long, value_name = "F")]
        pub beta2: f64,
        /// Epsilon of Adam and its relatives [default: 1e-8; grids 1e-15]
        #[arg(long, value_name = "F")]
        pub epsilon: f64,
        /// Learning rate of the matrices that muon orthogonalises [default: 0.014 times the picture's values per weight,
        /// at most 0.03, or 8 / steps, at most 0.1, if that is more; with sines 1 / w0 of it]
        #[arg(long, value_name = "F")]
        pub muon_lr: f64,
        /// Which matrices those are [default: but-last; hidden with grids and without an encoding]
        #[arg(long)]
        pub muon_layers: MuonLayers,
        /// Learning rate of the encoding's trained weights [default: as --lr]
        #[arg(long, value_name = "F")]
        pub encoding_lr: f64,
        /// L2 penalty on the encoding's trained weights [default: 0]
        #[arg(long, value_name = "F")]
        pub encoding_l2: f64,
        /// L2 penalty on the network's weights [default: 0]
        #[arg(long, value_name = "F")]
        pub l2: f64,
        /// Scale gradients down to this norm if they are longer [default: never]
        #[arg(long, value_name = "F")]
        pub clip_norm: f64,
        /// Decay of a moving average of the weights, which pictures and the model then use, such as 0.99 [default:
        /// none]
        #[arg(long, value_name = "F")]
        pub ema: f64,
        /// Seed of frequencies, initial weights and sample order [default: 0]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=TOML_MAX))]
        pub seed: u64,
    }
}

section! {
    /// The `[output]` section.
    #[command(about = None, long_about = None, next_help_heading = "Output")]
    pub struct OutputConfig {
        /// Epochs between pictures [default: 1]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=TOML_MAX))]
        pub snapshot_every: u64,
        /// Epochs between measurements of the whole picture; an epoch with a picture is measured
        /// too [default: 1]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=TOML_MAX))]
        pub measure_every: u64,
        /// Which weights become the model and the final picture [default: last]
        #[arg(long)]
        pub keep: Keep,
        /// Epochs (10) or time (30s, 5m) between checkpoints, or `never` [default: 30s]
        #[arg(long, value_name = "N")]
        pub checkpoint_every: CheckpointEvery,
    }
}

section! {
    /// The `[device]` section.
    #[command(about = None, long_about = None, next_help_heading = "Device")]
    pub struct DeviceConfig {
        /// Where to run [default: auto]
        #[arg(long)]
        pub backend: BackendChoice,
        /// GPU adapter by part of its name or by its number in `afterimage adapters`
        #[arg(long, value_name = "NAME|INDEX")]
        pub adapter: String,
        /// On a GPU: f32, or mixed, with values between layers in 16 bits [default: whichever is faster; f32 on a
        /// software driver]
        #[arg(long)]
        pub precision: Precision,
        /// Threads of the CPU backend, 0 for all cores; does not change results [default: 0]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_THREADS)))]
        pub threads: u16,
    }
}

/// The sections with the names of their settings, in the order of [`super::Config`].
pub(super) const FIELDS: [(&str, &[&str]); 6] = [
    ("picture", PictureConfig::FIELDS),
    ("encoding", EncodingConfig::FIELDS),
    ("network", NetworkConfig::FIELDS),
    ("training", TrainingConfig::FIELDS),
    ("output", OutputConfig::FIELDS),
    ("device", DeviceConfig::FIELDS),
];

/// Maximum number of threads.
pub(super) const MAX_THREADS: u16 = 256;

impl DeviceConfig {
    /// The requested device.
    pub fn request(&self) -> DeviceRequest {
        DeviceRequest {
            backend: self.backend.unwrap_or_default(),
            adapter: self.adapter.clone(),
            threads: self.threads.unwrap_or(0).into(),
            precision: self.precision.unwrap_or_default(),
            ..DeviceRequest::default()
        }
    }
}
