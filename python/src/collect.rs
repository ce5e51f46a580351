//! `afterimage.collect` on this machine.

use crate::errors::{Raise, raise};
use crate::logging;
use crate::model::prepare_drivers;
use crate::settings;
use afterimage::collect::{Collection, Request, Row, Shard, Watch, run as train_all, sources};
use afterimage::compare::Share;
use afterimage::job::DeviceOptions;
use pyo3::exceptions::{PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ffi::CString;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How often Python is asked for signals, and a progress bar moves.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The number of pictures in a folder, a list or a tar archive.
#[pyfunction]
pub(crate) fn count_pictures(py: Python<'_>, pictures: PathBuf) -> PyResult<usize> {
    py.detach(|| sources(&pictures)).map(|all| all.len()).map_err(raise)
}

/// Makes or continues a collection, and returns how many of its pictures have no network.
#[pyfunction]
#[pyo3(signature = (pictures, out, preset=None, *, shard=None, crop=None, channels=None, seeds=None, per_file=None, backend="auto", progress=None, config=None, **settings))]
#[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
pub(crate) fn collect(
    py: Python<'_>,
    pictures: PathBuf,
    out: PathBuf,
    preset: Option<&str>,
    shard: Option<&str>,
    crop: Option<&Bound<'_, PyAny>>,
    channels: Option<&str>,
    seeds: Option<&str>,
    per_file: Option<u32>,
    backend: &str,
    progress: Option<&Bound<'_, PyAny>>,
    config: Option<PathBuf>,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<usize> {
    logging::pass_on();
    prepare_drivers(py)?;
    let config = settings::config(preset, config, settings, backend)?;
    for warning in config.warnings() {
        let warning = CString::new(warning.replace('\0', " ")).expect("there is no zero left");
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &warning, 1)?;
    }
    let crop = crop.map(|crop| Ok::<_, PyErr>(crop.str()?.to_string())).transpose()?;
    let mut request = Request {
        pictures,
        out,
        config,
        crop: parse("crop", crop.as_deref())?,
        channels: parse("channels", channels)?.unwrap_or_default(),
        seeds: parse("seeds", seeds)?.unwrap_or_default(),
        shard: parse("shard", shard)?.unwrap_or(Shard::WHOLE),
        per_file,
    };
    let bar = py.import("afterimage._progress")?.call_method1("maker", (progress, " networks"))?;
    let bar = (!bar.is_none()).then(|| bar.unbind());
    py.detach(|| {
        let options = DeviceOptions::from_env().map_err(raise)?;
        let gpu = request.choose_device();
        let collection = Collection::open(request).map_err(raise)?;
        run(collection, gpu, &options, bar)
    })
}

fn parse<T: FromStr<Err = String>>(name: &str, text: Option<&str>) -> PyResult<Option<T>> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|why| PyValueError::new_err(format!("{name}: {why}")))
}

/// What the workers say and ask.
#[derive(Default)]
struct Shared {
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Watch for Shared {
    fn done(&self, row: &Row) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = &row.error {
            log::warn!("{} is left out: {error}", row.picture);
        }
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Trains in other threads, since only this one is told of Ctrl-C.
fn run(
    mut collection: Collection,
    gpu: bool,
    options: &DeviceOptions,
    bar: Option<Py<PyAny>>,
) -> PyResult<usize> {
    let share = Share::on_this_machine(collection.n_pending(), None, &collection.config, gpu);
    let shared = Shared::default();
    let n = collection.n_pending();
    let bar = bar.map(|make| Python::attach(|py| make.call1(py, (n,)))).transpose()?;
    let (trained, raised) = std::thread::scope(|scope| {
        let work = scope.spawn(|| train_all(&mut collection, share, options, &shared));
        let (mut shown, mut raised) = (0, None);
        loop {
            let is_last = work.is_finished();
            let done = shared.done.load(Ordering::Relaxed);
            let look = |py: Python<'_>| -> PyResult<()> {
                py.check_signals()?;
                if let Some(bar) = bar.as_ref().filter(|_| done > shown) {
                    bar.call_method1(py, "update", (done - shown,))?;
                }
                Ok(())
            };
            if let Err(error) = Python::attach(look) {
                shared.stop.store(true, Ordering::Relaxed);
                raised.get_or_insert(error);
            }
            shown = done;
            if is_last {
                break (work.join().expect("no worker panicked"), raised);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    });
    if let Some(bar) = bar {
        Python::attach(|py| bar.call_method0(py, "close"))?;
    }
    if let Some(error) = raised {
        return Err(error);
    }
    trained.map_err(|error| error.raise())?;
    Ok(collection.rows().iter().filter(|row| row.error.is_some()).count())
}
