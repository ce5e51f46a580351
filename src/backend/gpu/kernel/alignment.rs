//! Which matrices of a product have rows that begin on whole chunks, the numbers that a thread moves at a time, and whether
//! its sums are of whole tiles.

use super::{MatmulTiling, Operation, Source, wgsl};
use crate::model::LayerShape;
use crate::model::network::LayerRange;

/// Matrices whose rows begin on whole chunks: then a chunk has no part of another vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// (samples, inputs)
    pub(crate) inputs: bool,
    /// (samples, outputs)
    pub(crate) outputs: bool,
    /// W within the flat parameters
    pub(crate) weights: bool,
    /// The terms of a sum: a whole number of tiles, so that nothing needs to be left out.
    pub(crate) depth: bool,
}

impl Alignment {
    pub(crate) const ALL: Self = Self { inputs: true, outputs: true, weights: true, depth: true };

    /// All that layers can have, as far as they matter to `operation`.
    pub(crate) fn all(operation: Operation) -> Vec<Self> {
        let bits = |n: u32| [0, 1, 2, 3].map(|bit| n >> bit & 1 == 0);
        let all = (0..16).map(bits);
        all.map(|[inputs, outputs, weights, depth]| Self { inputs, outputs, weights, depth })
            .filter(|a| match operation {
                // Rows of W are as wide as those of the inputs.
                Operation::Forward => a.inputs || !a.weights && !a.depth,
                Operation::BackwardInput => (a.inputs || !a.weights) && (a.outputs || !a.depth),
                Operation::BackwardWeights => a.weights,
            })
            .collect()
    }

    /// That of a layer's product over `n_samples` samples, as far as it matters to `operation`.
    pub(crate) fn of(
        (operation, tiling): (Operation, MatmulTiling),
        range: &LayerRange,
        n_samples: usize,
    ) -> Self {
        let is_whole = |n: usize| n.is_multiple_of(tiling.chunk());
        let inputs = is_whole(range.shape.input_width);
        Self {
            inputs,
            outputs: is_whole(range.shape.output_width),
            weights: operation == Operation::BackwardWeights || inputs && is_whole(range.weight.start),
            depth: terms(operation, range.shape, n_samples).is_multiple_of(tiling.depth()),
        }
    }

    /// How much of it is not aligned.
    pub(crate) fn n_odd(self) -> usize {
        [self.inputs, self.outputs, self.weights, self.depth].into_iter().filter(|is| !is).count()
    }

    /// Whether the results are aligned.
    fn results(self, operation: Operation) -> bool {
        match operation {
            Operation::Forward => self.outputs,
            Operation::BackwardInput => self.inputs,
            // A slice's partial sums follow those of the one before.
            Operation::BackwardWeights => self.inputs && self.outputs,
        }
    }

    /// The file with the type of the results.
    pub(super) fn results_source(self, operation: Operation) -> Source {
        match self.results(operation) {
            true => wgsl!("matmul/results_aligned.wgsl"),
            false => wgsl!("matmul/results_unaligned.wgsl"),
        }
    }

    /// Override constants of `matmul/params.wgsl`.
    pub(super) fn constants(self) -> [(&'static str, f64); 4] {
        [
            ("INPUTS_ALIGNED", f64::from(self.inputs)),
            ("OUTPUTS_ALIGNED", f64::from(self.outputs)),
            ("WEIGHTS_ALIGNED", f64::from(self.weights)),
            ("DEPTH_WHOLE", f64::from(self.depth)),
        ]
    }

    /// Used in the names of kernels: what is not aligned.
    pub(super) fn name(self) -> Option<String> {
        let parts = [(self.inputs, 'i'), (self.outputs, 'o'), (self.weights, 'w'), (self.depth, 'k')];
        let letters: String = parts.iter().filter(|(is, _)| !is).map(|(_, letter)| letter).collect();
        (!letters.is_empty()).then(|| format!("odd-{letters}"))
    }
}

/// Terms of each sum of a product; the slices of a sum over samples are whole tiles, but for the last.
fn terms(operation: Operation, shape: LayerShape, n_samples: usize) -> usize {
    match operation {
        Operation::Forward => shape.input_width,
        Operation::BackwardInput => shape.output_width,
        Operation::BackwardWeights => n_samples,
    }
}
