//! What a plan may use of a device.

use super::Override;
use crate::backend::tuned::MatmulTiling;

/// What a plan may use of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Largest storage binding, and so the largest buffer, in bytes.
    pub max_binding_bytes: u64,
    /// Largest binding of the picture in bytes; differs only in tests.
    pub picture_part_bytes: u64,
    /// Maximum workgroups in one dimension of a dispatch.
    pub max_groups: u32,
    /// Memory for everything that grows with the number of samples computed at a time.
    pub batch_bytes: u64,
    /// Memory for streamed samples, if the picture stays on the host.
    pub stream_bytes: u64,
    /// Workgroup memory in bytes.
    pub workgroup_bytes: u32,
    /// Whether fixed-point sums are added to by 64-bit atomics.
    pub wide_atomics: bool,
    /// Maximum threads of a workgroup.
    pub max_threads: u32,
    /// Threads of a subgroup, if that is known.
    pub subgroup_size: Option<u32>,
    /// When networks are fused.
    pub fused: Override,
    /// Whether predictions may be fused.
    pub fused_predictions: bool,
    /// Maximum pixels predicted at a time; 1 if none are.
    pub tile_pixels: usize,
    /// The tiles of predictions' products, if not those that waste least.
    pub prediction_tiles: Option<MatmulTiling>,
    /// Maximum matrices that Muon orthogonalises side by side.
    pub matrices_at_once: usize,
}

pub(crate) const MIB: u64 = 1 << 20;

impl Budget {
    /// Everything a device with these limits offers. There is no portable way to query free memory, so the batch may
    /// take 1 GiB: more samples at a time are no faster.
    pub fn of(limits: &wgpu::Limits) -> Self {
        // Bindings over 2 GiB are not portable.
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min((1 << 31) - 256);
        Self {
            max_binding_bytes: binding / 256 * 256,
            picture_part_bytes: binding / 256 * 256,
            max_groups: limits.max_compute_workgroups_per_dimension.min(65_535),
            batch_bytes: 1024 * MIB,
            stream_bytes: (16 * MIB).min(binding / 256 * 256),
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_threads: limits
                .max_compute_invocations_per_workgroup
                .min(limits.max_compute_workgroup_size_x),
            subgroup_size: None,
            wide_atomics: false,
            fused: Override::Auto,
            fused_predictions: true,
            tile_pixels: usize::MAX,
            prediction_tiles: None,
            matrices_at_once: usize::MAX,
        }
    }

    /// Memory for the partial weight gradients of a layer.
    pub(crate) fn partials_bytes(&self) -> u64 {
        self.max_binding_bytes.min(64 * MIB)
    }
}
