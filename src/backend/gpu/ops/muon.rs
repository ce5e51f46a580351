//! Muon's steps of whole matrices: [`Orthogonalization`] by the products of linear layers. Matrices of one shape go side
//! by side, each in its part of the buffers, as several networks do: alone they are too small to fill a GPU.

mod reference;

use super::refine::{NORM_OF_SHARES, REDUCE_THREADS, REDUCE_TREE, STRIDED_SUM};
use super::{dense, refine};
use crate::backend::Job;
use crate::backend::gpu::device::Budget;
use crate::backend::gpu::kernel::{
    Kernel, KernelConfig, KernelDef, MatmulTiling, PART_WORDS, params_block, read, wgsl, write,
};
use crate::backend::gpu::plan::{BufferId, Dispatch, MuonBuffers, THREADS, TrainingBuffers, Workgroups};
use crate::model::network::LayerRange;
use crate::model::optimizer::Orthogonalization;
use crate::model::{Activation, LayerShape};

params_block! {
    MuonMatrixParams {
        grid_width: u32,
        n_matrices: u32,
        weight_offset: u32,
        /// From one matrix to the next, in the flat parameters.
        weight_stride: u32,
        /// From one matrix to the next, in x.
        x_stride: u32,
        input_width: u32,
        output_width: u32,
        /// Whether x is W^T: its rows are the shorter side.
        transposed: u32,
        /// L2 penalty on W.
        l2: f32,
        momentum: f32,
        one_minus_momentum: f32,
        /// Of a step, see [`Orthogonalization::step_scale`].
        scale: f32,
    }
}

params_block! {
    MuonNormalizeParams {
        grid_width: u32,
        n_values: u32,
        /// Partial sums of the squared norm.
        n_shares: u32,
        smallest_norm: f32,
    }
}

params_block! {
    MuonPolynomialParams {
        grid_width: u32,
        n_rows: u32,
        a: f32,
        b: f32,
        c: f32,
    }
}

pub(crate) static DIRECTION: KernelDef = KernelDef {
    name: "muon_direction",
    parts: &[wgsl!("muon_matrix.wgsl"), wgsl!("muon_direction.wgsl")],
    bindings: &[read("grads"), read("weights"), write("moment_0"), write("x")],
    ..KernelDef::plain::<MuonMatrixParams>(reference::direction, reference::direction_cases)
};

pub(crate) static NORMALIZE: KernelDef = KernelDef {
    name: "muon_normalize",
    parts: &[STRIDED_SUM, REDUCE_THREADS, REDUCE_TREE, NORM_OF_SHARES, wgsl!("muon_normalize.wgsl")],
    bindings: &[read("squares"), write("x")],
    ..KernelDef::plain::<MuonNormalizeParams>(reference::normalize, reference::normalize_cases)
};

pub(crate) static POLYNOMIAL: KernelDef = KernelDef {
    name: "muon_polynomial",
    parts: &[wgsl!("muon_polynomial.wgsl")],
    bindings: &[read("gram"), write("squared")],
    ..KernelDef::plain::<MuonPolynomialParams>(reference::polynomial_reference, reference::polynomial_cases)
};

pub(crate) static UPDATE: KernelDef = KernelDef {
    name: "muon_update",
    parts: &[wgsl!("muon_matrix.wgsl"), wgsl!("muon_update.wgsl")],
    uses_step: true,
    bindings: &[read("x"), write("weights")],
    ..KernelDef::plain::<MuonMatrixParams>(reference::update, reference::update_cases)
};

/// Rows and columns of x.
fn sides(shape: LayerShape) -> [usize; 2] {
    let LayerShape { input_width: i, output_width: o } = shape;
    [i.min(o), i.max(o)]
}

/// Matrices side by side: consecutive ones of one shape, as many as fit into a buffer.
fn alike<'a>(matrices: &'a [LayerRange], budget: &Budget) -> impl Iterator<Item = &'a [LayerRange]> {
    let fitting = budget.max_binding_bytes as usize / (4 * part_words(matrices));
    let most = fitting.clamp(1, budget.matrices_at_once);
    matrices.chunk_by(|a, b| a.shape == b.shape).flat_map(move |alike| alike.chunks(most))
}

/// Words of x of each of `matrices`. A row of zeros stands for the biases of products, on whole vectors.
fn part_words(matrices: &[LayerRange]) -> usize {
    let values = matrices.iter().map(|layer| layer.weight.len()).max().unwrap_or(0);
    let rows = matrices.iter().map(|layer| sides(layer.shape)[0]).max().unwrap_or(0);
    (values.next_multiple_of(4) + rows).next_multiple_of(PART_WORDS).max(1)
}

/// The buffers for `matrices`, which `add` makes from a name, a number of values, and how many matrices have so many.
pub(crate) fn buffers(
    matrices: &[LayerRange],
    budget: &Budget,
    mut add: impl FnMut(&str, usize, usize) -> BufferId,
) -> Option<MuonBuffers> {
    let rows = matrices.iter().map(|layer| sides(layer.shape)[0]).max()?;
    let values = matrices.iter().map(|layer| layer.weight.len()).max()?;
    let parts = alike(matrices, budget).map(<[_]>::len).max()?;
    let zeros = [values, rows * rows].map(|n| n.next_multiple_of(4));
    let n_x = part_words(matrices);
    Some(MuonBuffers {
        x: ["muon_x", "muon_next"].map(|name| add(name, n_x, parts)),
        gram: add("muon_gram", zeros[1] + rows, parts),
        squared: add("muon_squared", rows * rows, parts),
        squares: add("muon_squares", refine::n_shares(values), parts),
        zeros,
        x_stride: n_x,
    })
}

/// Workgroups below which smaller tiles are taken: a large GPU computes more than these at a time.
const WANTED_GROUPS: usize = 64;

/// That of a matrix's products, however many are side by side: each has the bits that it has alone.
fn tiling(shape: LayerShape) -> MatmulTiling {
    let [tile_rows, tile_columns] = MatmulTiling::Tile64.tile_shape();
    let [rows, columns] = sides(shape);
    let n_groups = rows.div_ceil(tile_rows) * columns.div_ceil(tile_columns);
    if n_groups < WANTED_GROUPS { MatmulTiling::Tile32 } else { MatmulTiling::Tile64 }
}

/// Steps of all matrices of a job, whose gradients are complete.
pub(crate) fn steps(job: &Job, buffers: (&TrainingBuffers, BufferId), budget: &Budget) -> Vec<Dispatch> {
    let layout = job.model.layout();
    let groups = alike(job.whole_matrices(&layout), budget);
    groups.flat_map(|matrices| step(job, matrices, buffers, budget.max_groups)).collect()
}

/// Matrices of one shape, with the buffers of all.
struct Matrices<'a> {
    layers: &'a [LayerRange],
    b: &'a MuonBuffers,
    config: &'a KernelConfig,
    max_groups: u32,
}

fn step(
    job: &Job,
    layers: &[LayerRange],
    (b, weights): (&TrainingBuffers, BufferId),
    max_groups: u32,
) -> Vec<Dispatch> {
    let Some(buffers) = &b.muon else { unreachable!("a step without its buffers") };
    // In f32, whatever is stored between layers.
    let config = KernelConfig { tiling: tiling(layers[0].shape), ..KernelConfig::default() };
    let matrices = Matrices { layers, b: buffers, config: &config, max_groups };
    let mut orthogonalized: Vec<_> = matrices.normalize().into();
    let mut x = buffers.x;
    for _ in 0..Orthogonalization::ROUNDS {
        orthogonalized.extend(matrices.round(x));
        x.swap(0, 1);
    }
    if layers.len() > 1 {
        orthogonalized.iter_mut().for_each(|dispatch| dispatch.repeat(layers.len()));
    }
    let first = matrices.direction(job, [b.grads, weights, b.moments[0], buffers.x[0]]);
    let last = matrices.update(job, [x[0], weights]);
    [first].into_iter().chain(orthogonalized).chain([last]).collect()
}

impl Matrices<'_> {
    fn first(&self) -> &LayerRange {
        &self.layers[0]
    }

    /// Values of a matrix.
    fn n_values(&self) -> usize {
        self.first().weight.len()
    }

    fn elementwise(&self, n: usize) -> Workgroups {
        Workgroups::fold(n.div_ceil(THREADS), self.max_groups)
    }

    fn of_elements(&self, def: &'static KernelDef, job: &Job, buffers: Vec<BufferId>) -> Dispatch {
        let Some(muon) = job.optimizer.muon() else { unreachable!("only Muon has whole matrices") };
        let n = self.n_values() * self.layers.len();
        let grid = self.elementwise(n);
        let LayerShape { input_width, output_width } = self.first().shape;
        let params = MuonMatrixParams {
            grid_width: grid.width,
            n_matrices: self.layers.len() as u32,
            weight_offset: self.first().weight.start as u32,
            weight_stride: self.first().whole().len() as u32,
            x_stride: self.b.x_stride as u32,
            input_width: input_width as u32,
            output_width: output_width as u32,
            transposed: (output_width > input_width).into(),
            l2: job.options.refinements.l2 as f32,
            momentum: muon.momentum as f32,
            one_minus_momentum: (1.0 - muon.momentum) as f32,
            scale: Orthogonalization::step_scale(self.first().shape) as f32,
        };
        Dispatch::new(Kernel::plain(def), &params, buffers, grid, 16.0 * n as f64)
    }

    fn direction(&self, job: &Job, buffers: [BufferId; 4]) -> Dispatch {
        self.of_elements(&DIRECTION, job, buffers.into())
    }

    fn update(&self, job: &Job, buffers: [BufferId; 2]) -> Dispatch {
        self.of_elements(&UPDATE, job, buffers.into())
    }

    fn normalize(&self) -> [Dispatch; 2] {
        let (n, b) = (self.n_values(), self.b);
        let grid = self.elementwise(n);
        let params = MuonNormalizeParams {
            grid_width: grid.width,
            n_values: n as u32,
            n_shares: refine::n_shares(n) as u32,
            smallest_norm: Orthogonalization::EPSILON as f32,
        };
        let buffers = vec![b.squares, b.x[0]];
        [
            refine::norm(n, [b.x[0], b.squares]),
            Dispatch::new(Kernel::plain(&NORMALIZE), &params, buffers, grid, 8.0 * n as f64),
        ]
    }

    /// x[1] = (a + b s + c s s) x[0] with s = x[0] x[0]^T.
    fn round(&self, x: [BufferId; 2]) -> [Dispatch; 4] {
        let ([rows, columns], b) = (sides(self.first().shape), self.b);
        // s and its square are rows of x and of s, multiplied with themselves as weights are.
        let by = |input_width: usize, zeros: usize| {
            let shape = LayerShape { input_width, output_width: rows };
            LayerRange { shape, weight: 0..rows * input_width, bias: zeros..zeros + rows }
        };
        let (of_x, of_gram) = (by(columns, b.zeros[0]), by(rows, b.zeros[1]));
        let product = |range| dense::Layer {
            range,
            activation_before: Activation::Identity,
            n_samples: rows,
            config: self.config,
            max_groups: self.max_groups,
        };
        [
            product(&of_x).forward([x[0], x[0], x[0], b.gram]),
            product(&of_gram).forward([b.gram, b.gram, b.gram, b.squared]),
            polynomial(rows, [b.gram, b.squared], self.max_groups),
            product(&of_x).backward_input([x[0], b.squared, x[1]]),
        ]
    }
}

/// squared = a + b gram + c squared
fn polynomial(n_rows: usize, buffers: [BufferId; 2], max_groups: u32) -> Dispatch {
    let n = n_rows * n_rows;
    let grid = Workgroups::fold(n.div_ceil(THREADS), max_groups);
    let [a, b, c] = Orthogonalization::COEFFICIENTS.map(|factor| factor as f32);
    let params = MuonPolynomialParams { grid_width: grid.width, n_rows: n_rows as u32, a, b, c };
    Dispatch::new(Kernel::plain(&POLYNOMIAL), &params, buffers.into(), grid, 8.0 * n as f64)
}
