//! From what was asked to what is run: defaults filled in, every value checked.

mod encoding;

use super::{
    ActivationKind, BatchSize, Config, EncodingKind, Keep, OptimizerKind, OutputKind, PictureSize, Resolved,
    Sigma, defaults,
};
use crate::model::{
    Activation, Coords, Encoding, EncodingSpec, Holdout, Loss, Mlp, Model, Optimizer, SampleSet, Schedule,
};
use crate::picture::Picture;
use std::fmt::Display;
use std::path::PathBuf;

/// Why a configuration cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or understood.
    #[error("configuration {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A value outside its range.
    #[error("{field} is {value}: {allowed}")]
    Value {
        /// The setting's name.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        allowed: String,
    },
}

fn bad(field: &'static str, value: impl Display, allowed: impl Into<String>) -> ConfigError {
    ConfigError::Value { field, value: value.to_string(), allowed: allowed.into() }
}

/// Widths beyond this are refused before anything is multiplied with them.
const MAX_WIDTH: usize = 1 << 20;
/// Pixels of a training picture.
const MAX_PIXELS: u64 = 1 << 28;
/// Learning rates and decays beyond this cannot be meant.
const MAX_RATE: f64 = 1e4;
const MAX_LAYERS: usize = 1 << 10;

impl Config {
    /// Checks what can be checked without the picture.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.optimizer(Activation::Relu)?;
        self.network_shape()?;
        self.encoding_spec((1, 1))?;
        self.activations(false)?;
        positive("snapshot-every", self.output.snapshot_every)?;
        positive("measure-every", self.output.measure_every)?;
        self.keep()?;
        for (setting, why) in self.without_effect() {
            log::warn!("{setting} has no effect {why}");
        }
        match self.picture.size {
            Some(size @ PictureSize::Pixels(w, h))
                if u64::from(w.get()) * u64::from(h.get()) > MAX_PIXELS =>
            {
                Err(bad("size", size, format!("at most {MAX_PIXELS} pixels can be trained on")))
            }
            _ => Ok(()),
        }
    }

    /// Fills every default for `picture` (already at its training size) and checks every value.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn resolve(&self, picture: &Picture) -> Result<Resolved, ConfigError> {
        let seed = self.training.seed.unwrap_or(0);
        let coords = self.picture.coords.unwrap_or(Coords::Center);
        let samples = self.samples(picture)?;
        if self.sigma_is_open() {
            return Err(bad("sigma", "auto", "choose it first, with tune::choose_sigma"));
        }
        let spec = self.encoding_spec((picture.width, picture.height))?;
        let (activation, output_activation) = self.activations(picture.is_hdr())?;
        let (hidden_width, n_layers) = self.network_shape()?;
        let encoding = Encoding::new(spec, seed);
        let network = Mlp {
            input_width: encoding.output_width(),
            hidden_width,
            output_width: picture.channels,
            n_layers,
            activation,
            output_activation,
        };
        let (optimizer, lr) = self.optimizer(activation)?;
        let batch =
            self.training.batch.unwrap_or_else(|| defaults::batch(self.encoding_kind(), samples.len()));
        let resolved = Resolved {
            config: Self::default(),
            model: Model { encoding, network },
            init: self.network.init.unwrap_or_else(|| defaults::init(activation)),
            seed,
            coords,
            raster: picture.raster(coords),
            samples,
            batch_size: match batch {
                BatchSize::Full => samples.len(),
                BatchSize::Samples(n) => n.get().min(samples.len()),
            },
            epochs: self.training.epochs.unwrap_or_else(|| defaults::epochs(samples.len())),
            loss: self.training.loss.unwrap_or(Loss::Mse),
            optimizer,
            lr,
            schedule: self.training.schedule.unwrap_or(Schedule::Cosine),
            snapshot_every: positive("snapshot-every", self.output.snapshot_every)?.unwrap_or(1),
            measure_every: positive("measure-every", self.output.measure_every)?.unwrap_or(1),
            keep: self.keep()?,
            checkpoint_every: self.output.checkpoint_every.unwrap_or(defaults::CHECKPOINT_EVERY),
        };
        Ok(Resolved { config: self.filled(&resolved, spec, batch), ..resolved })
    }

    /// Settings that are given and mean nothing beside the others, and why.
    fn without_effect(&self) -> Vec<(&'static str, &'static str)> {
        let sgd = self.training.optimizer == Some(OptimizerKind::Sgd);
        let sine = matches!(self.activations(false), Ok((Activation::Sine { .. }, _)));
        let with_sgd = "with sgd: only adam has it";
        let given = [
            (self.network.w0.is_some() && !sine, "w0", "without --activation sine"),
            (self.training.beta1.is_some() && sgd, "beta1", with_sgd),
            (self.training.beta2.is_some() && sgd, "beta2", with_sgd),
            (self.training.epsilon.is_some() && sgd, "epsilon", with_sgd),
        ];
        let given = self.encoding_without_effect().into_iter().chain(given);
        given.filter(|(given, ..)| *given).map(|(_, setting, why)| (setting, why)).collect()
    }

    /// Whether sigma is still to be chosen before this can be resolved.
    pub fn sigma_is_open(&self) -> bool {
        self.encoding.sigma == Some(Sigma::Auto) && self.encoding_kind() == EncodingKind::Gaussian
    }

    fn keep(&self) -> Result<Keep, ConfigError> {
        let keep = self.output.keep.unwrap_or_default();
        if keep == Keep::Best && self.picture.holdout.unwrap_or(Holdout::None) == Holdout::None {
            return Err(bad(
                "keep",
                "best",
                "only held-out pixels tell which weights are best; add --holdout every-other",
            ));
        }
        Ok(keep)
    }

    fn samples(&self, picture: &Picture) -> Result<SampleSet, ConfigError> {
        let holdout = self.picture.holdout.unwrap_or(Holdout::None);
        let (width, height) = (picture.width, picture.height);
        let size = format!("{width}x{height}");
        if picture.n_pixels() > u64::from(u32::MAX) / 4 {
            return Err(bad(
                "the picture",
                size,
                "at most 2^30 pixels can be trained on; use --size to shrink it",
            ));
        }
        if holdout == Holdout::EveryOther && (width < 2 || height < 2) {
            return Err(bad("the picture", size, "--holdout every-other needs at least 2x2 pixels"));
        }
        Ok(SampleSet { width, height, holdout })
    }

    /// Hidden width and number of linear layers.
    fn network_shape(&self) -> Result<(usize, usize), ConfigError> {
        let grid = self.encoding_kind().is_grid();
        let (hidden, layers) = match grid {
            true => (defaults::GRID_HIDDEN, defaults::GRID_LAYERS),
            false => (defaults::HIDDEN, defaults::LAYERS),
        };
        let hidden = self.network.hidden.unwrap_or(hidden);
        if !(1..=MAX_WIDTH).contains(&hidden) {
            return Err(bad("hidden", hidden, format!("give a width from 1 to {MAX_WIDTH}")));
        }
        let layers = self.network.layers.unwrap_or(layers);
        if !(2..=MAX_LAYERS).contains(&layers) {
            let allowed = format!("give 2 to {MAX_LAYERS} linear layers (one hidden layer or more)");
            return Err(bad("layers", layers, allowed));
        }
        Ok((hidden, layers))
    }

    fn activations(&self, hdr: bool) -> Result<(Activation, Activation), ConfigError> {
        let w0 = self.network.w0.unwrap_or(defaults::W0);
        if !(w0.is_finite() && w0 > 0.0) {
            return Err(bad("w0", w0, "give a number above 0"));
        }
        let hidden = match self.network.activation {
            None => defaults::activation(),
            Some(ActivationKind::Relu) => Activation::Relu,
            Some(ActivationKind::Sine) => Activation::Sine { w0 },
        };
        let output = match self.network.output {
            None if hdr => Activation::Identity,
            None | Some(OutputKind::Sigmoid) => Activation::Sigmoid,
            Some(OutputKind::Identity) => Activation::Identity,
        };
        Ok((hidden, output))
    }

    fn optimizer(&self, activation: Activation) -> Result<(Optimizer, f64), ConfigError> {
        let training = &self.training;
        let kind = training.optimizer.unwrap_or(OptimizerKind::Adam);
        let lr = training.lr.unwrap_or_else(|| defaults::lr(kind, activation, self.encoding_kind()));
        if !(lr > 0.0 && lr <= MAX_RATE) {
            return Err(bad(
                "lr",
                format_args!("{lr:?}"),
                format!("give a learning rate above 0 and up to {MAX_RATE}, such as 1e-3"),
            ));
        }
        let weight_decay = training.weight_decay.unwrap_or(0.0);
        if !(0.0..=MAX_RATE).contains(&weight_decay) {
            return Err(bad(
                "weight-decay",
                format_args!("{weight_decay:?}"),
                format!("give a number from 0 to {MAX_RATE}"),
            ));
        }
        let momentum = below_one("momentum", training.momentum.unwrap_or(0.0))?;
        if kind == OptimizerKind::Adam && momentum != 0.0 {
            return Err(bad("momentum", momentum, "only --optimizer sgd has it; Adam has beta1"));
        }
        let beta1 = below_one("beta1", training.beta1.unwrap_or(defaults::ADAM_BETA1))?;
        let beta2 = below_one("beta2", training.beta2.unwrap_or(defaults::ADAM_BETA2))?;
        let epsilon = training.epsilon.unwrap_or(defaults::ADAM_EPSILON);
        if !(epsilon.is_finite() && epsilon > 0.0) {
            return Err(bad("epsilon", epsilon, "give a number above 0, such as 1e-8"));
        }
        let optimizer = match kind {
            OptimizerKind::Sgd => Optimizer::Sgd { momentum, weight_decay },
            OptimizerKind::Adam => Optimizer::Adam { beta1, beta2, epsilon, weight_decay },
        };
        Ok((optimizer, lr))
    }

    /// This configuration with every setting that has a meaning for `resolved` written out.
    fn filled(&self, resolved: &Resolved, spec: EncodingSpec, batch: BatchSize) -> Self {
        let mut config = self.clone();
        config.picture.size.get_or_insert(PictureSize::Native);
        config.picture.holdout = Some(resolved.samples.holdout);
        config.picture.coords = Some(resolved.coords);
        config.encoding = encoding::filled(spec);
        let network = &resolved.model.network;
        config.network.hidden = Some(network.hidden_width);
        config.network.layers = Some(network.n_layers);
        (config.network.activation, config.network.w0) = match network.activation {
            Activation::Sine { w0 } => (Some(ActivationKind::Sine), Some(w0)),
            _ => (Some(ActivationKind::Relu), None),
        };
        config.network.output = Some(match network.output_activation {
            Activation::Identity => OutputKind::Identity,
            _ => OutputKind::Sigmoid,
        });
        config.network.init = Some(resolved.init);
        let training = &mut config.training;
        training.epochs = Some(resolved.epochs);
        training.batch = Some(batch);
        training.loss = Some(resolved.loss);
        training.lr = Some(resolved.lr);
        training.schedule = Some(resolved.schedule);
        training.seed = Some(resolved.seed);
        match resolved.optimizer {
            Optimizer::Sgd { momentum, weight_decay } => {
                training.optimizer = Some(OptimizerKind::Sgd);
                training.momentum = Some(momentum);
                training.weight_decay = Some(weight_decay);
                (training.beta1, training.beta2, training.epsilon) = (None, None, None);
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => {
                training.optimizer = Some(OptimizerKind::Adam);
                training.momentum = None;
                training.weight_decay = Some(weight_decay);
                (training.beta1, training.beta2, training.epsilon) =
                    (Some(beta1), Some(beta2), Some(epsilon));
            }
        }
        config.output.snapshot_every = Some(resolved.snapshot_every);
        config.output.measure_every = Some(resolved.measure_every);
        config.output.keep = Some(resolved.keep);
        config.output.checkpoint_every = Some(resolved.checkpoint_every);
        config.device.backend.get_or_insert_default();
        config
    }
}

fn positive(field: &'static str, value: Option<u64>) -> Result<Option<u64>, ConfigError> {
    match value {
        Some(0) => Err(bad(field, 0, "give a number from 1 on")),
        other => Ok(other),
    }
}

fn below_one(field: &'static str, value: f64) -> Result<f64, ConfigError> {
    if (0.0..1.0).contains(&value) {
        Ok(value)
    } else {
        Err(bad(field, value, "give a number from 0 to below 1"))
    }
}
