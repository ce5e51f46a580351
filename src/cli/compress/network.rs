//! Models: what they show as a picture to compress, and weights of 8 bits.

use super::CompressArgs;
use crate::cli::display::{Meter, count};
use crate::cli::signals::NOTHING_WRITTEN;
use crate::cli::train::resolved;
use crate::cli::{model, signals, stdio};
use afterimage::backend::{self, Backend, open_predictor};
use afterimage::block_on;
use afterimage::config::{Config, DeviceConfig, Resolved};
use afterimage::job::DeviceOptions;
use afterimage::model::{PixelFilter, TrainingState};
use afterimage::model_file::{ModelFile, Rounded, round};
use afterimage::picture::{self, Depth, Picture, PictureBuilder};
use afterimage::render::{Samples, View, for_each_band};
use afterimage::run::{self, RunFolder};
use afterimage::trainer::Evaluation;
use afterimage::tune::train_rounded;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Steps of training with rounded weights.
const STEPS: u32 = 200;

/// Decibels by which a network's PSNR may differ between devices and precisions.
const SAME_PICTURE: f64 = 0.5;

/// Whether a model is at `path`, rather than a picture.
pub(super) fn is_model(path: &Path) -> bool {
    path.is_dir()
        || run::is_checkpoint(path)
        || path.extension().is_some_and(|ending| ending == "safetensors")
}

/// What a model shows at the size it was trained at.
pub(super) fn shown(path: &Path, quiet: bool) -> anyhow::Result<Picture> {
    let opened = model::open(path, quiet)?;
    let network = &opened.model;
    if network.depth == Depth::F32 {
        bail!("compressed pictures have 8 bits a value, and {} is HDR", path.display());
    }
    let view = View::new(network.size(), None, Samples::Auto)?;
    let params = network.params_for(&view, PixelFilter::Box);
    let request = DeviceConfig::default().request().with(&DeviceOptions::from_env()?);
    let mut device = block_on(open_predictor(&request, &network.model, &params))?;
    let (width, height, channels, depth) = (network.width, network.height, network.channels(), network.depth);
    let mut builder = PictureBuilder::new(width, height, channels, depth);
    let grid = network.grid(&view);
    let bands =
        for_each_band(device.predictor.as_mut(), (&grid, network.transfer), (channels, depth), |band, _| {
            builder.push(&band);
            !signals::stop_requested()
        });
    block_on(bands)?;
    if signals::stop_requested() {
        bail!(NOTHING_WRITTEN);
    }
    Ok(builder.finish())
}

/// PSNR in dB of the trained pixels, and of those held out.
type Psnr = (f64, Option<f64>);

/// The run that a model is of, with a device that trains it.
struct Training {
    run: Resolved,
    picture: Arc<Picture>,
    backend: Box<dyn Backend>,
}

impl Training {
    /// The run that `opened` is the model of; why there is none, where there is none.
    fn open(path: &Path, network: &ModelFile, threads: usize) -> anyhow::Result<Result<Self, String>> {
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        let Some(folder) = folder.filter(|folder| folder.join("config.toml").is_file()) else {
            return Ok(Err(format!("{} is not in the folder of a run", path.display())));
        };
        let folder = RunFolder::look(folder)?;
        let mut config = Config::read(&folder.file("config.toml"))?.with_former_defaults();
        let threads = u16::try_from(threads).ok().filter(|&threads| threads > 0);
        config.device = DeviceConfig { threads, ..DeviceConfig::default() };
        let named = config.picture.file.clone().context("the run's config.toml names no picture")?;
        let file = folder.picture(&named);
        if !file.exists() {
            return Ok(Err(format!("the run's picture is not at {}", file.display())));
        }
        let (run, picture, _) = resolved(&config, picture::read(&file, config.reading())?)?;
        if run.model.layout() != network.model.layout() {
            return Ok(Err("its frequencies were trained, and are not trained again".to_owned()));
        }
        let opened =
            block_on(backend::open(&run.device, run.job(picture.clone()), || network.params.clone()))?;
        Ok(Ok(Self { run, picture, backend: opened.backend }))
    }

    fn measure(&mut self, params: &[f32]) -> anyhow::Result<Psnr> {
        let state = TrainingState::new(params.to_vec(), self.run.optimizer, &self.run.options.refinements);
        let backend = self.backend.as_mut();
        let evaluation = block_on(async {
            backend.set_state(&state).await?;
            Evaluation::measure(&self.run, &self.picture, backend, false, &signals::stop_requested).await
        })?;
        let evaluation = evaluation.ok_or(NOTHING_WRITTEN)?;
        Ok((evaluation.train.psnr(), evaluation.psnr_test()))
    }
}

/// What became of a model's weights.
struct Outcome {
    params: Vec<f32>,
    before: Psnr,
    rounded: Psnr,
    trained: Psnr,
}

/// Rounds the weights of a model to 8 bits, after training with rounded ones where its run is there.
pub(super) fn round_weights(args: &CompressArgs) -> anyhow::Result<ExitCode> {
    if !is_model(&args.input) {
        bail!(
            "--bits is for models: {} is none; give --bpp or --psnr for a picture",
            stdio::name_of(&args.input)
        );
    }
    let opened = model::open(&args.input, args.quiet)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}-8bit.safetensors", opened.name)));
    let to_stdout = stdio::is_dash(&out);
    if !to_stdout {
        model::check_output(&out, args.force, &[&opened.file])?;
    }
    let start = Instant::now();
    let mut network = opened.model.frozen();
    let psnr = network.metadata.get("psnr_train").and_then(|psnr| psnr.parse().ok());
    let outcome = match Training::open(&args.input, &network, args.threads)? {
        Ok(mut training) => Some(train(&mut training, (&network.params, psnr), args)?),
        Err(reason) => {
            if !args.quiet {
                eprint_line!(
                    "{reason}: its weights are rounded without training, and what that costs is not measured"
                );
            }
            None
        }
    };
    for key in ["psnr_train", "psnr_test"] {
        network.metadata.remove(key);
    }
    if let Some(Outcome { params, trained, .. }) = &outcome {
        network.params.clone_from(params);
        network.metadata.insert("psnr_train".to_owned(), trained.0.to_string());
        network.metadata.extend(trained.1.map(|psnr| ("psnr_test".to_owned(), psnr.to_string())));
    }
    let rounded = Rounded::new(network);
    if to_stdout {
        crate::output::written(rounded.write(&mut std::io::stdout().lock()));
        return Ok(ExitCode::SUCCESS);
    }
    rounded.save(&out)?;
    if !args.quiet {
        let bytes = std::fs::metadata(&out)?.len();
        let quality = outcome.map_or_else(String::new, |Outcome { before, rounded, trained, .. }| {
            let ([now, before, plain], seconds) =
                ([trained.0, before.0, rounded.0], start.elapsed().as_secs_f64());
            format!(", {now:.2} dB ({before:.2} before, {plain:.2} rounded without training)  {seconds:.0} s")
        });
        print_line!("{}  {} of {}{quality}", out.display(), count(bytes, "byte"), opened.file_bytes);
    }
    Ok(ExitCode::SUCCESS)
}

/// The better of the weights rounded as they are and after training.
fn train(
    training: &mut Training,
    (params, trained_psnr): (&[f32], Option<f64>),
    args: &CompressArgs,
) -> anyhow::Result<Outcome> {
    let mut plain = params.to_vec();
    round(&training.run.model, &mut plain);
    let (before, rounded) = (training.measure(params)?, training.measure(&plain)?);
    // Another picture under the name of the run's would be learned instead.
    if let Some(then) = trained_psnr.filter(|then| (then - before.0).abs() > SAME_PICTURE) {
        bail!(
            "the picture that config.toml names is not the one this network was trained on: it had {then:.2} dB and has {:.2}; \
             put that picture back, or give the model file alone, away from its run",
            before.0
        );
    }
    let steps = args.steps.unwrap_or(STEPS);
    let mut meter = Meter::new(args.quiet, Duration::from_secs(5));
    let mut watch = |step: u32| {
        let words = || format!("training rounded weights, {:.2} dB so far", rounded.0);
        meter.advance(step.into(), steps.into(), words);
        meter.line(false, || format!("step {step}/{steps}  {}", words()));
        !signals::stop_requested()
    };
    let mut found = params.to_vec();
    block_on(train_rounded(&training.run, training.backend.as_mut(), &mut found, steps, &mut watch))?;
    meter.close();
    if signals::stop_requested() {
        bail!(NOTHING_WRITTEN);
    }
    let trained = training.measure(&found)?;
    Ok(match trained.0 > rounded.0 {
        true => Outcome { params: found, before, rounded, trained },
        false => Outcome { params: plain, before, rounded, trained: rounded },
    })
}
