//! Pictures from Python: paths, arrays, and what Pillow holds.

use crate::errors::raise;
use afterimage::picture::{self, Depth, Loaded, Picture, PictureBuilder, PictureError, Pixels, Reading};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::path::{Path, PathBuf};

/// A picture that is not yet read.
pub(crate) enum Source {
    /// A file.
    Path(PathBuf),
    /// The bytes of one.
    Bytes(Vec<u8>),
    /// An array's values, and whether they were floats of 0 to 1.
    Array(Picture, bool),
}

impl Source {
    /// What `image` is: a path, an array or anything that becomes one, or Pillow's picture. Floats are in linear light if
    /// `linear`, and otherwise 0 to 1 as a screen shows them.
    pub(crate) fn of(image: &Bound<'_, PyAny>, linear: bool) -> PyResult<Self> {
        let helper = image.py().import("afterimage._inputs")?;
        let (kind, value): (String, Bound<'_, PyAny>) = helper.call_method1("source", (image,))?.extract()?;
        match kind.as_str() {
            "path" => Ok(Self::Path(value.extract()?)),
            "bytes" => Ok(Self::Bytes(value.extract()?)),
            _ => {
                let (picture, floats) = from_array(&value, linear)?;
                Ok(Self::Array(picture, floats))
            }
        }
    }

    /// Reads it.
    pub(crate) fn load(self, reading: Reading) -> Result<Loaded, PictureError> {
        match self {
            Self::Path(path) => picture::read(&path, reading),
            Self::Bytes(bytes) => picture::load::parse(&bytes, Path::new("the picture"), reading),
            Self::Array(picture, _) => Ok(Loaded { picture, notes: Vec::new(), profile: None }),
        }
    }
}

/// A path, absolute so that it means the same later.
pub(crate) fn absolute(path: &Path) -> PyResult<PathBuf> {
    let absolute = std::path::absolute(path)?;
    match absolute.to_str() {
        Some(_) => Ok(absolute),
        None => {
            let sentence = format!("the path {} is not UTF-8; rename it", absolute.display());
            Err(PyValueError::new_err(sentence))
        }
    }
}

/// The picture in an array, and whether it had floats of 0 to 1.
fn from_array(array: &Bound<'_, PyAny>, linear: bool) -> PyResult<(Picture, bool)> {
    let untyped = array.cast::<PyUntypedArray>()?;
    let shape = shape_of(untyped.shape())?;
    let picture = |pixels| Picture { width: shape.0, height: shape.1, channels: shape.2, pixels };
    let of_floats = |values: Vec<f32>| match linear {
        true => in_light(values, shape),
        false => encoded(&values, shape),
    };
    let name: String = untyped.dtype().getattr("name")?.extract()?;
    match name.as_str() {
        "bool" => {
            let values = copied::<bool>(array)?.into_iter().map(|v| if v { u8::MAX } else { 0 });
            Ok((picture(Pixels::U8(values.collect())), false))
        }
        "uint8" => Ok((picture(Pixels::U8(copied(array)?)), false)),
        "uint16" => Ok((picture(Pixels::U16(copied(array)?)), false)),
        "float32" => Ok((of_floats(copied(array)?)?, !linear)),
        "float64" => {
            let values = copied::<f64>(array)?.into_iter().map(|v| v as f32).collect();
            Ok((of_floats(values)?, !linear))
        }
        other => Err(PyTypeError::new_err(format!(
            "an array of {other} is no picture: give uint8, uint16, or floats from 0 to 1"
        ))),
    }
}

/// Width, height and channels of an array.
fn shape_of(shape: &[usize]) -> PyResult<(u32, u32, usize)> {
    let (height, width, channels) = match *shape {
        [height, width] => (height, width, 1),
        [height, width, channels] => (height, width, channels),
        _ => (0, 0, 0),
    };
    let sides = (u32::try_from(width), u32::try_from(height));
    match (sides, channels) {
        ((Ok(width @ 1..), Ok(height @ 1..)), 1..=4) => Ok((width, height, channels)),
        _ => {
            let swapped = matches!(*shape, [1..=4, _, _]);
            let hint = if swapped { "; channels come last here: numpy.moveaxis(image, 0, -1)" } else { "" };
            Err(PyValueError::new_err(format!(
                "an array of shape {shape:?} is no picture: give (height, width) or (height, width, channels), with 1 to 4 channels{hint}"
            )))
        }
    }
}

/// The values of an array that is stored row by row.
fn copied<T: Element>(array: &Bound<'_, PyAny>) -> PyResult<Vec<T>> {
    Ok(array.cast::<PyArrayDyn<T>>()?.to_vec()?)
}

/// Values in linear light.
fn in_light(values: Vec<f32>, (width, height, channels): (u32, u32, usize)) -> PyResult<Picture> {
    let picture = Picture { width, height, channels, pixels: Pixels::F32(values) };
    picture::load::refuse_non_finite(Path::new("the array"), &picture).map_err(raise)?;
    Ok(picture)
}

/// Values from 0 to 1 as a screen shows them, in 16 bits.
fn encoded(values: &[f32], (width, height, channels): (u32, u32, usize)) -> PyResult<Picture> {
    // What rounds to 0 or 1 in 16 bits is no more than an error of rounding.
    const SLACK: f32 = 0.5 / 65535.0;
    if let Some(value) = values.iter().find(|v| !(-SLACK..=1.0 + SLACK).contains(*v)) {
        return Err(PyValueError::new_err(format!(
            "the array has the value {value}: give floats from 0 to 1, or linear=True for linear light of any range"
        )));
    }
    let mut builder = PictureBuilder::new(width, height, channels, Depth::U16);
    builder.push(values);
    Ok(builder.finish())
}
