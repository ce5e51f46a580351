//! What a kernel requires of a device, and the shader compiled for it.

use super::Kernel;
use crate::backend::gpu::device::{Gpu, Shader};

impl Kernel {
    pub fn runs_on(&self, gpu: &Gpu) -> bool {
        self.lacks_on(gpu).is_none()
    }

    /// What `gpu` lacks for it, if anything.
    pub fn lacks_on(&self, gpu: &Gpu) -> Option<String> {
        let missing = self.needs() - gpu.device.features();
        match self.tiling.matrix_size() {
            _ if !missing.is_empty() => Some(missing.to_string()),
            Some(size) if !gpu.has_matrices(size) => Some(format!("cooperative matrices of {size} x {size}")),
            _ => None,
        }
    }

    pub(crate) fn shader(&self, gpu: &Gpu) -> Shader {
        let mut constants = self.override_constants();
        if self.tiling.matrix_size().is_some() {
            constants.push(("subgroup_size", gpu.subgroup_size().into()));
        }
        Shader { name: self.name(), wgsl: self.wgsl(), constants }
    }
}
