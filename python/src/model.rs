//! A trained network.

use crate::arguments::{check_memory, positions, size};
use crate::errors::raise;
use crate::files::{Parts, row_of};
use crate::measure::{measured, prepared, ssim_of};
use crate::pictures::Source;
use crate::values::{Dtype, array_of};
use afterimage::backend::cpu::{CpuDerivative, CpuPredictor};
use afterimage::backend::open_predictor;
use afterimage::block_on;
use afterimage::job::{BackendChoice, DeviceOptions, DeviceRequest, Precision};
use afterimage::model::PixelFilter;
use afterimage::model_file::ModelFile;
use afterimage::picture::{Depth, Packing, Picture, PictureBuilder, write_png};
use afterimage::render::{Crop, Measurement, RenderError, Samples, Size, View, for_each_band};
use afterimage::report::curves::{CurvePoint, Series, psnr_svg};
use afterimage::trainer::EpochSummary;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A trained network: a function from positions to colours.
#[pyclass(frozen, module = "afterimage")]
pub(crate) struct Model {
    pub(crate) file: ModelFile,
    /// Whether every epoch was trained.
    pub(crate) complete: bool,
    pub(crate) history: Vec<EpochSummary>,
    /// The picture it was trained on; not saved.
    pub(crate) picture: Option<Arc<Picture>>,
    pub(crate) notes: Vec<String>,
    pub(crate) device: Option<String>,
    /// Where pictures are computed.
    pub(crate) backend: String,
    /// The GPU that was named; of this machine, so it is not saved.
    pub(crate) adapter: Option<String>,
    pub(crate) failure: Option<String>,
}

/// Before a device is opened.
pub(crate) fn prepare_drivers(py: Python<'_>) -> PyResult<()> {
    py.import("afterimage._environment")?.call_method0("prepare").map(|_| ())
}

/// A device's work stopped by an exception, or failed.
enum Stopped {
    Raised(PyErr),
    Failed(RenderError),
}

impl From<Stopped> for PyErr {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Raised(error) => error,
            Stopped::Failed(error) => raise(error),
        }
    }
}

/// Runs `work` without the interpreter's lock; what it is given says whether to go on, which Ctrl-C denies.
fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut dyn FnMut(u64) -> bool) -> Result<T, RenderError> + Send,
) -> PyResult<T> {
    let done = py.detach(|| {
        let mut raised = None;
        let mut go_on = |_| {
            raised = Python::attach(|py| py.check_signals()).err();
            raised.is_none()
        };
        let done = work(&mut go_on);
        match raised {
            Some(error) => Err(Stopped::Raised(error)),
            None => done.map_err(Stopped::Failed),
        }
    });
    Ok(done?)
}

impl Model {
    pub(crate) fn request(&self, py: Python<'_>, backend: Option<&str>) -> PyResult<DeviceRequest> {
        prepare_drivers(py)?;
        // Another backend has other adapters.
        let adapter = self.adapter.clone().filter(|_| backend.is_none());
        let name = backend.unwrap_or(&self.backend);
        let backend: Result<BackendChoice, String> = name.parse();
        let backend = backend.map_err(|why| PyValueError::new_err(format!("backend: {why}")))?;
        let options = DeviceOptions::from_env().map_err(raise)?;
        // As the command does, so that pictures are the same.
        Ok(DeviceRequest { backend, adapter, threads: 0, precision: Precision::F32, options })
    }

    /// The picture in `view`, as `dtype` has it.
    fn picture_of(
        &self,
        view: &View,
        dtype: Dtype,
        request: &DeviceRequest,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Picture, RenderError> {
        let file = &self.file;
        let (channels, grid) = (file.channels(), file.grid(view));
        let params = file.params_for(view, PixelFilter::Box);
        let mut device = block_on(open_predictor(request, &file.model, &params))?;
        let depth = match dtype {
            Dtype::U8 => Depth::U8,
            Dtype::U16 => Depth::U16,
            Dtype::F32 => Depth::F32,
        };
        let Size { width, height } = view.size();
        let mut builder = PictureBuilder::new(width, height, channels, depth);
        let clamps = file.depth != Depth::F32;
        let mut stopped = false;
        let bands = for_each_band(
            device.predictor.as_mut(),
            (&grid, file.transfer),
            (channels, file.depth),
            |mut band, done| {
                if clamps {
                    band.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
                }
                builder.push(&band);
                stopped = !go_on(done);
                !stopped
            },
        );
        block_on(bands)?;
        if stopped { Err(RenderError::Stopped) } else { Ok(builder.finish()) }
    }

    fn measured_on(
        &self,
        py: Python<'_>,
        image: Option<&Bound<'_, PyAny>>,
        backend: Option<&str>,
    ) -> PyResult<(Measurement, Arc<Picture>)> {
        let picture = match (image, &self.picture) {
            (Some(image), _) => {
                let source = Source::of(image, self.file.depth == Depth::F32)?;
                Arc::new(py.detach(|| prepared(source, &self.file))?)
            }
            (None, Some(picture)) => Arc::clone(picture),
            (None, None) => {
                let sentence = "a model that was loaded has no picture to compare with: give it";
                return Err(PyValueError::new_err(sentence));
            }
        };
        let request = self.request(py, backend)?;
        let measured = interruptible(py, |go_on| measured(&self.file, &picture, &request, go_on))?;
        Ok((measured, picture))
    }
}

#[pymethods]
impl Model {
    /// The network's picture, of any size.
    #[pyo3(signature = (height=None, width=None, crop=None, *, dtype=None, backend=None))]
    fn render<'py>(
        &self,
        py: Python<'py>,
        height: Option<u32>,
        width: Option<u32>,
        crop: Option<(u32, u32, u32, u32)>,
        dtype: Option<&Bound<'py, PyAny>>,
        backend: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let whole = size(height, width, self.file.size())?;
        let crop = match crop {
            Some((_, _, 0, _) | (_, _, _, 0)) => {
                let sentence = "a crop is (x, y, width, height), width and height at least 1";
                return Err(PyValueError::new_err(sentence));
            }
            Some((x, y, width, height)) => Some(Crop { x, y, size: Size { width, height } }),
            None => None,
        };
        let view = View::new(whole, crop, Samples::Auto).map_err(raise)?;
        let dtype = Dtype::of(dtype, &self.file)?;
        check_memory(view.size(), dtype.size() * self.file.channels())?;
        let request = self.request(py, backend)?;
        let picture = interruptible(py, |go_on| self.picture_of(&view, dtype, &request, go_on))?;
        array_of(py, picture)
    }

    /// Positions of the pixels of a picture of this size, (height * width, 2).
    #[pyo3(signature = (height=None, width=None))]
    fn coords<'py>(
        &self,
        py: Python<'py>,
        height: Option<u32>,
        width: Option<u32>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let whole = size(height, width, self.file.size())?;
        let view = View::new(whole, None, Samples::PerSide(1)).map_err(raise)?;
        check_memory(whole, size_of::<[f32; 2]>())?;
        let points = self.file.grid(&view).points;
        let values: Vec<f32> = (0..points.n_pixels()).flat_map(|pixel| points.position_of(pixel)).collect();
        PyArray1::from_vec(py, values).reshape([points.n_pixels() as usize, 2])
    }

    /// The network's values at positions (n, 2): (n, channels).
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        coords: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let coords: Vec<[f32; 2]> = positions(coords, "float32")?;
        let channels = self.file.channels();
        let values = py.detach(|| {
            let mut values = vec![0.0; coords.len() * channels];
            let mut network = CpuPredictor::<f32>::new(self.file.model.clone(), &self.file.params, 0)?;
            network.predict_at(&coords, &mut values);
            self.file.transfer.decode_pixels(&mut values, channels);
            Ok(values)
        });
        let values: Vec<f32> = values.map_err(raise::<afterimage::backend::BackendError>)?;
        PyArray1::from_vec(py, values).reshape([coords.len(), channels])
    }

    /// The derivatives of each channel by x and by y at positions (n, 2): (n, channels, 2).
    fn gradient<'py>(
        &self,
        py: Python<'py>,
        coords: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray3<f64>>> {
        let coords: Vec<[f64; 2]> = positions(coords, "float64")?;
        let channels = self.file.channels();
        let by = py.detach(|| {
            let n = coords.len() * channels;
            let (mut values, mut by) = (vec![0.0; n], vec![[0.0; 2]; n]);
            let network = CpuDerivative::new(self.file.model.clone(), &self.file.params, 0)?;
            network.at(&coords, &mut values, &mut by);
            self.file.transfer.decode_derivatives(&values, &mut by, channels);
            Ok(by.into_flattened())
        });
        let by: Vec<f64> = by.map_err(raise::<afterimage::backend::BackendError>)?;
        PyArray1::from_vec(py, by).reshape([coords.len(), channels, 2])
    }

    /// PSNR in dB against a picture; without one, that of the training pixels at the end.
    #[pyo3(signature = (image=None, *, backend=None))]
    fn psnr(&self, py: Python<'_>, image: Option<&Bound<'_, PyAny>>, backend: Option<&str>) -> PyResult<f64> {
        let of_training = self.file.metadata.get("psnr_train").and_then(|text| text.parse().ok());
        match (image, of_training) {
            (None, Some(psnr)) => Ok(psnr),
            _ => Ok(self.measured_on(py, image, backend)?.0.all.psnr()),
        }
    }

    /// SSIM against a picture, by default the one it was trained on.
    #[pyo3(signature = (image=None, *, backend=None))]
    fn ssim(&self, py: Python<'_>, image: Option<&Bound<'_, PyAny>>, backend: Option<&str>) -> PyResult<f64> {
        let (measured, picture) = self.measured_on(py, image, backend)?;
        Ok(py.detach(|| ssim_of(&self.file, &measured, &picture)))
    }

    /// Writes the model file that the command reads.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.file.save(&path)).map_err(raise)
    }

    /// The weights by name, as in the model file, as arrays that torch takes.
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let weights = PyDict::new(py);
        for tensor in self.file.tensors() {
            let values = tensor.values.to_vec().into_pyarray(py);
            weights.set_item(tensor.name, values.call_method1("reshape", (tensor.shape,))?)?;
        }
        Ok(weights)
    }

    /// What was measured after each epoch, by name, for a table or a plot.
    #[getter]
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let rows = &self.history;
        let table = PyDict::new(py);
        let whole = |of: fn(&EpochSummary) -> u64| rows.iter().map(of).collect::<Vec<_>>().into_pyarray(py);
        let real = |of: fn(&EpochSummary) -> Option<f64>| {
            let of_row = |row| of(row).unwrap_or(f64::NAN);
            rows.iter().map(of_row).collect::<Vec<_>>().into_pyarray(py)
        };
        table.set_item("epoch", whole(|row| row.epoch))?;
        table.set_item("step", whole(|row| row.step))?;
        table.set_item("seconds", real(|row| Some(row.seconds)))?;
        table.set_item("lr", real(|row| Some(row.lr)))?;
        table.set_item("loss", real(|row| row.loss))?;
        table.set_item("psnr_train", real(|row| row.psnr_train))?;
        table.set_item("psnr_test", real(|row| row.psnr_test))?;
        Ok(table)
    }

    /// Height, width and channels of the picture it was trained on.
    #[getter]
    fn shape(&self) -> (u32, u32, usize) {
        (self.file.height, self.file.width, self.file.channels())
    }

    /// Number of trained weights.
    #[getter]
    fn n_params(&self) -> usize {
        self.file.params.len()
    }

    /// Every setting it was trained with, as TOML: `fit(image, config=path)` repeats the run.
    #[getter]
    fn config(&self) -> &str {
        self.file.metadata.get("config").map_or("", String::as_str)
    }

    /// What the model's file says beside the weights.
    #[getter]
    fn metadata(&self) -> BTreeMap<String, String> {
        self.file.metadata.clone()
    }

    /// Whether every epoch was trained.
    #[getter]
    fn complete(&self) -> bool {
        self.complete
    }

    /// Why it has learned too little, if so.
    #[getter]
    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What was done that one might not expect, a sentence each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// The device it was trained on.
    #[getter]
    fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// The curve of PSNR over the epochs, as an SVG document.
    #[getter]
    fn curve(&self) -> Option<String> {
        let points: Vec<CurvePoint> = self.history.iter().filter_map(CurvePoint::measured).collect();
        (!points.is_empty()).then(|| psnr_svg(&[Series { name: String::new(), points }]))
    }

    fn _repr_png_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        // As large as a notebook shows it.
        const LONGEST: u32 = 1024;
        let own = self.file.size();
        let scale = f64::from(LONGEST) / f64::from(own.width.max(own.height));
        let whole = own.scaled(scale.min(1.0)).map_err(raise)?;
        let view = View::new(whole, None, Samples::Auto).map_err(raise)?;
        let dtype = if self.file.depth == Depth::F32 { Dtype::F32 } else { Dtype::U8 };
        let request = self.request(py, None)?;
        let picture = interruptible(py, |go_on| self.picture_of(&view, dtype, &request, go_on))?;
        let mut bytes = Vec::new();
        let shown = picture.shown(self.file.exposure());
        write_png(&shown, &mut bytes, Packing::Fast, self.file.profile().as_deref())?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("afterimage._html")?.call_method1("of_model", (slf,))
    }

    fn __repr__(&self) -> String {
        let Self { file, complete, .. } = self;
        let psnr: Option<f64> = file.metadata.get("psnr_train").and_then(|text| text.parse().ok());
        let psnr = psnr.map(|psnr| format!(", {psnr:.2} dB")).unwrap_or_default();
        let stopped = if *complete { "" } else { ", stopped" };
        format!(
            "<afterimage.Model of {}x{}x{}, {} weights{psnr}{stopped}>",
            file.height,
            file.width,
            file.channels(),
            file.params.len()
        )
    }

    /// The function that makes an equal model, and its arguments. The picture stays behind.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Parts<'py>)> {
        let restore = py.import("afterimage._afterimage")?.getattr("restore")?;
        let mut bytes = Vec::new();
        self.file.write(&mut bytes)?;
        let rows = self.history.iter().map(row_of).collect();
        let rest = (self.complete, self.notes.clone(), self.device.clone(), self.failure.clone());
        Ok((restore, (PyBytes::new(py, &bytes), rows, self.backend.clone(), rest)))
    }
}
