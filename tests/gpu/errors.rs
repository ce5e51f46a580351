//! What goes wrong on a device arrives as an error, never as a panic.

use crate::device;
use crate::job;

use afterimage::backend::gpu::device::choose;
use afterimage::backend::gpu::{self, AdapterChoice, DeviceOptions, GpuBackend};
use afterimage::backend::{Backend, BackendError, Predict};
use device::{open, open_with, options};
use job::{Setup, steps};
use pollster::FutureExt as _;
use std::time::Duration;

/// A backend may be moved to the thread that trains.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<GpuBackend>();
};

#[test]
fn a_lost_device_is_an_error() {
    let Some(gpu) = open(false) else { return };
    let setup = Setup::small();
    let job = setup.job();
    let mut backend = GpuBackend::new(gpu.clone(), job.clone(), &setup.state(&job)).block_on().expect("fits");
    backend.enqueue(&steps(&job, 0..3, 1e-3)).block_on().expect("device works");
    gpu.device.destroy();
    let steps = steps(&job, 3..30, 1e-3);
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(backend.enqueue(&steps).block_on());
        outcomes.push(backend.take_losses().map(drop));
        outcomes.push(backend.finish().block_on());
        outcomes.push(backend.state().block_on().map(drop));
        outcomes.push(backend.predict(&job.raster, 0, &mut [0.0; 30]).block_on());
    }
    let errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    println!("{} errors, the first: {}", errors.len(), errors[0]);
    assert!(matches!(errors[0], BackendError::DeviceLost(_)), "{:?}", errors[0]);
}

#[test]
fn a_device_that_does_not_answer_in_time_is_lost() {
    let options = DeviceOptions { device_timeout: Some(Duration::from_millis(1)), ..options() };
    let Some(gpu) = open_with(options) else { return };
    let setup = Setup { width: 60, height: 40, batch_size: u32::MAX, ..Setup::small() };
    let job = setup.job();
    let state = setup.state(&job);
    let outcome = GpuBackend::new(gpu, job.clone(), &state).block_on().and_then(|mut backend| {
        backend.enqueue(&steps(&job, 0..1, 1e-3)).block_on()?;
        backend.finish().block_on()
    });
    assert!(matches!(&outcome, Err(BackendError::DeviceLost(_))), "{outcome:?}");
}

#[test]
fn refused_resources_are_errors() {
    let Some(gpu) = open(false) else { return };
    let buffer = |size, usage| {
        gpu.scoped(|device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        })
        .block_on()
    };
    let too_large = gpu.limits.max_buffer_size + 4;
    assert!(matches!(buffer(too_large, wgpu::BufferUsages::STORAGE), Err(BackendError::Device(_))));
    assert!(buffer(16, wgpu::BufferUsages::STORAGE).is_ok(), "the device still works");
    // An error outside every scope waits for the next check.
    let _invalid = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: too_large,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    assert!(matches!(gpu.check(), Err(BackendError::Device(_))));
    assert!(gpu.check().is_ok());
}

#[test]
fn default_limits_are_enough() {
    let options = DeviceOptions { checked_shaders: true, default_limits: true, ..options() };
    let Some(gpu) = open_with(options) else { return };
    let setup = Setup::small();
    let job = setup.job();
    assert_eq!(gpu.budget().max_binding_bytes, 128 << 20);
    let mut backend = GpuBackend::new(gpu, job.clone(), &setup.state(&job)).block_on().expect("fits");
    let entries = backend.lockstep(&steps(&job, 0..2, 1e-3)).block_on().expect("device works");
    assert!(entries.iter().all(|entry| entry.worst.passes()));
}

fn adapter(name: &str, device_type: wgpu::DeviceType) -> wgpu::AdapterInfo {
    wgpu::AdapterInfo { name: name.to_owned(), ..wgpu::AdapterInfo::new(device_type, wgpu::Backend::Vulkan) }
}

#[test]
fn the_best_hardware_is_chosen_and_software_only_on_request() {
    use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, VirtualGpu};
    let all = [
        adapter("llvmpipe", Cpu),
        adapter("Some Virtual", VirtualGpu),
        adapter("Some Integrated", IntegratedGpu),
        adapter("Some Discrete", DiscreteGpu),
    ];
    let choose = |infos: &[_], choice| choose(infos, &choice, &DeviceOptions::default());
    let named = |name: &str| choose(&all, AdapterChoice::Named(name.to_owned())).ok();
    assert_eq!(choose(&all, AdapterChoice::Hardware).ok(), Some(3));
    assert_eq!(choose(&all[..3], AdapterChoice::Hardware).ok(), Some(2));
    assert_eq!(choose(&all[..2], AdapterChoice::Hardware).ok(), Some(1));
    assert!(choose(&all[..1], AdapterChoice::Hardware).is_err());
    assert_eq!(choose(&all[..1], AdapterChoice::Any).ok(), Some(0));
    assert_eq!(
        (named("LLVM"), named("some"), named("1"), named("none such")),
        (Some(0), Some(3), Some(1), None)
    );
    // What is asked for goes before what the environment says.
    let options = DeviceOptions { adapter: Some("llvm".to_owned()), low_power: true, ..Default::default() };
    let chosen = |choice| gpu::device::choose(&all, &choice, &options).ok();
    assert_eq!(
        (chosen(AdapterChoice::Hardware), chosen(AdapterChoice::Named("3".into()))),
        (Some(0), Some(3))
    );
    let options = DeviceOptions { adapter: None, ..options.clone() };
    assert_eq!(gpu::device::choose(&all, &AdapterChoice::Hardware, &options).ok(), Some(2), "saves power");
    let message = choose(&all, AdapterChoice::Named("x9".to_owned())).expect_err("no x9").to_string();
    assert!(message.contains("x9") && message.contains("Some Discrete"), "{message}");
}
