//! Update rules over the flat parameters.

use super::testing::{case, positive, uniform};
use crate::backend::Job;
use crate::backend::gpu::kernel::tolerance::Bounded;
use crate::backend::gpu::kernel::{
    Binding, Call, Case, Expected, Kernel, KernelDef, Source, Specialization, StepParams, close_bounded,
    params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::optimizer::{Formula, with_rule};
use crate::model::{Refinements, Steps};

params_block! {
    OptimizerParams {
        grid_width: u32,
        n_params: u32,
        /// Number of encoding weights, which come first.
        n_encoding: u32,
        /// L2 penalty on those.
        encoding_l2: f32,
        /// L2 penalty on the others.
        l2: f32,
    }
}

const BINDINGS: &[Binding] = &[read("grads"), write("weights"), write("moment_0"), write("moment_1")];

const fn definition(name: &'static str, n_moments: usize, parts: &'static [Source]) -> KernelDef {
    KernelDef {
        name,
        parts,
        specialization: Specialization::Optimizer(n_moments),
        uses_step: true,
        bindings: BINDINGS.split_at(2 + n_moments).0,
        params: OptimizerParams::BLOCK,
        ..KernelDef::plain(reference, cases)
    }
}

/// Rules with no, one and two moments.
pub(crate) static UPDATES: [KernelDef; 3] = [
    definition("optimizer_0", 0, &[wgsl!("optimizer_moments_0.wgsl"), wgsl!("optimizer.wgsl")]),
    definition("optimizer_1", 1, &[wgsl!("optimizer_moments_1.wgsl"), wgsl!("optimizer.wgsl")]),
    definition("optimizer_2", 2, &[wgsl!("optimizer_moments_2.wgsl"), wgsl!("optimizer.wgsl")]),
];

/// One update of all parameters. Buffers: grads, params, then the moments.
pub fn update(job: &Job, buffers: Vec<BufferId>, max_groups: u32) -> Dispatch {
    let (optimizer, layout, refinements) = (job.optimizer, job.model.layout(), &job.options.refinements);
    let n_params = layout.n_params();
    let grid = Workgroups::fold(n_params.div_ceil(THREADS), max_groups);
    let params = OptimizerParams {
        grid_width: grid.width,
        n_params: n_params as u32,
        n_encoding: layout.encoding.len() as u32,
        encoding_l2: refinements.encoding_l2 as f32,
        l2: refinements.l2 as f32,
    };
    let kernel = Kernel::with_optimizer(&UPDATES[optimizer.n_moments()], optimizer);
    Dispatch::new(kernel, &params, buffers, grid, 40.0 * n_params as f64)
}

fn reference(call: &Call) -> Vec<Expected> {
    let optimizer = call.kernel.optimizer.expect("an update rule is joined in");
    let (p, n_moments): (OptimizerParams, _) = (call.params(), optimizer.n_moments());
    let exact = |factors: [f32; 4]| factors.map(|factor| Bounded::exact(factor.into()));
    let encoding = (exact(call.step.encoding_factors), Bounded::exact(p.encoding_l2.into()));
    let network = (exact(call.step.factors), Bounded::exact(p.l2.into()));
    let value = |binding: usize, i: usize| Bounded::exact(call.f32s(binding)[i].into());
    let mut columns = vec![Vec::new(); 1 + n_moments];
    for i in 0..p.n_params as usize {
        let mut moments = [Bounded::exact(0.0); 2];
        moments.iter_mut().take(n_moments).zip(2..).for_each(|(m, binding)| *m = value(binding, i));
        let (factors, l2) = if i < p.n_encoding as usize { encoding } else { network };
        let (w, g) = (value(1, i), value(0, i));
        let (weight, moments) = with_rule!(optimizer, rule => rule.update(factors, w, g + l2 * w, moments));
        let after = [weight, moments[0], moments[1]];
        columns.iter_mut().zip(after).for_each(|(column, after)| column.push(after));
    }
    (1..).zip(columns).map(|(binding, column)| close_bounded(binding, column)).collect()
}

fn cases(kernel: &Kernel) -> Vec<Case> {
    let optimizer = kernel.optimizer.expect("an update rule is joined in");
    let n_moments = optimizer.n_moments();
    let refinements = Refinements { encoding_rate: 3.0, ..Refinements::default() };
    let one = |n: usize, index: u64, max_groups: u32| {
        let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params = OptimizerParams {
            grid_width: grid.width,
            n_params: n as u32,
            n_encoding: n as u32 / 3,
            encoding_l2: 0.1,
            l2: 1e-3,
        };
        let mut buffers = vec![uniform(1, n, 1e-2), uniform(2, n, 1.0)];
        // Second moments are not negative.
        let moments = [uniform(3, n, 1e-2), positive(4, n, 1e-2)];
        buffers.extend(moments.into_iter().take(n_moments));
        let step = Steps::new(n as u32, 1, 0, 3e-3).starting_at(index).next().expect("without end");
        Case {
            step: StepParams::new(&step, optimizer, &refinements, 0),
            ..case(format!("{n} parameters, step {index}"), params, buffers, grid.size())
        }
    };
    vec![one(1, 0, 65_535), one(255, 1, 65_535), one(257, 999, 65_535), one(2003, 7, 3)]
}
