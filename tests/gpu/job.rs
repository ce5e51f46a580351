//! Small jobs for the GPU tests.

use afterimage::backend::{Job, JobOptions};
use afterimage::model::optimizer::MuonLayers;
use afterimage::model::{
    Activation, Coords, Encoding, EncodingSpec, Holdout, Importance, Init, Loss, Mask, Mlp, Model, Optimizer,
    Refinements, SampleSet, Sampling, Step, Steps, TrainingState,
};
use afterimage::picture::{Picture, Pixels};
use std::num::NonZeroU32;
use std::sync::Arc;

/// A job's choices that tests vary.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: usize,
    pub(crate) bits: u32,
    pub(crate) holdout: Holdout,
    pub(crate) encoding: EncodingSpec,
    pub(crate) masked: bool,
    pub(crate) beside: Vec<EncodingSpec>,
    pub(crate) trained_frequencies: bool,
    pub(crate) hidden_width: usize,
    pub(crate) n_layers: usize,
    pub(crate) activation: Activation,
    pub(crate) output_activation: Activation,
    pub(crate) optimizer: Optimizer,
    pub(crate) batch_size: u32,
    pub(crate) loss: Loss,
    pub(crate) options: JobOptions,
    pub(crate) init: Init,
}

pub(crate) const ADAM: Optimizer =
    Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };

pub(crate) const MUON: Optimizer =
    Optimizer::Muon { momentum: 0.95, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };

impl Setup {
    /// A small Fourier network on an odd picture, three steps an epoch.
    pub(crate) fn small() -> Self {
        Self {
            width: 21,
            height: 17,
            channels: 3,
            bits: 8,
            holdout: Holdout::None,
            encoding: EncodingSpec::Gaussian { features: 33, sigma: 5.0 },
            masked: false,
            beside: Vec::new(),
            trained_frequencies: false,
            hidden_width: 67,
            n_layers: 4,
            activation: Activation::Relu,
            output_activation: Activation::Sigmoid,
            optimizer: ADAM,
            batch_size: 130,
            loss: Loss::Mse,
            options: JobOptions::default(),
            init: Init::HeNormal,
        }
    }

    pub(crate) fn job(&self) -> Job {
        let specs = [&self.encoding].into_iter().chain(&self.beside);
        let encoding = Encoding::side_by_side(specs.map(|spec| Encoding::new(*spec, 1)).collect());
        let encoding = match self.trained_frequencies {
            true => encoding.with_trained_frequencies(),
            false => encoding,
        };
        let network = Mlp {
            input_width: encoding.output_width(),
            hidden_width: self.hidden_width,
            output_width: self.channels,
            n_layers: self.n_layers,
            activation: self.activation,
            output_activation: self.output_activation,
        };
        let picture = self.picture();
        let samples =
            SampleSet { width: self.width, height: self.height, holdout: self.holdout, masked: None };
        let n_pixels = self.width * self.height;
        let mask = self.masked.then(|| Mask::new((0..n_pixels).map(|i| i % 5 < 3).collect(), samples));
        let mask = mask.map(|mask| Arc::new(mask.expect("a mask with pixels")));
        let masked = mask.as_ref().and_then(|mask| NonZeroU32::new(mask.pixels().len() as u32));
        let samples = SampleSet { masked, ..samples };
        Job {
            model: Model { encoding, network },
            raster: picture.raster(Coords::Center),
            picture: Arc::new(picture),
            samples,
            loss: self.loss,
            optimizer: self.optimizer,
            batch_size: self.batch_size.min(samples.len()),
            options: JobOptions { mask, ..self.options.clone() },
        }
    }

    fn picture(&self) -> Picture {
        let n = self.width as usize * self.height as usize * self.channels;
        // Smooth waves with a little of everything.
        let value = |i: usize| 0.5 + 0.4 * (i as f32 * 0.37).sin() + 0.1 * (i as f32 * 1.7).cos();
        let pixels = match self.bits {
            8 => Pixels::U8((0..n).map(|i| (value(i) * 255.0) as u8).collect()),
            16 => Pixels::U16((0..n).map(|i| (value(i) * 65_535.0) as u16).collect()),
            _ => Pixels::F32((0..n).map(value).collect()),
        };
        Picture { width: self.width, height: self.height, channels: self.channels, pixels }
    }

    pub(crate) fn state(&self, job: &Job) -> TrainingState {
        let params = self.init.draw(&job.model, 3);
        TrainingState::new(params, self.optimizer, &self.options.refinements)
    }
}

/// Steps `range` of a job, with the sample order of each epoch and a shorter step at its end.
pub(crate) fn steps(job: &Job, range: std::ops::Range<u64>, lr: f64) -> Vec<Step> {
    let importance = (job.options.sampling == Sampling::Error).then(|| {
        let errors: Vec<f64> = (0..Importance::n_blocks(job.samples)).map(|b| [0.1, 1e-3][b % 2]).collect();
        Arc::new(Importance::new(job.samples, &errors))
    });
    let all = Steps::new(job.samples.len(), job.batch_size, 9, lr).spread_by(importance);
    all.starting_at(range.start).take((range.end - range.start) as usize).collect()
}

/// Every refinement at once.
pub(crate) fn refined() -> JobOptions {
    let refinements = Refinements {
        encoding_rate: 3.0,
        encoding_l2: 1e-3,
        l2: 1e-2,
        clip_norm: Some(1e-2),
        ema: Some(0.9),
        matrix_rate: 2.0,
        muon_layers: MuonLayers::ButLast,
    };
    JobOptions { refinements, ..JobOptions::default() }
}
