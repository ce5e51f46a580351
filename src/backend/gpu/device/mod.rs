//! Adapters: listing, choosing and opening one.

pub mod budget;
mod pipelines;
mod staging;
mod wait;

pub use crate::job::{DeviceOptions, Override};
pub use budget::Budget;
pub(super) use pipelines::{Pipeline, Shader};
pub(crate) use staging::Staging;
pub(crate) use wait::Submission;

use crate::backend::tuned::Storage;
use crate::backend::{BackendError, BackendInfo, Result};
use pipelines::Pipelines;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Which adapter to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The best hardware GPU: discrete, then integrated, then virtual.
    #[default]
    Hardware,
    /// The best adapter of all, including software rasterisers.
    Any,
    /// By index in the list, or by a case-insensitive part of its name.
    Named(String),
}

/// An open device. Errors that wgpu reports outside a call are kept until [`Gpu::check`].
#[derive(Debug)]
pub struct Gpu {
    /// The wgpu device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// Adapter information.
    pub info: wgpu::AdapterInfo,
    /// Its limits: all that the adapter has, unless requested otherwise.
    pub limits: wgpu::Limits,
    /// The options it was opened with.
    pub options: DeviceOptions,
    /// Sizes of its cooperative matrices with f32 sums, and how their inputs are stored.
    matrices: Vec<(u32, Storage)>,
    /// Whether it has 64-bit atomics that were not found wrong.
    wide_atomics: AtomicBool,
    pub(super) pipelines: Pipelines,
    failure: Arc<Failure>,
}

/// The first error that arrived outside a call.
#[derive(Debug, Default)]
struct Failure(Mutex<Option<BackendError>>);

impl Failure {
    fn set(&self, error: BackendError) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            None => *slot = Some(error),
            Some(_) => log::debug!("after the first GPU error: {error}"),
        }
    }
}

/// Optional features the program can use, with their names. A device is opened with those it has.
pub const FEATURES: [(wgpu::Features, &str); 7] = [
    (wgpu::Features::SHADER_F16, "SHADER_F16"),
    (wgpu::Features::SHADER_FLOAT32_ATOMIC, "SHADER_FLOAT32_ATOMIC"),
    (wgpu::Features::SHADER_INT64, "SHADER_INT64"),
    (wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS, "SHADER_INT64_ATOMIC_ALL_OPS"),
    (wgpu::Features::TIMESTAMP_QUERY, "TIMESTAMP_QUERY"),
    (wgpu::Features::PIPELINE_CACHE, "PIPELINE_CACHE"),
    (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "EXPERIMENTAL_COOPERATIVE_MATRIX"),
];

/// What 64-bit atomics need.
pub(crate) const WIDE_ATOMICS: wgpu::Features =
    wgpu::Features::SHADER_INT64.union(wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS);

/// All adapters, in wgpu's order.
pub async fn adapters(options: &DeviceOptions) -> Vec<wgpu::Adapter> {
    let descriptor = match options.wgpu_variables {
        true => wgpu::InstanceDescriptor::new_without_display_handle_from_env(),
        false => wgpu::InstanceDescriptor::new_without_display_handle(),
    };
    let backends = descriptor.backends;
    wgpu::Instance::new(descriptor).enumerate_adapters(backends).await
}

/// Rank of an adapter, 0 for the best.
fn rank(kind: wgpu::DeviceType, low_power: bool) -> u32 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => u32::from(low_power),
        wgpu::DeviceType::IntegratedGpu => u32::from(!low_power),
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// Whether a device type is a software rasteriser.
pub fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

const NO_DRIVER: &str =
    "no Vulkan loader and driver, Metal or DX12 offers one; install the GPU's driver, or use --backend cpu";

/// Index of the adapter that `choice` selects; if it names none, [`DeviceOptions::adapter`] does.
///
/// # Errors
/// When none fits; the message lists the adapters.
pub fn choose(infos: &[wgpu::AdapterInfo], choice: &AdapterChoice, options: &DeviceOptions) -> Result<usize> {
    let named = match choice {
        AdapterChoice::Named(name) => Some(name),
        _ => options.adapter.as_ref(),
    };
    let known = || match infos {
        [] => NO_DRIVER.to_owned(),
        _ => {
            let names: Vec<_> = infos.iter().enumerate().map(|(i, a)| format!("{i}: {}", a.name)).collect();
            format!("there are: {}", names.join(", "))
        }
    };
    let best = |infos: &mut dyn Iterator<Item = (usize, &wgpu::AdapterInfo)>| {
        infos
            .min_by_key(|(index, info)| (rank(info.device_type, options.low_power), *index))
            .map(|(index, _)| index)
    };
    if let Some(name) = named {
        // A number is never part of a name, or "5" would match "LLVM 15".
        if let Ok(index) = name.parse::<usize>() {
            let none = || BackendError::NoAdapter(format!("there is no adapter {index}; {}", known()));
            return (index < infos.len()).then_some(index).ok_or_else(none);
        }
        if name.trim().is_empty() {
            let reason = format!("an adapter is a number or a part of its name; {}", known());
            return Err(BackendError::NoAdapter(reason));
        }
        let matches = |info: &wgpu::AdapterInfo| info.name.to_lowercase().contains(&name.to_lowercase());
        let found = best(&mut infos.iter().enumerate().filter(|(_, info)| matches(info)));
        return found
            .ok_or_else(|| BackendError::NoAdapter(format!("no adapter is called '{name}'; {}", known())));
    }
    let software_too = *choice == AdapterChoice::Any;
    best(&mut infos.iter().enumerate().filter(|(_, info)| software_too || !is_software(info)))
        .ok_or_else(|| BackendError::NoAdapter(format!("no GPU was found: {}", known())))
}

impl Gpu {
    /// Opens the adapter that `choice` selects, with all its limits and the features the program uses.
    ///
    /// # Errors
    /// When no adapter fits or the device cannot be opened.
    pub async fn open(choice: &AdapterChoice, options: DeviceOptions) -> Result<Arc<Self>> {
        let adapters = adapters(&options).await;
        let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
        let index = choose(&infos, choice, &options)?;
        let (adapter, info) = (&adapters[index], infos[index].clone());
        let limits = if options.default_limits { wgpu::Limits::default() } else { adapter.limits() };
        let known = FEATURES.iter().fold(wgpu::Features::empty(), |all, (feature, _)| all | *feature);
        let features =
            if options.default_limits { wgpu::Features::empty() } else { adapter.features() & known };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("afterimage"),
            required_features: features,
            required_limits: limits.clone(),
            // SAFETY: the only experimental feature requested is cooperative matrices. A kernel that uses them is
            // compared with f64 on the device before anything is trained with it.
            experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
            ..Default::default()
        });
        let (device, queue) = request
            .await
            .map_err(|e| BackendError::NoAdapter(format!("{} could not be opened: {e}", info.name)))?;
        let failure = Arc::new(Failure::default());
        let uncaptured = Arc::clone(&failure);
        device.on_uncaptured_error(Arc::new(move |error| uncaptured.set(as_backend_error(&error))));
        let lost = Arc::clone(&failure);
        device.set_device_lost_callback(move |reason, message| {
            lost.set(BackendError::DeviceLost(format!("{reason:?}: {message}")));
        });
        let matrices = matrices(&adapter.cooperative_matrix_properties(), features);
        let wide_atomics = AtomicBool::new(features.contains(WIDE_ATOMICS));
        let pipelines = Pipelines::open(&device, &info, options.cache.as_deref());
        Ok(Arc::new(Self {
            device,
            queue,
            info,
            limits,
            options,
            matrices,
            wide_atomics,
            pipelines,
            failure,
        }))
    }

    /// Whether it has cooperative matrices of `size` by `size` with inputs of this storage and f32 sums.
    pub fn has_matrices(&self, size: u32, storage: Storage) -> bool {
        self.matrices.contains(&(size, storage))
    }

    pub(crate) fn has_wide_atomics(&self) -> bool {
        self.wide_atomics.load(Ordering::Relaxed)
    }

    /// Leaves its 64-bit atomics unused from now on.
    pub(crate) fn leave_wide_atomics(&self) {
        self.wide_atomics.store(false, Ordering::Relaxed);
    }

    /// Threads of a subgroup, as far as the API tells: if a device has several sizes, shaders that request none run
    /// with the largest. Metal does not tell: all GPUs of Apple have 32, and wgpu names a range from 4 to 64.
    pub(crate) fn subgroup_size(&self) -> u32 {
        match self.info.backend {
            wgpu::Backend::Metal => 32,
            _ => self.info.subgroup_max_size,
        }
    }

    /// Fails if wgpu reported an error since the last call.
    ///
    /// # Errors
    /// The first error reported.
    pub fn check(&self) -> Result<()> {
        match self.failure.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// What plans may use of it.
    pub fn budget(&self) -> Budget {
        let wide_atomics = self.has_wide_atomics();
        let subgroup_size = Some(self.subgroup_size());
        Budget { fused: self.options.fused, wide_atomics, subgroup_size, ..Budget::of(&self.limits) }
    }

    /// What measurements on this device are keyed by: adapter, API and driver.
    pub(crate) fn identity(&self) -> String {
        format!("{}, {}, {}", self.info.name, self.info.backend, self.driver())
    }

    /// What a backend on it says of it.
    pub(crate) fn description(&self) -> BackendInfo {
        BackendInfo {
            backend: "gpu".to_owned(),
            device: self.info.name.clone(),
            api: self.info.backend.to_string(),
            driver: self.driver(),
            ..BackendInfo::default()
        }
    }

    /// Name and version of the driver.
    pub fn driver(&self) -> String {
        format!("{} {}", self.info.driver, self.info.driver_info).trim().to_owned()
    }
}

/// The square matrices that a device with `features` multiplies with sums in f32.
fn matrices(
    properties: &[wgpu::CooperativeMatrixProperties],
    features: wgpu::Features,
) -> Vec<(u32, Storage)> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let usable = |p: &wgpu::CooperativeMatrixProperties| match (p.ab_type, p.cr_type) {
        _ if (p.m_size, p.n_size) != (p.n_size, p.k_size) => None,
        (F16, F32) if features.contains(wgpu::Features::SHADER_F16) => Some((p.m_size, Storage::F16)),
        (F32, F32) => Some((p.m_size, Storage::F32)),
        _ => None,
    };
    match features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        true => properties.iter().filter_map(usable).collect(),
        false => Vec::new(),
    }
}

/// A buffer of `device`, to be filled by a copy.
pub(crate) fn new_buffer(
    device: &wgpu::Device,
    label: &str,
    size: u64,
    usage: wgpu::BufferUsages,
) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage,
        mapped_at_creation: false,
    })
}

fn as_backend_error(error: &wgpu::Error) -> BackendError {
    match error {
        wgpu::Error::OutOfMemory { .. } => BackendError::DoesNotFit(
            "the GPU is out of memory; choose a smaller --batch or network, or --backend cpu".to_owned(),
        ),
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            let lost = description.to_lowercase().contains("lost");
            let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
            if lost { BackendError::DeviceLost(line) } else { BackendError::Device(line) }
        }
    }
}
