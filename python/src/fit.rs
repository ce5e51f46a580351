//! `afterimage.fit`.

use crate::errors::{Raise, raise};
use crate::logging;
use crate::model::{Model, prepare_drivers};
use crate::observer::{Hooks, Watcher};
use crate::pictures::{Source, absolute};
use crate::settings;
use crate::values::FLOATS;
use afterimage::backend::BackendInfo;
use afterimage::block_on;
use afterimage::config::{Config, mask_as_meant};
use afterimage::job::{DeviceOptions, DeviceRequest};
use afterimage::picture::{Loaded, Picture, Reading};
use afterimage::run::{Fit, Fitted};
use afterimage::trainer::EpochSummary;
use afterimage::tune::choose_scale;
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ffi::CString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Trains a network on a picture.
///
/// image: a path; an array (height, width) or (height, width, channels) of uint8, uint16 or floats from 0 to 1, or what
///     becomes one; or Pillow's picture.
/// preset: one of `presets()`; `config` is a TOML file instead, such as that of an earlier run. Settings win.
/// mask: a picture of the same shape, white (or True) where the network is trained.
/// backend: where to train: "auto", "cpu" or "gpu".
/// callback: called before the first epoch and after each; training stops if it returns False.
/// seconds: trains about this long: as many epochs as fit, found out by a short trial.
/// progress: whether to show a progress bar, by default where someone may watch; or what is called like tqdm.
/// linear: floats are in linear light, of any range.
/// settings: any of `settings()`, as options of `afterimage train` with underscores.
///
/// Ctrl-C stops training and raises KeyboardInterrupt, whose attribute `model` has the network so far.
#[pyfunction]
#[pyo3(signature = (image, preset=None, *, mask=None, backend="auto", callback=None, seconds=None, progress=None, config=None, linear=false, **settings))]
#[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
pub(crate) fn fit(
    image: &Bound<'_, PyAny>,
    preset: Option<&str>,
    mask: Option<&Bound<'_, PyAny>>,
    backend: &str,
    callback: Option<Py<PyAny>>,
    seconds: Option<f64>,
    progress: Option<&Bound<'_, PyAny>>,
    config: Option<PathBuf>,
    linear: bool,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<Model> {
    let py = image.py();
    logging::pass_on();
    prepare_drivers(py)?;
    let start = Instant::now();
    let mut config = settings::config(preset, config, settings, backend)?;
    let budget = seconds.map(|seconds| budget(seconds, settings)).transpose()?;
    let source = Source::of(image, linear)?;
    if let Source::Path(path) = &source {
        config.picture.file = Some(absolute(path)?);
    }
    let mask = mask.map(|mask| Source::of(mask, false)).transpose()?;
    let mask = match mask {
        Some(Source::Path(path)) => {
            config.picture.mask = Some(absolute(&path)?);
            None
        }
        mask => mask,
    };
    config.check().map_err(raise)?;
    for warning in config.warnings() {
        warn::<PyUserWarning>(py, &warning)?;
    }
    let helper = py.import("afterimage._progress")?.call_method1("maker", (progress,))?;
    let progress = (!helper.is_none()).then(|| helper.unbind());
    let hooks = Hooks { callback, progress, deadline: budget.map(|budget| start + budget) };
    let ended = py.detach(|| run(config, source, mask, hooks, (start, budget)))?;
    ended.into_model(py)
}

/// The time for training.
fn budget(seconds: f64, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Duration> {
    for other in ["epochs", "effort"] {
        let given = settings.map(|given| given.get_item(other)).transpose()?.flatten();
        if given.is_some_and(|given| !given.is_none()) {
            let sentence = format!("seconds chooses the number of epochs: leave out {other}");
            return Err(PyValueError::new_err(sentence));
        }
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(budget) if !budget.is_zero() => Ok(budget),
        _ => Err(PyValueError::new_err(format!("seconds is {seconds}: give a number above 0"))),
    }
}

fn warn<W: pyo3::PyTypeInfo>(py: Python<'_>, sentence: &str) -> PyResult<()> {
    let sentence = CString::new(sentence.replace('\0', " ")).expect("there is no zero left");
    PyErr::warn(py, &py.get_type::<W>(), &sentence, 1)
}

/// A run that has ended.
struct Ended {
    fitted: Fitted,
    picture: Arc<Picture>,
    rows: Vec<EpochSummary>,
    notes: Vec<String>,
    request: DeviceRequest,
    device: BackendInfo,
    /// The exception that ended it.
    raised: Option<PyErr>,
}

/// Reads, prepares and trains, without the interpreter's lock.
fn run(
    mut config: Config,
    source: Source,
    mask: Option<Source>,
    hooks: Hooks,
    (start, budget): (Instant, Option<Duration>),
) -> PyResult<Ended> {
    let floats = matches!(source, Source::Array(_, true));
    let loaded = source.load(config.reading()).map_err(raise)?;
    let Loaded { picture, mut notes, profile } = config.prepare(loaded).map_err(raise)?;
    let picture = Arc::new(picture);
    let mask = read_mask(&config, mask, &mut notes)?;
    let options = DeviceOptions::from_env().map_err(raise)?;
    let mut watcher = Watcher::new(hooks);
    if let Some(scale) = config.open_scale() {
        let device = config.device.request().with(&options);
        let pictures = (&picture, mask.as_ref());
        match block_on(choose_scale(scale, &config, pictures, &device, &mut &watcher)) {
            Ok(chosen) => scale.set(&mut config, Some(chosen.value)),
            Err(error) => return Err(watcher.end().1.unwrap_or_else(|| error.raise())),
        }
    }
    let resolve = |config: &Config| -> PyResult<_> {
        let run = config.resolve(&picture, mask.as_ref()).map_err(raise)?;
        Ok(run.on(&options).with_profile(profile.clone()))
    };
    let mut run = resolve(&config)?;
    notes.extend(run.range_note(&picture));
    let mut fit = Fit::start(run.clone(), Arc::clone(&picture)).map_err(raise)?;
    if let Some(budget) = budget {
        let left = budget.saturating_sub(start.elapsed()).as_secs_f64();
        config.training.epochs = Some(fit.epochs_within(left).map_err(raise)?);
        config.training.effort = None;
        run = resolve(&config)?;
        fit.set_run(run.clone()).map_err(raise)?;
    }
    notes.extend(fit.note.take());
    watcher.begin(run.epochs.saturating_mul(run.steps_per_epoch().into()))?;
    let trained = fit.train(&mut watcher);
    let (rows, raised) = watcher.end();
    let (mut fitted, raised) = match (trained, raised) {
        (Ok(fitted), raised) => (fitted, raised),
        (Err(error), raised) => return Err(raised.unwrap_or_else(|| error.raise())),
    };
    if floats {
        fitted.model.metadata.insert(FLOATS.to_owned(), "float32".to_owned());
    }
    Ok(Ended { fitted, picture, rows, notes, request: run.device, device: fit.device().clone(), raised })
}

/// The mask that is given, or the one that `config` names.
fn read_mask(config: &Config, given: Option<Source>, notes: &mut Vec<String>) -> PyResult<Option<Picture>> {
    let Some(given) = given else {
        return Ok(config.read_mask().map_err(raise)?.map(|mask| {
            notes.extend(mask.notes);
            mask.picture
        }));
    };
    let (mask, note) = mask_as_meant(given.load(Reading::default()).map_err(raise)?.picture);
    notes.extend(note.map(|what| format!("the mask {what}")));
    Ok(Some(mask))
}

impl Ended {
    /// The model, or the exception that ended the run, which has the model as its attribute `model`.
    fn into_model(self, py: Python<'_>) -> PyResult<Model> {
        let Self { fitted, picture, rows, notes, request, device, raised } = self;
        let Fitted { outcome, evaluation, failure, diverged, model } = fitted;
        let failure = failure.map(|failure| failure.to_string());
        let lost = evaluation.highlights.lost();
        let model = Model {
            file: model,
            complete: outcome.complete,
            history: rows,
            picture: Some(picture),
            notes,
            device: Some(format!("{} {}", device.device, device.api).trim().to_owned()),
            // A GPU is found again as it was found.
            backend: if device.backend == "cpu" { device.backend } else { request.backend.to_string() },
            adapter: request.adapter,
            failure: failure.clone(),
        };
        let raised = raised.or_else(|| diverged.map(|error| PyRuntimeError::new_err(error.to_string())));
        if let Some(raised) = raised {
            raised.value(py).setattr("model", model)?;
            return Err(raised);
        }
        if !outcome.complete && outcome.step == 0 {
            let sentence = "training was stopped before its first step, so the network is untrained";
            warn::<PyRuntimeWarning>(py, sentence)?;
        }
        if let Some(failure) = failure {
            warn::<PyRuntimeWarning>(py, &failure)?;
        }
        if let Some(kept) = lost {
            let share = 100.0 * kept;
            let sentence = format!(
                "the brightest pixels keep {share:.1} % of their light: train longer, or with the default hash grid"
            );
            warn::<PyRuntimeWarning>(py, &sentence)?;
        }
        Ok(model)
    }
}
