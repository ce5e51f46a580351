//! The table of all kernels.

use crate::backend::gpu::kernel::{
    Alignment, Kernel, KernelDef, MatmulTiling, Operation, Specialization, Storage,
};
use crate::backend::gpu::ops;
use crate::model::{Activation, Loss, Optimizer};

/// Possible output activations; losses are compiled for these.
const OUTPUTS: [Activation; 2] = [Activation::Identity, Activation::Sigmoid];

/// Kernels that are not compiled per encoding formula.
static DEFINITIONS: &[&KernelDef] = &[
    &ops::sample::SAMPLE,
    &ops::sample::SAMPLE_BY_NETWORK,
    &ops::sample::SAMPLE_MASKED,
    &ops::sample::SAMPLE_BY_ERROR,
    &ops::streamed::STREAMED,
    &ops::sample::RASTER,
    &ops::encode::FOURIER,
    &ops::encode::FOURIER_ODD,
    &ops::columns::COPY,
    &ops::fourier::GRADIENTS,
    &ops::grid::ENCODE,
    &ops::grid::BACKWARD,
    &ops::grid::BACKWARD_FLOAT,
    &ops::grid::CLEAR,
    &ops::grid::GRADIENTS,
    &ops::dense::FORWARD,
    &ops::dense::BACKWARD_INPUT,
    &ops::dense::BACKWARD_WEIGHTS,
    &ops::dense::REDUCE_PARTIALS,
    &ops::dense::STORE_WEIGHTS,
    &ops::loss::LOSS,
    &ops::loss::REDUCE,
    &ops::refine::NORM,
    &ops::refine::CLIP,
    &ops::refine::AVERAGE,
    &ops::optimizer::UPDATES[0],
    &ops::optimizer::UPDATES[1],
    &ops::optimizer::UPDATES[2],
    &ops::finish::STEPS[0],
    &ops::finish::STEPS[1],
    &ops::finish::STEPS[2],
    &ops::muon::DIRECTION,
    &ops::muon::NORMALIZE,
    &ops::muon::POLYNOMIAL,
    &ops::muon::UPDATE,
    &ops::predict::OUTPUT,
    &ops::errors::SQUARED_ERRORS,
];

/// Those of them that are only for one network at a time.
static ALONE: [&KernelDef; 7] = [
    &ops::sample::SAMPLE_MASKED,
    &ops::sample::SAMPLE_BY_ERROR,
    &ops::streamed::STREAMED,
    &ops::sample::RASTER,
    &ops::loss::REDUCE,
    &ops::predict::OUTPUT,
    &ops::errors::SQUARED_ERRORS,
];

pub fn definitions() -> impl Iterator<Item = &'static KernelDef> {
    DEFINITIONS.iter().copied().chain(ops::pointwise::ENCODE).chain(ops::fused::all())
}

/// Update rules with constants that leave no term out.
fn example_rules() -> Vec<Optimizer> {
    let example = |name: &str| match name {
        "momentum" => Some(0.9),
        "weight_decay" => Some(0.01),
        _ => None,
    };
    let plain = Optimizer::Sgd { momentum: 0.0, weight_decay: 0.01 };
    Optimizer::ALL.iter().map(|rule| rule.kind().with(example)).chain([plain]).collect()
}

/// A definition with every formula that can be joined; of the many for whole networks, only examples.
fn formulas(def: &'static KernelDef) -> Vec<Kernel> {
    match def.specialization {
        Specialization::None => vec![Kernel::plain(def)],
        Specialization::Activation | Specialization::Matmul(_) => {
            Activation::ALL.iter().map(|&a| Kernel::with_activation(def, a)).collect()
        }
        Specialization::Loss => {
            let one = |&loss| OUTPUTS.map(|output| Kernel::with_loss(def, loss, output));
            Loss::ALL.iter().flat_map(one).collect()
        }
        Specialization::Optimizer(n_moments) => {
            let rules = example_rules().into_iter().filter(|rule| rule.n_moments() == n_moments);
            rules.map(|rule| Kernel::with_optimizer(def, rule)).collect()
        }
        Specialization::Network { .. } => ops::fused::examples(def),
    }
}

/// Every kernel with every formula that can be joined, and its variants.
pub fn kernels() -> Vec<Kernel> {
    let f32s: Vec<Kernel> = definitions().flat_map(formulas).collect();
    let others = f32s.iter().flat_map(variants).collect();
    let all = [f32s, others].concat();
    let wide = all.iter().filter(|kernel| kernel.def.adds_fixed_point);
    let wide = wide.map(|kernel| kernel.clone().with_wide_atomics()).collect();
    [all, wide, for_networks()].concat()
}

/// One kernel of each definition that several networks at once use.
fn for_networks() -> Vec<Kernel> {
    let is_used = |def: &&KernelDef| match def.specialization {
        Specialization::Network { loss } => loss,
        _ => !ALONE.iter().any(|other| **def == **other),
    };
    let example = |def: &'static KernelDef| {
        let with_matrices = match def.specialization {
            Specialization::Network { .. } => ops::fused::examples_with_matrices(def),
            _ => Vec::new(),
        };
        formulas(def).into_iter().take(1).chain(with_matrices.into_iter().take(1)).map(Kernel::for_networks)
    };
    definitions().filter(is_used).flat_map(example).collect()
}

/// Whether a kernel of this name exists. [`kernels`] lists only examples for whole networks and other tilings; of the
/// others only the base name is checked.
pub fn is_kernel(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let has_more = |def: &KernelDef| {
        matches!(def.specialization, Specialization::Network { .. } | Specialization::Matmul(_))
            && def.name == stem
    };
    kernels().iter().any(|kernel| kernel.name() == name) || definitions().any(has_more)
}

/// Formulas joined with other storages and tilings. Each of those computes what the f32 kernel does, so these
/// formulas represent all.
fn is_representative(kernel: &Kernel) -> bool {
    let activation = match kernel.def.specialization {
        Specialization::Matmul(_) => kernel.activation == Activation::Relu,
        _ => true,
    };
    activation && kernel.loss.is_none_or(|loss| matches!(loss, Loss::Mse | Loss::L1))
}

/// A product with values stored as f16, with its other tilings, and for layers whose rows are not aligned.
fn products(kernel: &Kernel, operation: Operation) -> Vec<Kernel> {
    let alignments = Alignment::all(operation);
    let unaligned = *alignments.last().expect("there are some");
    if !is_representative(kernel) {
        // Of the others one that is not 0 at 0, which padding must be all the same.
        let is_telling = matches!(kernel.activation, Activation::Gaussian { .. });
        return is_telling.then(|| kernel.clone().aligned(unaligned)).into_iter().collect();
    }
    let half = kernel.clone().stored_as(Storage::F16);
    let in_tiles = |kernel: &Kernel| MatmulTiling::ALL.map(|tiling| kernel.clone().tiled(tiling));
    // The kernel itself is already listed.
    let is_other = |k: &Kernel| k.tiling.multiplies(k.storage) && k != kernel;
    let others: Vec<_> = in_tiles(kernel).into_iter().filter(is_other).chain(in_tiles(&half)).collect();
    let of_others = others.iter().map(|other| other.clone().aligned(unaligned)).collect();
    // Chunks of matrices are taken by other code than those of tiles: of these, what is odd alone.
    let odd_alone = || alignments.iter().copied().filter(|alignment| alignment.n_odd() == 1);
    let with_matrices = others.iter().filter(|other| other.tiling.matrix_size().is_some());
    let of_matrices = with_matrices
        .flat_map(|other| odd_alone().map(|alignment| other.clone().aligned(alignment)))
        .collect();
    let of_this = alignments.iter().skip(1).map(|&alignment| kernel.clone().aligned(alignment)).collect();
    [others, of_others, of_matrices, of_this].concat()
}

/// A kernel with values stored as f16 and, if it is a product, its other variants.
fn variants(kernel: &Kernel) -> Vec<Kernel> {
    let half = kernel.clone().stored_as(Storage::F16);
    match kernel.def.specialization {
        Specialization::Matmul(operation) => products(kernel, operation),
        _ if half == *kernel || !is_representative(kernel) => Vec::new(),
        // Pictures are computed in f32, and f16 error bounds become vacuous for steep sines.
        Specialization::Network { loss } if !loss || kernel.activation != Activation::Relu => Vec::new(),
        Specialization::Network { .. } => {
            [vec![half], ops::fused::examples_with_matrices(kernel.def)].concat()
        }
        _ => vec![half],
    }
}
