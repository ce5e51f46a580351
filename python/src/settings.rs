//! Keyword arguments as a configuration.

use crate::errors::raise;
use afterimage::config::{Config, Preset, Value};
use afterimage::names::Named;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use std::path::PathBuf;

/// The names of all settings that `fit` takes.
#[pyfunction]
pub(crate) fn settings() -> Vec<&'static str> {
    Config::setting_names().into_iter().filter(|name| *name != FILE).collect()
}

/// The names of all presets.
#[pyfunction]
pub(crate) fn presets() -> Vec<&'static str> {
    Preset::ALL.iter().map(|preset| preset.name()).collect()
}

/// The picture's file, which is not given as a setting.
const FILE: &str = "file";

/// Encodings side by side, of which one need not be a list.
const ALSO: &str = "also";

/// The settings `given` by name, and for the others those of a preset or a configuration's file.
pub(crate) fn config(
    preset: Option<&str>,
    file: Option<PathBuf>,
    given: Option<&Bound<'_, PyDict>>,
    backend: &str,
) -> PyResult<Config> {
    let base = match (preset, file) {
        (Some(_), Some(_)) => {
            let sentence = "preset and config are both given: give one of the two";
            return Err(PyValueError::new_err(sentence));
        }
        (Some(name), None) => {
            let preset: Result<Preset, _> = name.parse();
            preset.map_err(|why| PyValueError::new_err(format!("preset: {why}")))?.config()
        }
        (None, Some(path)) => Config::read(&path).map_err(raise)?,
        (None, None) => Config::default(),
    };
    let mut values = vec![("backend".to_owned(), Value::from(backend))];
    for (name, value) in given.into_iter().flatten() {
        let name: String = name.extract()?;
        if name == FILE {
            return Err(PyValueError::new_err(
                "file is no setting here: fit's first argument is the picture",
            ));
        }
        // As everywhere in Python, None is as if it was not given.
        if !value.is_none() {
            let value = match (name.as_str(), value_of(&name, &value)?) {
                (ALSO, Value::String(names)) => names.split(',').collect::<Vec<_>>().into(),
                (_, value) => value,
            };
            values.push((name, value));
        }
    }
    Ok(Config::from_settings(values).map_err(raise)?.or(base))
}

/// A Python value as TOML has it.
fn value_of(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::from(text.to_cow()?.as_ref()));
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Value::from(truth.is_true()));
    }
    // NumPy's numbers are not Python's, but become them.
    if value.is_instance_of::<PyInt>() || value.hasattr("__index__")? {
        let number: i64 = value
            .extract()
            .map_err(|_| PyValueError::new_err(format!("{name} is {value}: give a number below 2^63")))?;
        return Ok(Value::from(number));
    }
    if value.is_instance_of::<PyFloat>() || (value.hasattr("__float__")? && !value.hasattr("__len__")?) {
        return Ok(Value::from(value.extract::<f64>()?));
    }
    if value.hasattr("__fspath__")? {
        return Ok(Value::from(value.call_method0("__fspath__")?.extract::<String>()?));
    }
    if let Ok(items) = value.try_iter() {
        let items = items.map(|item| value_of(name, &item?));
        return Ok(Value::Array(items.collect::<PyResult<_>>()?));
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("{name} is a {kind}: give a number, a text or a list of them")))
}
