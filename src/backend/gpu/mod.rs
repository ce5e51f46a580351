//! The GPU backend: WGSL kernels through wgpu.
