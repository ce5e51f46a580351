//! NumPy arrays of a picture's values.

use afterimage::model_file::ModelFile;
use afterimage::picture::{Depth, Picture, Pixels};
use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The type of an array's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    U8,
    U16,
    F32,
}

/// Metadata key of models of arrays of floats, which are trained on in 16 bits unless they are linear light.
pub(crate) const FLOATS: &str = "array";

impl Dtype {
    /// What `dtype` says, a name, a NumPy type or a `numpy.dtype`; that of the picture of `model` if it is not given.
    pub(crate) fn of(dtype: Option<&Bound<'_, PyAny>>, model: &ModelFile) -> PyResult<Self> {
        let Some(dtype) = dtype else { return Ok(Self::of_picture(model)) };
        let name = dtype.py().import("numpy")?.call_method1("dtype", (dtype,))?.getattr("name")?;
        let allowed = match model.depth {
            Depth::F32 => "a network of linear light gives float32",
            _ => "give uint8, uint16 or float32",
        };
        match (name.extract::<String>()?.as_str(), model.depth) {
            ("float32", _) => Ok(Self::F32),
            ("uint8", Depth::U8 | Depth::U16) => Ok(Self::U8),
            ("uint16", Depth::U8 | Depth::U16) => Ok(Self::U16),
            (other, _) => Err(PyValueError::new_err(format!("dtype is {other}: {allowed}"))),
        }
    }

    /// Bytes of a value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }

    fn of_picture(model: &ModelFile) -> Self {
        match model.depth {
            Depth::F32 => Self::F32,
            _ if model.metadata.contains_key(FLOATS) => Self::F32,
            Depth::U8 => Self::U8,
            Depth::U16 => Self::U16,
        }
    }
}

/// Shape (height, width, channels), or (height, width) for a single channel. The values are not copied.
fn shaped<'py, T: Element>(
    py: Python<'py>,
    values: Vec<T>,
    (height, width, channels): (u32, u32, usize),
) -> PyResult<Bound<'py, PyAny>> {
    let array = PyArray1::from_vec(py, values);
    let (height, width) = (height as usize, width as usize);
    Ok(match channels {
        1 => array.reshape([height, width])?.into_any(),
        _ => array.reshape([height, width, channels])?.into_any(),
    })
}

/// `picture` as an array of its own type.
pub(crate) fn array_of(py: Python<'_>, picture: Picture) -> PyResult<Bound<'_, PyAny>> {
    let shape = (picture.height, picture.width, picture.channels);
    match picture.pixels {
        Pixels::U8(values) => shaped(py, values, shape),
        Pixels::U16(values) => shaped(py, values, shape),
        Pixels::F32(values) => shaped(py, values, shape),
    }
}
