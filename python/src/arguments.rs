//! What the methods of a model take.

use afterimage::backend::free_memory;
use afterimage::render::Size;
use numpy::{PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;

/// Width and height, of which one that is not given follows from the model's shape.
pub(crate) fn size(height: Option<u32>, width: Option<u32>, own: Size) -> PyResult<Size> {
    let other = |side: u32, own: u32, of_other: u32| {
        ((f64::from(side) * f64::from(of_other) / f64::from(own)).round() as u32).max(1)
    };
    let (height, width) = match (height, width) {
        (Some(height), Some(width)) => (height, width),
        (Some(height), None) => (height, other(height, own.height, own.width)),
        (None, Some(width)) => (other(width, own.width, own.height), width),
        (None, None) => (own.height, own.width),
    };
    if height == 0 || width == 0 {
        let sentence = format!("height is {height} and width {width}: give numbers from 1 on");
        return Err(PyValueError::new_err(sentence));
    }
    Ok(Size { width, height })
}

/// Positions in an array of shape (n, 2).
pub(crate) fn positions<T: numpy::Element + Copy>(
    coords: &Bound<'_, PyAny>,
    dtype: &str,
) -> PyResult<Vec<[T; 2]>> {
    let numpy = coords.py().import("numpy")?;
    let array = numpy.call_method1("ascontiguousarray", (coords, dtype))?;
    let array: PyReadonlyArray2<'_, T> = array.extract().map_err(|_| wrong_shape(&array))?;
    if array.shape()[1] != 2 {
        return Err(wrong_shape(array.as_any()));
    }
    Ok(array.as_slice()?.as_chunks().0.to_vec())
}

fn wrong_shape(array: &Bound<'_, PyAny>) -> PyErr {
    let shape = array.getattr("shape").map(|shape| shape.to_string()).unwrap_or_default();
    PyValueError::new_err(format!("coordinates have shape {shape}: give (n, 2), x and y of each"))
}

/// Refuses what takes more memory than there is, before it is allocated.
pub(crate) fn check_memory(size: Size, bytes_per_pixel: usize) -> PyResult<()> {
    let needed = u64::from(size.width) * u64::from(size.height) * bytes_per_pixel as u64;
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    match free_memory() {
        Some(free) if needed > free => Err(PyMemoryError::new_err(format!(
            "{size} pixels need {:.1} GiB of memory and {:.1} GiB are free: give a crop, or let `afterimage render` write a file row by row",
            gib(needed),
            gib(free)
        ))),
        _ => Ok(()),
    }
}
