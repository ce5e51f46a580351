//! `afterimage adapters`: the GPUs of this machine.

use super::display;
use afterimage::backend::gpu::device::{DeviceOptions, FEATURES, adapters, is_software};
use afterimage::block_on;
use serde::Serialize;
use std::process::ExitCode;

/// List the GPU adapters, their limits and the optional features in use.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  afterimage adapters\n  afterimage train photo.jpg --adapter 1")]
pub(super) struct AdaptersArgs {
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct AdapterEntry {
    /// Value for `--adapter`.
    pub index: usize,
    /// Its name; `--adapter` accepts a part of it.
    pub name: String,
    pub api: String,
    /// Driver name and version.
    pub driver: String,
    /// Discrete, integrated, virtual, CPU (a software rasteriser) or other.
    pub device_type: String,
    pub software: bool,
    pub max_binding_bytes: u64,
    pub max_buffer_bytes: u64,
    pub workgroup_memory_bytes: u32,
    pub workgroup_threads: u32,
    /// The optional features it has that the program can use.
    pub features: Vec<&'static str>,
    /// Cooperative matrix products, as `m x n x k inputs -> results`.
    pub cooperative_matrices: Vec<String>,
}

/// All adapters in the order of their indexes.
pub(super) fn list() -> anyhow::Result<Vec<AdapterEntry>> {
    let entry = |(index, adapter): (usize, wgpu::Adapter)| {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let known = FEATURES.iter().filter(|(feature, _)| features.contains(*feature));
        let product = |p: &wgpu::CooperativeMatrixProperties| {
            format!("{} x {} x {} {:?} -> {:?}", p.m_size, p.n_size, p.k_size, p.ab_type, p.cr_type)
        };
        AdapterEntry {
            index,
            api: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            device_type: format!("{:?}", info.device_type),
            software: is_software(&info),
            name: info.name,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
            workgroup_threads: limits.max_compute_invocations_per_workgroup,
            features: known.map(|&(_, name)| name).collect(),
            cooperative_matrices: adapter.cooperative_matrix_properties().iter().map(product).collect(),
        }
    };
    let all = block_on(adapters(&DeviceOptions::from_env()?));
    Ok(all.into_iter().enumerate().map(entry).collect())
}

/// Prints the adapters. Fails when there is none.
pub(super) fn run(args: &AdaptersArgs) -> anyhow::Result<ExitCode> {
    display::report(args.json, &list()?, |entries| match entries.as_slice() {
        [] => print_line!("no GPU adapter was found; training runs on the CPU"),
        entries => entries.iter().for_each(print_entry),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn print_entry(entry: &AdapterEntry) {
    const MIB: u64 = 1 << 20;
    let or_none = |list: String| if list.is_empty() { "none".to_owned() } else { list };
    print_line!("{}: {}", entry.index, entry.name);
    print_line!("   api          {}", entry.api);
    print_line!("   driver       {}", entry.driver);
    let software = if entry.software { " (software: used only when asked for)" } else { "" };
    print_line!("   type         {}{software}", entry.device_type);
    print_line!("   binding      {} MiB", entry.max_binding_bytes / MIB);
    print_line!("   buffer       {} MiB", entry.max_buffer_bytes / MIB);
    let kib = entry.workgroup_memory_bytes / 1024;
    print_line!("   workgroup    {} threads, {kib} KiB", entry.workgroup_threads);
    print_line!("   features     {}", or_none(entry.features.join(", ")));
    print_line!("   matrices     {}", or_none(entry.cooperative_matrices.join("; ")));
}
