//! Colours from the last layer's pre-activations.

use super::testing::{case_of, poison, uniform};
use crate::backend::gpu::kernel::{
    Call, Case, Expected, Kernel, KernelDef, Specialization, close, params_block, read, tolerance, wgsl,
    write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::Activation;

params_block! {
    OutputParams {
        grid_width: u32,
        /// Pixels times channels.
        n_values: u32,
    }
}

/// colours = f(z)
pub(crate) static OUTPUT: KernelDef = KernelDef {
    name: "output",
    parts: &[wgsl!("output.wgsl")],
    specialization: Specialization::Activation,
    bindings: &[read("z"), write("colours")],
    ..KernelDef::plain::<OutputParams>(reference, cases)
};

/// colours = activation(z) for `n_values` values.
pub(crate) fn output(
    activation: Activation,
    n_values: usize,
    buffers: [BufferId; 2],
    max_groups: u32,
) -> Dispatch {
    let grid = Workgroups::fold(n_values.div_ceil(THREADS), max_groups);
    let params = OutputParams { grid_width: grid.width, n_values: n_values as u32 };
    let kernel = Kernel::with_activation(&OUTPUT, activation);
    Dispatch::new(kernel, &params, buffers.into(), grid, 20.0 * n_values as f64)
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: OutputParams = call.params();
    let z = call.f64s(0, 0, p.n_values as usize);
    let activation = call.kernel.activation;
    let colours = z.iter().map(|&z| activation.value(z)).collect();
    let tolerances = z.iter().map(|&z| tolerance::activation(activation, z)).collect();
    vec![close(1, 0, colours, tolerances)]
}

fn cases(kernel: &Kernel) -> Vec<Case> {
    let one = |n: usize, scale: f32, max_groups: u32| {
        let dispatch = output(kernel.activation, n, Default::default(), max_groups);
        case_of(format!("{n} values within {scale}"), dispatch, vec![uniform(1, n, scale), poison(n)])
    };
    let mut cases =
        vec![one(1, 1.0, 65_535), one(255, 5.0, 65_535), one(257, 100.0, 65_535), one(2999, 20.0, 4)];
    if kernel.activation == Activation::Identity {
        // More workgroups than fit into one dimension of a dispatch.
        cases.push(one(65_537 * THREADS, 1.0, 65_535));
    }
    cases
}
