//! Update rules over the flat parameters.

use super::testing::{case, positive, uniform};
use crate::backend::Job;
use crate::backend::gpu::kernel::tolerance::Bounded;
use crate::backend::gpu::kernel::{
    Binding, Call, Case, Expected, Kernel, KernelDef, Source, Specialization, StepParams, close_bounded,
    params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, Workgroups};
use crate::model::network::LayerRange;
use crate::model::optimizer::{Formula, with_rule};
use crate::model::{Activation, Mlp, ParamLayout, Refinements, Steps};

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
        /// Matrices that are updated elsewhere: a range of parameters.
        first_begin: u32,
        first_end: u32,
        /// And equal ranges, one every `others_stride` parameters.
        others_begin: u32,
        others_end: u32,
        others_length: u32,
        others_stride: u32,
    }
}

impl OptimizerParams {
    /// Leaves `matrices` out, which are consecutive layers, of one shape but for the first.
    fn without(self, matrices: &[LayerRange]) -> Self {
        let begin = |layer: &LayerRange| layer.weight.start as u32;
        let end = |layer: &LayerRange| layer.weight.end as u32;
        let mut params = Self { others_stride: 1, ..self };
        if let Some(first) = matrices.first() {
            (params.first_begin, params.first_end) = (begin(first), end(first));
        }
        if let [_, next, ..] = matrices {
            (params.others_begin, params.others_end) = (begin(next), matrices.last().map_or(0, end));
            params.others_length = next.weight.len() as u32;
            params.others_stride = next.whole().len() as u32;
        }
        params
    }

    fn is_in_matrix(&self, i: usize) -> bool {
        let i = i as u32;
        let is_first = (self.first_begin..self.first_end).contains(&i);
        let is_other = (self.others_begin..self.others_end).contains(&i);
        is_first || is_other && (i - self.others_begin) % self.others_stride < self.others_length
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
        ..KernelDef::plain::<OptimizerParams>(reference, cases)
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
        ..OptimizerParams::default()
    };
    let params = params.without(job.whole_matrices(&layout));
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
        let (weight, moments) = match p.is_in_matrix(i) {
            true => (w, moments),
            false => with_rule!(optimizer, rule => rule.update(factors, w, g + l2 * w, moments)),
        };
        let after = [weight, moments[0], moments[1]];
        columns.iter_mut().zip(after).for_each(|(column, after)| column.push(after));
    }
    (1..).zip(columns).map(|(binding, column)| close_bounded(binding, column)).collect()
}

fn cases(kernel: &Kernel) -> Vec<Case> {
    let optimizer = kernel.optimizer.expect("an update rule is joined in");
    let n_moments = optimizer.n_moments();
    let refinements = Refinements { encoding_rate: 3.0, ..Refinements::default() };
    let one = |n: usize, index: u64, max_groups: u32, matrices: &[LayerRange]| {
        let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
        let params = OptimizerParams {
            grid_width: grid.width,
            n_params: n as u32,
            n_encoding: n as u32 / 3,
            encoding_l2: 0.1,
            l2: 1e-3,
            ..OptimizerParams::default()
        };
        let params = params.without(matrices);
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
    let network = Mlp::new([7, 20, 3], 5, [Activation::Relu; 2]);
    let layers = ParamLayout::new(100, &network).layers;
    vec![
        one(1, 0, 65_535, &[]),
        one(255, 1, 65_535, &layers[..1]),
        one(257, 999, 65_535, &[]),
        one(2003, 7, 3, &layers[..4]),
    ]
}
