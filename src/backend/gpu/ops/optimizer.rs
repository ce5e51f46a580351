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

/// The moments of rules with none, one and two of them.
pub(super) const MOMENTS: [Source; 3] =
    [wgsl!("moments/none.wgsl"), wgsl!("moments/one.wgsl"), wgsl!("moments/two.wgsl")];
/// The update of one parameter.
pub(super) const UPDATE_ONE: Source = wgsl!("update_one.wgsl");
const FIRST: Source = wgsl!("moments/update_first.wgsl");
const SECOND: Source = wgsl!("moments/update_second.wgsl");
const UPDATE: Source = wgsl!("optimizer.wgsl");

/// Rules with no, one and two moments.
pub(crate) static UPDATES: [KernelDef; 3] = [
    definition("optimizer_0", 0, &[MOMENTS[0], UPDATE_ONE, UPDATE]),
    definition("optimizer_1", 1, &[FIRST, MOMENTS[1], UPDATE_ONE, UPDATE]),
    definition("optimizer_2", 2, &[FIRST, SECOND, MOMENTS[2], UPDATE_ONE, UPDATE]),
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
    let p: OptimizerParams = call.params();
    let grads = call.f32s(0);
    let gradient = |i: usize| (!p.is_in_matrix(i)).then(|| Bounded::exact(grads[i].into()));
    let gradients: Vec<_> = (0..p.n_params as usize).map(gradient).collect();
    updated(call, [1, 2], (p.n_encoding, [p.encoding_l2, p.l2]), &gradients)
}

/// Weights and moments after an update along `gradients`, where there is one; the encoding's come first. Bindings: the
/// weights, the first moment.
pub(super) fn updated(
    call: &Call,
    [weights, first_moment]: [usize; 2],
    (n_encoding, penalties): (u32, [f32; 2]),
    gradients: &[Option<Bounded>],
) -> Vec<Expected> {
    let optimizer = call.kernel.optimizer.expect("an update rule is joined in");
    let n_moments = optimizer.n_moments();
    let exact = |value: f32| Bounded::exact(value.into());
    let factors = [call.step.encoding_factors, call.step.factors].map(|factors| factors.map(exact));
    let value = |binding: usize, i: usize| exact(call.f32s(binding)[i]);
    let mut columns = vec![Vec::new(); 1 + n_moments];
    for (i, gradient) in gradients.iter().enumerate() {
        let mut moments = [Bounded::exact(0.0); 2];
        moments
            .iter_mut()
            .take(n_moments)
            .zip(first_moment..)
            .for_each(|(m, binding)| *m = value(binding, i));
        let part = usize::from(i >= n_encoding as usize);
        let w = value(weights, i);
        let (weight, moments) = match gradient {
            None => (w, moments),
            Some(gradient) => {
                let gradient = *gradient + exact(penalties[part]) * w;
                with_rule!(optimizer, rule => rule.update(factors[part], w, gradient, moments))
            }
        };
        let after = [weight, moments[0], moments[1]];
        columns.iter_mut().zip(after).for_each(|(column, after)| column.push(after));
    }
    let bindings = [weights].into_iter().chain(first_moment..);
    bindings.zip(columns).map(|(binding, column)| close_bounded(binding, column)).collect()
}

/// Weights, and the rule's moments, of `n` parameters.
pub(super) fn state(kernel: &Kernel, n: usize) -> [Vec<Vec<u32>>; 2] {
    let n_moments = kernel.optimizer.expect("an update rule is joined in").n_moments();
    // Second moments are not negative.
    let moments = [uniform(3, n, 1e-2), positive(4, n, 1e-2)];
    [vec![uniform(2, n, 1.0)], moments.into_iter().take(n_moments).collect()]
}

/// What step `index` of `kernel` reads, and writes its loss to slot 3.
pub(super) fn step_params(kernel: &Kernel, n: usize, index: u64) -> StepParams {
    let optimizer = kernel.optimizer.expect("an update rule is joined in");
    let refinements = Refinements { encoding_rate: 3.0, ..Refinements::default() };
    let step = Steps::new(n as u32, 1, 0, 3e-3).starting_at(index).next().expect("without end");
    StepParams::new(&step, optimizer, &refinements, 3)
}

fn cases(kernel: &Kernel) -> Vec<Case> {
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
        let buffers = [vec![uniform(1, n, 1e-2)]].into_iter().chain(state(kernel, n)).flatten().collect();
        Case {
            step: step_params(kernel, n, index),
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
