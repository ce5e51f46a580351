//! The table of all kernels.

use crate::backend::gpu::kernel::{Kernel, KernelDef, MatmulTiling, Specialization, Storage};
use crate::backend::gpu::ops;
use crate::model::{Activation, Loss, Optimizer};

/// Possible output activations; losses are compiled for these.
const OUTPUTS: [Activation; 2] = [Activation::Identity, Activation::Sigmoid];

/// Kernels that are not compiled per encoding formula.
static DEFINITIONS: &[&KernelDef] = &[
    &ops::sample::SAMPLE,
    &ops::sample::SAMPLE_MASKED,
    &ops::sample::SAMPLE_BY_ERROR,
    &ops::streamed::STREAMED,
    &ops::sample::RASTER,
    &ops::encode::FOURIER,
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
    &ops::loss::LOSS,
    &ops::loss::REDUCE,
    &ops::refine::NORM,
    &ops::refine::CLIP,
    &ops::refine::AVERAGE,
    &ops::optimizer::UPDATES[0],
    &ops::optimizer::UPDATES[1],
    &ops::optimizer::UPDATES[2],
    &ops::muon::DIRECTION,
    &ops::muon::NORMALIZE,
    &ops::muon::POLYNOMIAL,
    &ops::muon::UPDATE,
    &ops::predict::OUTPUT,
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

/// Every kernel with every formula that can be joined; of the many for whole networks, only examples.
pub fn kernels() -> Vec<Kernel> {
    let formulas = |def: &'static KernelDef| -> Vec<Kernel> {
        match def.specialization {
            Specialization::None => vec![Kernel::plain(def)],
            Specialization::Activation | Specialization::Matmul => {
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
    };
    let f32s: Vec<Kernel> = definitions().flat_map(formulas).collect();
    let others = f32s.iter().flat_map(variants).collect();
    [f32s, others].concat()
}

/// Whether a kernel of this name exists. [`kernels`] lists only examples for whole networks and other tilings; of the
/// others only the base name is checked.
pub fn is_kernel(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let has_more = |def: &KernelDef| {
        matches!(def.specialization, Specialization::Network { .. } | Specialization::Matmul)
            && def.name == stem
    };
    kernels().iter().any(|kernel| kernel.name() == name) || definitions().any(has_more)
}

/// Formulas joined with other storages and tilings. Each of those computes what the f32 kernel does, so these
/// formulas represent all.
fn is_representative(kernel: &Kernel) -> bool {
    let activation = match kernel.def.specialization {
        Specialization::Matmul => kernel.activation == Activation::Relu,
        _ => true,
    };
    activation && kernel.loss.is_none_or(|loss| matches!(loss, Loss::Mse | Loss::L1))
}

/// A kernel with values stored as f16 and with its other tilings, if it has any.
fn variants(kernel: &Kernel) -> Vec<Kernel> {
    let half = kernel.clone().stored_as(Storage::F16);
    let in_tiles = |kernel: &Kernel| MatmulTiling::ALL.map(|tiling| kernel.clone().tiled(tiling));
    match kernel.def.specialization {
        _ if half == *kernel || !is_representative(kernel) => Vec::new(),
        Specialization::Matmul => {
            // Cooperative matrices multiply values stored as f16; the kernel itself is already listed.
            let plain = |k: &Kernel| k.tiling.matrix_size().is_none() && k != kernel;
            in_tiles(kernel).into_iter().filter(plain).chain(in_tiles(&half)).collect()
        }
        // Pictures are computed in f32, and f16 error bounds become vacuous for steep sines.
        Specialization::Network { loss } if !loss || kernel.activation != Activation::Relu => Vec::new(),
        _ => vec![half],
    }
}
