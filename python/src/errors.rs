//! The library's errors as Python's, with the same sentences.

use afterimage::backend::BackendError;
use afterimage::collect::CollectError;
use afterimage::config::ConfigError;
use afterimage::environment::EnvironmentError;
use afterimage::model_file::ModelFileError;
use afterimage::picture::PictureError;
use afterimage::render::RenderError;
use afterimage::run::RunError;
use afterimage::trainer::TrainError;
use afterimage::tune::TuneError;
use pyo3::PyErr;
use pyo3::exceptions::{
    PyFileNotFoundError, PyIsADirectoryError, PyOSError, PyPermissionError, PyRuntimeError, PyValueError,
};
use std::error::Error;
use std::io::{self, ErrorKind};

/// An error that Python has an exception for.
pub(crate) trait Raise: Error {
    /// The exception with the error's sentence, and its cause behind it.
    fn raise(&self) -> PyErr;

    /// The sentence.
    fn sentence(&self) -> String {
        match self.source() {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

pub(crate) fn raise<E: Raise>(error: E) -> PyErr {
    error.raise()
}

fn of_system(source: &io::Error, sentence: String) -> PyErr {
    match source.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(sentence),
        ErrorKind::PermissionDenied => PyPermissionError::new_err(sentence),
        ErrorKind::IsADirectory => PyIsADirectoryError::new_err(sentence),
        _ => PyOSError::new_err(sentence),
    }
}

impl Raise for ConfigError {
    fn raise(&self) -> PyErr {
        PyValueError::new_err(self.sentence())
    }
}

impl Raise for EnvironmentError {
    fn raise(&self) -> PyErr {
        PyValueError::new_err(self.sentence())
    }
}

impl Raise for BackendError {
    fn raise(&self) -> PyErr {
        PyRuntimeError::new_err(self.sentence())
    }
}

impl Raise for PictureError {
    fn raise(&self) -> PyErr {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => of_system(source, self.sentence()),
            _ => PyValueError::new_err(self.sentence()),
        }
    }
}

impl Raise for ModelFileError {
    fn raise(&self) -> PyErr {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => of_system(source, self.sentence()),
            Self::Invalid { .. } => PyValueError::new_err(self.sentence()),
        }
    }
}

impl Raise for TrainError {
    fn raise(&self) -> PyErr {
        PyRuntimeError::new_err(self.to_string())
    }
}

impl Raise for TuneError {
    fn raise(&self) -> PyErr {
        match self {
            Self::Config(error) => error.raise(),
            _ => PyRuntimeError::new_err(self.to_string()),
        }
    }
}

impl Raise for RenderError {
    fn raise(&self) -> PyErr {
        match self {
            Self::View(sentence) => PyValueError::new_err(sentence.clone()),
            Self::Picture(error) => error.raise(),
            Self::Backend(_) | Self::Stopped => PyRuntimeError::new_err(self.to_string()),
        }
    }
}

impl Raise for RunError {
    fn raise(&self) -> PyErr {
        match self {
            Self::Picture(error) => error.raise(),
            Self::Model(error) => error.raise(),
            Self::Folder { .. } | Self::InUse { .. } | Self::Write { .. } => {
                PyOSError::new_err(self.to_string())
            }
            _ => PyRuntimeError::new_err(self.to_string()),
        }
    }
}

impl Raise for CollectError {
    fn raise(&self) -> PyErr {
        match self {
            Self::Unusable(sentence) => PyValueError::new_err(sentence.clone()),
            Self::Config(error) => error.raise(),
            Self::Picture(error) => error.raise(),
            Self::Backend(error) => error.raise(),
            Self::Train(error) => error.raise(),
            Self::Run(error) => error.raise(),
            Self::File { source, .. } => of_system(source, self.sentence()),
            Self::Report(_) => PyRuntimeError::new_err(self.to_string()),
        }
    }
}
