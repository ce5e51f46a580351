//! Models in files, and as Python pickles them.

use crate::errors::raise;
use crate::model::Model;
use afterimage::model_file::ModelFile;
use afterimage::run;
use afterimage::trainer::EpochSummary;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::{Path, PathBuf};

/// What a pickled model consists of.
pub(crate) type Parts<'py> =
    (Bound<'py, PyBytes>, Vec<Row>, String, (bool, Vec<String>, Option<String>, Option<String>));

/// An epoch's summary as a tuple.
pub(crate) type Row = (u64, u64, f64, f64, Option<f64>, Option<f64>, Option<f64>);

pub(crate) fn row_of(row: &EpochSummary) -> Row {
    let EpochSummary { epoch, step, seconds, lr, loss, psnr_train, psnr_test } = *row;
    (epoch, step, seconds, lr, loss, psnr_train, psnr_test)
}

fn summary((epoch, step, seconds, lr, loss, psnr_train, psnr_test): Row) -> EpochSummary {
    EpochSummary { epoch, step, seconds, lr, loss, psnr_train, psnr_test }
}

/// A model from what was pickled.
#[pyfunction]
pub(crate) fn restore(
    bytes: &[u8],
    rows: Vec<Row>,
    backend: String,
    rest: (bool, Vec<String>, Option<String>, Option<String>),
) -> PyResult<Model> {
    let (complete, notes, device, failure) = rest;
    let file = ModelFile::parse(bytes)
        .map_err(|why| PyValueError::new_err(format!("what was pickled is no model: {why}")))?;
    let history = rows.into_iter().map(summary).collect();
    Ok(Model { file, complete, history, picture: None, notes, device, backend, adapter: None, failure })
}

/// Reads a model file, the folder of a run, or a checkpoint in it.
#[pyfunction]
#[pyo3(signature = (path, *, backend="auto"))]
pub(crate) fn load(py: Python<'_>, path: PathBuf, backend: &str) -> PyResult<Model> {
    let (file, history) = py.detach(|| read(&path))?;
    let model = Model {
        file,
        complete: true,
        history,
        picture: None,
        notes: Vec::new(),
        device: None,
        backend: backend.to_owned(),
        adapter: None,
        failure: None,
    };
    // Says now that there is no such backend.
    model.request(py, None).map(|_| model)
}

fn read(path: &Path) -> PyResult<(ModelFile, Vec<EpochSummary>)> {
    let in_run = path.join("model.safetensors");
    if run::is_checkpoint(path) {
        let (file, _) = run::model_of_checkpoint(path).map_err(raise)?;
        return Ok((file, Vec::new()));
    }
    if !path.is_dir() {
        return Ok((ModelFile::load(path).map_err(raise)?, Vec::new()));
    }
    let (file, done) = match in_run.is_file() {
        true => (ModelFile::load(&in_run).map_err(raise)?, u64::MAX),
        false => run::model_at_checkpoint(path).map_err(raise)?,
    };
    Ok((file, run::read_metrics(&path.join("metrics.csv"), done)))
}
