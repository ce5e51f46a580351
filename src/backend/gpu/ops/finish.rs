//! The end of a fused step in one kernel: its loss, the gradients of all parameters, and their update.

use super::optimizer::{MOMENTS, UPDATE_ONE};
use super::refine::{REDUCE_THREADS, REDUCE_TREE, STRIDED_SUM};
use super::testing::{case, poison, uniform};
use super::{grid, loss, optimizer};
use crate::backend::Job;
use crate::backend::gpu::kernel::tolerance::{Bounded, FLUSH, sum_of_products};
use crate::backend::gpu::kernel::{
    Binding, Call, Case, Expected, Kernel, KernelDef, Source, Specialization, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, THREADS, TrainingBuffers, Workgroups};

params_block! {
    FinishParams {
        grid_width: u32,
        /// Workgroups with work.
        n_groups: u32,
        /// Those of the network's parameters.
        n_network_groups: u32,
        /// Workgroups of the step.
        n_partials: u32,
        /// Parameters of the network, which come last.
        n_network: u32,
        /// Encoding weights, which come first.
        n_encoding: u32,
        /// L2 penalty on those.
        encoding_l2: f32,
        /// L2 penalty on the others.
        l2: f32,
        /// The value of a partial gradient of 1.
        unit: f32,
    }
}

const BINDINGS: &[Binding] = &[
    read("partials"),
    write("weights"),
    read("loss_partials"),
    write("progress"),
    write("ring"),
    write("sums"),
    write("moment_0"),
    write("moment_1"),
];
const FIRST: Source = wgsl!("moments/finish_first.wgsl");
const SECOND: Source = wgsl!("moments/finish_second.wgsl");
const FINISH: Source = wgsl!("finish_step.wgsl");

/// Parameters of the network for a workgroup. `COLUMNS` in `finish_step.wgsl`.
const COLUMNS: usize = 32;

const fn definition(name: &'static str, n_moments: usize, parts: &'static [Source]) -> KernelDef {
    KernelDef {
        name,
        parts,
        specialization: Specialization::Optimizer(n_moments),
        uses_step: true,
        bindings: BINDINGS.split_at(6 + n_moments).0,
        ..KernelDef::plain::<FinishParams>(reference, cases)
    }
}

/// For rules with no, one and two moments.
pub(crate) static STEPS: [KernelDef; 3] = [
    definition(
        "finish_step_0",
        0,
        &[STRIDED_SUM, REDUCE_THREADS, REDUCE_TREE, grid::FIXED_POINT_VALUE, MOMENTS[0], UPDATE_ONE, FINISH],
    ),
    definition(
        "finish_step_1",
        1,
        &[
            STRIDED_SUM,
            REDUCE_THREADS,
            REDUCE_TREE,
            grid::FIXED_POINT_VALUE,
            FIRST,
            MOMENTS[1],
            UPDATE_ONE,
            FINISH,
        ],
    ),
    definition(
        "finish_step_2",
        2,
        &[
            STRIDED_SUM,
            REDUCE_THREADS,
            REDUCE_TREE,
            grid::FIXED_POINT_VALUE,
            FIRST,
            SECOND,
            MOMENTS[2],
            UPDATE_ONE,
            FINISH,
        ],
    ),
];

/// Whether the step of `job`, in one part, can end so: nothing else reads its gradients.
pub(crate) fn is_possible(job: &Job) -> bool {
    job.options.refinements.clip_norm.is_none() && job.whole_matrices(&job.model.layout()).is_empty()
}

/// Ends a step of `n_partials` workgroups, whose gradients have the value `unit` where they are 1.
pub(crate) fn finish(
    job: &Job,
    (b, weights): (&TrainingBuffers, BufferId),
    (n_partials, unit): (usize, f32),
    max_groups: u32,
) -> Dispatch {
    let (optimizer, layout, refinements) = (job.optimizer, job.model.layout(), &job.options.refinements);
    let n_encoding = layout.encoding.len();
    let n_network = layout.n_params() - n_encoding;
    let penalties = [refinements.encoding_l2, refinements.l2].map(|penalty| penalty as f32);
    let (params, grid) = params([n_encoding, n_network, n_partials], penalties, unit, max_groups);
    let mut buffers = vec![b.partials, weights, b.loss_partials, b.progress, b.ring];
    // Without a grid nothing is read there, and nothing else uses `grads`.
    buffers.push(b.grid_sums.unwrap_or(b.grads));
    buffers.extend(&b.moments);
    let kernel = Kernel::with_optimizer(&STEPS[optimizer.n_moments()], optimizer);
    let cost = (40 * layout.n_params() + 4 * n_network * n_partials) as f64;
    Dispatch::new(kernel, &params, buffers, grid, cost)
}

fn params(
    [n_encoding, n_network, n_partials]: [usize; 3],
    [encoding_l2, l2]: [f32; 2],
    unit: f32,
    max_groups: u32,
) -> (FinishParams, Workgroups) {
    let n_network_groups = n_network.div_ceil(COLUMNS);
    let n_groups = 1 + n_network_groups + n_encoding.div_ceil(THREADS);
    let grid = Workgroups::fold(n_groups, max_groups);
    let params = FinishParams {
        grid_width: grid.width,
        n_groups: n_groups as u32,
        n_network_groups: n_network_groups as u32,
        n_partials: n_partials as u32,
        n_network: n_network as u32,
        n_encoding: n_encoding as u32,
        encoding_l2,
        l2,
        unit,
    };
    (params, grid)
}

fn reference(call: &Call) -> Vec<Expected> {
    let p: FinishParams = call.params();
    let (n, n_partials, unit) = (p.n_network as usize, p.n_partials as usize, f64::from(p.unit));
    let partials = call.f64s(0, 0, n * n_partials);
    let of_network = |i: usize| {
        let column = || partials[i..].iter().step_by(n).map(|partial| unit * partial);
        let magnitude: f64 = column().map(f64::abs).sum();
        Bounded { value: column().sum(), error: magnitude * sum_of_products(n_partials) + FLUSH }
    };
    let (of_encoding, cleared) = grid::entry_gradients(call, 5, p.n_encoding as usize);
    let gradients: Vec<_> = of_encoding.into_iter().chain((0..n).map(of_network)).map(Some).collect();
    let mut expected = optimizer::updated(call, [1, 6], (p.n_encoding, [p.encoding_l2, p.l2]), &gradients);
    expected.extend(loss::summed(call, n_partials, [2, 3, 4], [true, true]));
    expected.push(cleared);
    expected
}

fn cases(kernel: &Kernel) -> Vec<Case> {
    let one = |sizes: [usize; 3], unit: f32, max_groups: u32| {
        let [n_encoding, n_network, n_partials] = sizes;
        let n = n_encoding + n_network;
        let (params, grid) = params(sizes, [0.1, 1e-3], unit, max_groups);
        let [weights, moments] = optimizer::state(kernel, n);
        let mut buffers = vec![uniform(1, n_network * n_partials, 1e-2)];
        buffers.extend(weights);
        buffers.extend(loss::sums(n_partials));
        // Sums of gradients, of which the largest are 1/16.
        buffers.push(if n_encoding > 0 { grid::entry_sums(n_encoding, 15) } else { poison(0) });
        buffers.extend(moments);
        let label = format!("{n_encoding} and {n_network} parameters, {n_partials} partial sums");
        Case {
            step: optimizer::step_params(kernel, n, n_partials as u64),
            ..case(label, params, buffers, grid.size())
        }
    };
    vec![
        one([0, 1, 1], 1.0, 65_535),
        one([0, 67, 9], 0.125, 65_535),
        one([300, 32, 70], 1.0, 65_535),
        one([1021, 257, 300], 0.5, 3),
    ]
}
