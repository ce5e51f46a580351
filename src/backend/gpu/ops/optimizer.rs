//! Update rules over the flat parameters.

use super::testing::{case, uniform};
use crate::backend::cpu;
use crate::backend::gpu::kernel::{
    Binding, Call, Case, Expected, Kernel, KernelDef, StepParams, close, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, Grid, THREADS};
use crate::backend::gpu::tolerance::{DIVISION, FLUSH, ROUNDING, SQUARE_ROOT};
use crate::model::optimizer::adam_corrections;
use crate::model::{Optimizer, Shuffle, Step};

params_block! {
    /// Parameters of an update.
    OptimizerParams {
        /// Workgroups in x.
        grid_width: u32,
        /// Length of the flat buffers.
        n_params: u32,
    }
}

const fn definition(
    name: &'static str,
    parts: &'static [crate::backend::gpu::kernel::Source],
    bindings: &'static [Binding],
    example_constants: &'static [(&'static str, f64)],
) -> KernelDef {
    KernelDef {
        name,
        parts,
        uses_activation: false,
        uses_step: true,
        bindings,
        params: OptimizerParams::BLOCK,
        example_constants,
        reference,
        cases,
    }
}

/// SGD without momentum.
pub static SGD: KernelDef = definition(
    "optimizer_sgd",
    &[wgsl!("optimizer_sgd.wgsl")],
    &[read("grads"), write("weights")],
    &[("weight_decay", 0.01)],
);

/// SGD with momentum.
pub static MOMENTUM: KernelDef = definition(
    "optimizer_momentum",
    &[wgsl!("optimizer_momentum.wgsl")],
    &[read("grads"), write("weights"), write("velocity")],
    &[("momentum", 0.9), ("weight_decay", 0.01)],
);

/// Adam with decoupled decay.
pub static ADAM: KernelDef = definition(
    "optimizer_adam",
    &[wgsl!("optimizer_adam.wgsl")],
    &[read("grads"), write("weights"), write("first_moment"), write("second_moment")],
    &[
        ("beta1", 0.9),
        ("beta2", 0.999),
        ("one_minus_beta1", 1.0 - 0.9),
        ("one_minus_beta2", 1.0 - 0.999),
        ("epsilon", 1e-8),
    ],
);

/// Fills in what the host computes for Adam, rounded once from f64.
pub fn fill_factors(optimizer: Optimizer, step: &Step, params: &mut StepParams) {
    if let Optimizer::Adam { beta1, beta2, weight_decay, .. } = optimizer {
        let (correction1, correction2) = adam_corrections(beta1, beta2, step.index);
        params.step_size = (step.lr / correction1) as f32;
        params.second_scale = (1.0 / correction2) as f32;
        params.keep = (1.0 - step.lr * weight_decay) as f32;
    }
}

/// The kernel of an update rule with its constants.
fn kernel(optimizer: Optimizer) -> Kernel {
    let (def, constants) = match optimizer {
        Optimizer::Sgd { momentum: 0.0, weight_decay } => (&SGD, vec![("weight_decay", weight_decay)]),
        Optimizer::Sgd { momentum, weight_decay } => {
            (&MOMENTUM, vec![("momentum", momentum), ("weight_decay", weight_decay)])
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } => (
            &ADAM,
            vec![
                ("beta1", beta1),
                ("beta2", beta2),
                ("one_minus_beta1", 1.0 - beta1),
                ("one_minus_beta2", 1.0 - beta2),
                ("epsilon", epsilon),
            ],
        ),
    };
    Kernel { constants, ..Kernel::plain(def) }
}

/// One update of all parameters. Buffers: grads, params, then the moments.
pub fn update(optimizer: Optimizer, n_params: usize, buffers: Vec<BufferId>, max_groups: u32) -> Dispatch {
    let grid = Grid::fold(n_params.div_ceil(THREADS), max_groups);
    let params = OptimizerParams { grid_width: grid.width, n_params: n_params as u32 };
    Dispatch::new(kernel(optimizer), &params, buffers, grid, 40.0 * n_params as f64)
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: OptimizerParams = call.params();
    let n = p.n_params as usize;
    let (index, lr) = (u64::from(call.step.index), f64::from(call.step.lr));
    let grads = call.f64s(0, 0, n);
    let before = call.f64s(1, 0, n);
    let mut weights = before.clone();
    let n_moments = call.kernel.def.bindings.len() - 2;
    let moments_before: Vec<Vec<f64>> = (0..n_moments).map(|m| call.f64s(2 + m, 0, n)).collect();
    let mut moments = moments_before.clone();
    let optimizer = match n_moments {
        0 => Optimizer::Sgd { momentum: 0.0, weight_decay: call.constant("weight_decay") },
        1 => Optimizer::Sgd {
            momentum: call.constant("momentum"),
            weight_decay: call.constant("weight_decay"),
        },
        _ => Optimizer::Adam {
            beta1: call.constant("beta1"),
            beta2: call.constant("beta2"),
            epsilon: call.constant("epsilon"),
            // Only the product with lr reaches the kernel.
            weight_decay: if lr == 0.0 { 0.0 } else { (1.0 - f64::from(call.step.keep)) / lr },
        },
    };
    let mut slices: Vec<&mut [f64]> = moments.iter_mut().map(Vec::as_mut_slice).collect();
    cpu::optimizer::update(optimizer, index, lr, &grads, &mut weights, &mut slices);
    let inputs = Inputs { optimizer, index, lr, grads: &grads, weights: &before, moments: &moments_before };
    let tolerances: Vec<Vec<f64>> = (0..n).map(|i| inputs.tolerances(i)).collect();
    let column = |c: usize| tolerances.iter().map(|t| t[c]).collect();
    let mut expected = vec![close(1, 0, weights, column(0))];
    expected.extend(moments.into_iter().enumerate().map(|(m, v)| close(2 + m, 0, v, column(1 + m))));
    expected
}

struct Inputs<'a> {
    optimizer: Optimizer,
    index: u64,
    lr: f64,
    grads: &'a [f64],
    weights: &'a [f64],
    moments: &'a [Vec<f64>],
}

impl Inputs<'_> {
    /// Errors allowed for parameter `i` and for each of its moments.
    fn tolerances(&self, i: usize) -> Vec<f64> {
        let (g, w, lr) = (self.grads[i], self.weights[i], self.lr);
        match self.optimizer {
            Optimizer::Sgd { momentum, weight_decay } => {
                let before = self.moments.first().map_or(0.0, |v| momentum * v[i]);
                // Five roundings, counting those of the constants, of every term.
                let v = 5.0 * ROUNDING * (before.abs() + g.abs() + (weight_decay * w).abs()) + FLUSH;
                let step = lr * (before.abs() + g.abs() + (weight_decay * w).abs());
                let w = lr * v + 2.0 * ROUNDING * step + 2.0 * ROUNDING * w.abs() + FLUSH;
                if self.moments.is_empty() { vec![w] } else { vec![w, v] }
            }
            Optimizer::Adam { beta1, beta2, epsilon, .. } => {
                let (c1, c2) = (1.0 - beta1, 1.0 - beta2);
                let (m0, v0) = (self.moments[0][i], self.moments[1][i]);
                let (correction1, correction2) = adam_corrections(beta1, beta2, self.index);
                let m = 4.0 * ROUNDING * ((beta1 * m0).abs() + (c1 * g).abs()) + FLUSH;
                let v_value = beta2 * v0 + c2 * g * g;
                let v = 5.0 * ROUNDING * v_value + FLUSH;
                // The update is step_size m / (sqrt(v) scale + epsilon): the error of m, half the
                // relative error of v, and the roundings on the way. A v lost to flushing moves the
                // root by at most sqrt(FLUSH).
                let denominator = v_value.sqrt() / correction2 + epsilon;
                let step = lr / correction1;
                let update = step * (beta1 * m0 + c1 * g).abs() / denominator;
                let lost = (FLUSH.sqrt() / correction2 / denominator).min(1.0);
                let lost = if v_value < 4.0 * FLUSH { lost } else { 0.0 };
                let relative = 2.5 * ROUNDING + SQUARE_ROOT + DIVISION + 6.0 * ROUNDING + lost;
                vec![step * m / denominator + relative * update + 3.0 * ROUNDING * w.abs() + FLUSH, m, v]
            }
        }
    }
}

fn cases(kernel: &Kernel) -> Vec<Case> {
    let n_moments = kernel.def.bindings.len() - 2;
    let one = |n: usize, index: u64, max_groups: u32| {
        let grid = Grid::fold(n.div_ceil(THREADS), max_groups);
        let params = OptimizerParams { grid_width: grid.width, n_params: n as u32 };
        let mut buffers = vec![uniform(1, n, 1e-2), uniform(2, n, 1.0)];
        buffers.extend((0..n_moments).map(|m| uniform(3 + m as u64, n, 1e-2)));
        if let Some(second) = buffers.get_mut(3) {
            second.iter_mut().for_each(|word| *word &= 0x7fff_ffff);
        }
        let step =
            Step { index, shuffle: Shuffle::new(n as u32, 0, 0), first_sample: 0, n_samples: 1, lr: 3e-3 };
        let mut step_params = StepParams::new(&step, 0);
        let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
        fill_factors(adam, &step, &mut step_params);
        Case {
            step: step_params,
            ..case(format!("{n} parameters, step {index}"), params, buffers, grid.size())
        }
    };
    vec![one(1, 0, 65_535), one(255, 1, 65_535), one(257, 999, 65_535), one(2003, 7, 3)]
}
