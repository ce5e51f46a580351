//! Resolves a configuration: fills in defaults and checks every value.

mod encoding;
mod range;
mod rule;

use super::defaults::UsualMuon;
use super::sections::MAX_THREADS;
use super::{
    BackendChoice, BatchSize, ChannelWeights, Config, EncodingConfig, Frequencies, Keep, OutputKind,
    PictureSize, Resolved, defaults,
};
use crate::job::{DeviceRequest, JobOptions};
use crate::model::optimizer::MuonLayers;
use crate::model::{
    Activation, Coords, Encoding, EncodingSpec, GridGradients, Holdout, Mask, Mlp, Model, SampleSet,
    Sampling, Schedule, ScheduleKind,
};
use crate::picture::Picture;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

/// Why a configuration is invalid, and what would be valid.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn of_file(path: &Path, reason: &str) -> Self {
        Self(format!("configuration {}: {reason}", path.display()))
    }

    pub(super) fn of_setting(setting: &str, reason: &str) -> Self {
        Self(format!("{setting}: {reason}"))
    }

    pub(super) fn of_mask(path: &Path, reason: &str) -> Self {
        Self(format!("the mask {}: {reason}", path.display()))
    }
}

pub(super) fn bad(field: &'static str, value: impl Display, allowed: impl Display) -> ConfigError {
    ConfigError(format!("{field} is {value}: {allowed}"))
}

/// Fails unless the value of a setting is allowed.
pub(super) fn ensure(
    is_allowed: bool,
    field: &'static str,
    value: impl Display,
    allowed: impl Display,
) -> Result<(), ConfigError> {
    if is_allowed { Ok(()) } else { Err(bad(field, value, allowed)) }
}

fn within<T: PartialOrd + Display>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
    allowed: impl Display,
) -> Result<T, ConfigError> {
    ensure(range.contains(&value), field, &value, allowed).map(|()| value)
}

fn too_large(size: PictureSize) -> ConfigError {
    bad("size", size, format!("at most {MAX_PIXELS} pixels can be trained on"))
}

/// Larger widths are refused before anything is multiplied with them.
const MAX_WIDTH: usize = 1 << 20;
/// Pixels of a training picture.
const MAX_PIXELS: u64 = 1 << 28;
const MAX_LAYERS: usize = 1 << 10;

impl Config {
    /// Checks what can be checked without the picture. For valid but probably unintended settings see
    /// [`Self::warnings`].
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let (_, lr) = self.training.optimizer(Activation::Relu, self.has_grid(), defaults::BATCH)?;
        self.training.epochs(self.has_grid(), 1)?;
        self.training.until()?;
        self.training.loss()?;
        self.training.schedule(lr, u64::MAX)?;
        self.training.refinements(lr, UsualMuon { lr, layers: MuonLayers::default() })?;
        self.network_shape()?;
        self.encoding_specs(None)?;
        self.activations(None)?;
        positive("snapshot-every", self.output.snapshot_every)?;
        positive("measure-every", self.output.measure_every)?;
        self.keep()?;
        self.hdr_scale()?;
        self.device()?;
        match self.picture.size {
            Some(PictureSize::Pixels(..)) => self.fitted_size((1, 1)).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The training size of a picture that has `native` pixels.
    ///
    /// # Errors
    /// When it is too large.
    pub fn fitted_size(&self, native: (u32, u32)) -> Result<(u32, u32), ConfigError> {
        let size = self.picture.size.unwrap_or(PictureSize::Native);
        let (width, height) = size.of(native.0, native.1);
        let is_large = size != PictureSize::Native && u64::from(width) * u64::from(height) > MAX_PIXELS;
        if is_large { Err(too_large(size)) } else { Ok((width, height)) }
    }

    /// A sentence for each setting that has no effect with the others, or is probably unintended.
    pub fn warnings(&self) -> Vec<String> {
        let without_effect = self.without_effect().into_iter();
        let sentences = without_effect.map(|(setting, why)| format!("{setting} has no effect {why}"));
        sentences.chain(self.network.questionable(self.has_grid())).collect()
    }

    /// Fills in every default for `picture` (already at its training size) and checks every value. `mask` comes from
    /// [`Self::load_mask`]: only its white pixels are trained on.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn resolve(&self, picture: &Picture, mask: Option<&Picture>) -> Result<Resolved, ConfigError> {
        let (samples, mask) = self.masked_samples(picture, mask)?;
        if let Some(scale) = self.open_scale() {
            return Err(bad(scale.name(), "open", "choose it first, with tune::choose_scale"));
        }
        let specs = self.encoding_specs(Some(picture))?;
        self.with_rule(picture, samples, &specs)?.resolved(picture, (samples, mask), &specs)
    }

    /// The rest of [`Self::resolve`], once the update rule is known.
    fn resolved(
        &self,
        picture: &Picture,
        (samples, mask): (SampleSet, Option<Arc<Mask>>),
        specs: &[EncodingSpec],
    ) -> Result<Resolved, ConfigError> {
        let transfer = self.transfer(picture)?;
        let model = self.model(picture, specs)?;
        let activation = model.network.activation;
        let coords = self.picture.coords.unwrap_or(Coords::Center);
        let batch = self
            .training
            .batch
            .unwrap_or_else(|| defaults::batch(self.has_grid(), self.training.has_muon(), samples.len()));
        let batch_size = match batch {
            BatchSize::Full => samples.len(),
            BatchSize::Samples(n) => n.get().min(samples.len()),
        };
        // An explicit batch size does not change the rate.
        let usual_batch = if self.training.batch.is_some() { defaults::BATCH } else { batch_size };
        let (optimizer, lr) = self.training.optimizer(activation, self.has_grid(), usual_batch)?;
        let epochs = self.training.epochs(self.has_grid(), samples.len())?;
        let n_steps = epochs.saturating_mul(samples.len().div_ceil(batch_size).into());
        let muon = UsualMuon::of(&model.network, self.has_grid(), n_steps, samples.len());
        let options = JobOptions { mask, ..self.options(picture, lr, muon)? };
        let resolved = Resolved {
            config: Self::default(),
            model,
            init: self.network.init.unwrap_or_else(|| defaults::init(activation)),
            seed: self.training.seed.unwrap_or(0),
            coords,
            raster: picture.raster(coords),
            transfer,
            exposure: picture.exposure(),
            samples,
            batch_size,
            epochs,
            until: self.training.until()?,
            loss: self.training.loss()?,
            options,
            optimizer,
            lr,
            schedule: Schedule::new(ScheduleKind::Constant),
            snapshot_every: positive("snapshot-every", self.output.snapshot_every)?.unwrap_or(1),
            measure_every: positive("measure-every", self.output.measure_every)?.unwrap_or(1),
            keep: self.keep()?,
            checkpoint_every: self.output.checkpoint_every.unwrap_or(defaults::CHECKPOINT_EVERY),
            device: self.device()?,
            profile: None,
        };
        let resolved = Resolved { schedule: self.training.schedule(lr, n_steps)?, ..resolved };
        let mut config = self.filled(&resolved, specs, batch);
        config.training.fill_muon(muon);
        config.picture.hdr_scale = picture.is_hdr().then_some(transfer.scale);
        config.picture.hdr_curve = picture.is_hdr().then_some(transfer.curve);
        Ok(Resolved { config, ..resolved })
    }

    pub(super) fn model(&self, picture: &Picture, specs: &[EncodingSpec]) -> Result<Model, ConfigError> {
        let seed = self.training.seed.unwrap_or(0);
        let (activation, output_activation) = self.activations(Some(picture))?;
        let (hidden_width, n_layers) = self.network_shape()?;
        let parts = specs.iter().map(|spec| Encoding::new(*spec, seed));
        let encoding = Encoding::side_by_side(parts.collect());
        let encoding = match self.encoding.frequencies.unwrap_or_default() {
            Frequencies::Frozen => encoding,
            Frequencies::Trained => encoding.with_trained_frequencies(),
        };
        let network = Mlp::new(
            [encoding.output_width(), hidden_width, picture.channels],
            n_layers,
            [activation, output_activation],
        );
        Ok(Model { encoding, network })
    }

    /// Settings that have no effect with the others, and why.
    fn without_effect(&self) -> Vec<(String, String)> {
        let trained = self.encoding.frequencies == Some(Frequencies::Trained);
        let without_weights = match self.has_grid() || trained {
            true => Vec::new(),
            false => self.training.encoding_without_weights(),
        };
        let exact_anyway = self.has_grid()
            && self.encoding.grid_gradients == Some(GridGradients::Float)
            && self.device.backend == Some(BackendChoice::Cpu);
        let on_cpu =
            ("grid-gradients".to_owned(), "on the CPU, which always sums in the same order".to_owned());
        let on_cpu = exact_anyway.then_some(on_cpu);
        let others =
            self.network.without_effect(self.has_grid()).into_iter().chain(self.training.without_effect());
        let encoding = self.encoding_without_effect().into_iter();
        let tune = self.tune_without_effect();
        encoding.chain(others).chain(without_weights).chain(on_cpu).chain(tune).collect()
    }

    fn options(&self, picture: &Picture, lr: f64, muon: UsualMuon) -> Result<JobOptions, ConfigError> {
        let refinements = self.training.refinements(lr, muon)?;
        let sampling = self.training.sampling.unwrap_or_default();
        let grid_gradients = self.encoding.grid_gradients.unwrap_or_default();
        let mut options = JobOptions { refinements, sampling, grid_gradients, ..JobOptions::default() };
        if let Some(ChannelWeights(weights)) = &self.training.channel_weights {
            let (given, channels) = (weights.len(), picture.channels);
            let allowed = format!("give one for each of the picture's {channels} channels");
            ensure(given == channels, "channel-weights", format_args!("{given} numbers"), allowed)?;
            options.channel_weights[..weights.len()].copy_from_slice(weights);
        }
        Ok(options)
    }

    fn keep(&self) -> Result<Keep, ConfigError> {
        let keep = self.output.keep.unwrap_or_default();
        let has_test = self.picture.holdout.unwrap_or(Holdout::None) != Holdout::None;
        let allowed = "only held-out pixels tell which weights are best; add --holdout every-other";
        ensure(keep != Keep::Best || has_test, "keep", "best", allowed)?;
        Ok(keep)
    }

    fn device(&self) -> Result<DeviceRequest, ConfigError> {
        let allowed = format!("give a number up to {MAX_THREADS}, or 0 for all cores");
        within("threads", self.device.threads.unwrap_or(0), 0..=MAX_THREADS, allowed)?;
        Ok(self.device.request())
    }

    fn samples(&self, picture: &Picture) -> Result<SampleSet, ConfigError> {
        let holdout = self.picture.holdout.unwrap_or(Holdout::None);
        let (width, height) = (picture.width, picture.height);
        let size = format!("{width}x{height}");
        let allowed = "at most 2^30 pixels can be trained on; use --size to shrink it";
        ensure(picture.n_pixels() <= u64::from(u32::MAX) / 4, "the picture", &size, allowed)?;
        let has_test = holdout != Holdout::EveryOther || width.min(height) >= 2;
        ensure(has_test, "the picture", &size, "--holdout every-other needs at least 2x2 pixels")?;
        Ok(SampleSet { width, height, holdout, masked: None })
    }

    /// Which pixels are trained on, and the mask, if there is one.
    fn masked_samples(
        &self,
        picture: &Picture,
        mask: Option<&Picture>,
    ) -> Result<(SampleSet, Option<Arc<Mask>>), ConfigError> {
        let samples = self.samples(picture)?;
        let mask = self.mask(picture, mask, samples)?;
        let by_error = self.training.sampling == Some(Sampling::Error);
        let allowed = "with --mask, each pixel is taken once; leave --sampling out";
        ensure(mask.is_none() || !by_error, "sampling", "error", allowed)?;
        let masked = mask.as_ref().and_then(|mask| NonZeroU32::new(mask.pixels().len() as u32));
        Ok((SampleSet { masked, ..samples }, mask))
    }

    /// Hidden width and number of linear layers.
    fn network_shape(&self) -> Result<(usize, usize), ConfigError> {
        let (hidden, layers) = match self.has_grid() {
            true => (defaults::GRID_HIDDEN, defaults::GRID_LAYERS),
            false => (defaults::HIDDEN, defaults::LAYERS),
        };
        let (hidden, layers) = (self.network.hidden.unwrap_or(hidden), self.network.layers.unwrap_or(layers));
        within("hidden", hidden, 1..=MAX_WIDTH, format!("give a width from 1 to {MAX_WIDTH}"))?;
        let allowed = format!("give 2 to {MAX_LAYERS} linear layers (one hidden layer or more)");
        within("layers", layers, 2..=MAX_LAYERS, allowed)?;
        Ok((hidden, layers))
    }

    fn activations(&self, picture: Option<&Picture>) -> Result<(Activation, Activation), ConfigError> {
        let hidden = self.network.hidden_activation(self.has_grid())?;
        let output = match self.network.output {
            Some(OutputKind::Sigmoid) => Activation::Sigmoid,
            Some(OutputKind::Identity) => Activation::Identity,
            // A sigmoid saturates on pages and night skies, and then stops learning. Muon comes further without it.
            None if self.has_grid()
                || self.training.has_muon()
                || picture.is_some_and(|p| p.is_hdr() || p.is_mostly_black_or_white()) =>
            {
                Activation::Identity
            }
            None => Activation::Sigmoid,
        };
        Ok((hidden, output))
    }

    /// This configuration with every setting that applies to `resolved` written out.
    fn filled(&self, resolved: &Resolved, specs: &[EncodingSpec], batch: BatchSize) -> Self {
        let mut config = self.clone();
        config.picture.size = Some(match (self.picture.size, &resolved.samples) {
            (None, _) => PictureSize::Native,
            (Some(PictureSize::Longer(side)), samples) => {
                let side = |pixels| NonZeroU32::new(pixels).unwrap_or(side);
                PictureSize::Pixels(side(samples.width), side(samples.height))
            }
            (Some(size), _) => size,
        });
        config.picture.holdout = Some(resolved.samples.holdout);
        config.picture.coords = Some(resolved.coords);
        config.picture.color.get_or_insert_default();
        config.picture.transparent.get_or_insert_default();
        let part = resolved.model.encoding.trained_part();
        let trained = matches!(part, Some((Encoding::TrainedFourier { .. }, _)));
        let frequencies = trained.then_some(Frequencies::Trained);
        let grid_gradients = self.has_grid().then_some(resolved.options.grid_gradients);
        config.encoding = EncodingConfig { frequencies, grid_gradients, ..encoding::filled(specs) };
        let network = &resolved.model.network;
        config.network.hidden = Some(network.hidden_width);
        config.network.layers = Some(network.n_layers);
        config.network.fill_activation(network.activation);
        config.network.output = Some(match network.output_activation {
            Activation::Identity => OutputKind::Identity,
            _ => OutputKind::Sigmoid,
        });
        config.network.init = Some(resolved.init);
        let training = &mut config.training;
        (training.epochs, training.effort) = (Some(resolved.epochs), None);
        training.batch = Some(batch);
        training.lr = Some(resolved.lr);
        training.fill_schedule(resolved.schedule);
        training.seed = Some(resolved.seed);
        training.sampling = Some(resolved.options.sampling);
        training.fill_loss(resolved.loss);
        training.fill_optimizer(resolved.optimizer);
        config.output.snapshot_every = Some(resolved.snapshot_every);
        config.output.measure_every = Some(resolved.measure_every);
        config.output.keep = Some(resolved.keep);
        config.output.checkpoint_every = Some(resolved.checkpoint_every);
        config.device.backend.get_or_insert_default();
        config
    }
}

fn positive(field: &'static str, value: Option<u64>) -> Result<Option<u64>, ConfigError> {
    ensure(value != Some(0), field, 0, "give a number from 1 on").map(|()| value)
}
