//! Which matrices of a product have rows that begin on whole vectors of four numbers.

use super::{Operation, Source, wgsl};
use crate::model::network::LayerRange;

/// Numbers of a vector.
const VECTOR: usize = 4;

/// Matrices whose rows begin on whole vectors, so that four numbers are one load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// (samples, inputs)
    pub(crate) inputs: bool,
    /// (samples, outputs)
    pub(crate) outputs: bool,
    /// W within the flat parameters
    pub(crate) weights: bool,
}

impl Alignment {
    pub(crate) const ALL: Self = Self { inputs: true, outputs: true, weights: true };

    /// All that layers can have, as far as they matter to `operation`.
    pub(crate) fn all(operation: Operation) -> Vec<Self> {
        let both = [true, false];
        let alike = both.into_iter().flat_map(|inputs| both.map(|outputs| (inputs, outputs)));
        let matters = |weights: &bool| operation != Operation::BackwardWeights || *weights;
        let all = alike.flat_map(|(inputs, outputs)| {
            both.into_iter().filter(matters).map(move |weights| Self { inputs, outputs, weights })
        });
        // Rows of W are as wide as those of the inputs.
        all.filter(|a| a.inputs || !a.weights || operation == Operation::BackwardWeights).collect()
    }

    /// That of a layer, as far as it matters to `operation`.
    pub(crate) fn of(operation: Operation, range: &LayerRange) -> Self {
        let is_whole = |n: usize| n.is_multiple_of(VECTOR);
        let inputs = is_whole(range.shape.input_width);
        Self {
            inputs,
            outputs: is_whole(range.shape.output_width),
            weights: operation == Operation::BackwardWeights || inputs && is_whole(range.weight.start),
        }
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
    pub(super) fn constants(self) -> [(&'static str, f64); 3] {
        [
            ("INPUTS_ALIGNED", f64::from(self.inputs)),
            ("OUTPUTS_ALIGNED", f64::from(self.outputs)),
            ("WEIGHTS_ALIGNED", f64::from(self.weights)),
        ]
    }

    /// Used in the names of kernels: what is not aligned.
    pub(super) fn name(self) -> Option<String> {
        let parts = [(self.inputs, 'i'), (self.outputs, 'o'), (self.weights, 'w')];
        let letters: String = parts.iter().filter(|(is, _)| !is).map(|(_, letter)| letter).collect();
        (!letters.is_empty()).then(|| format!("odd-{letters}"))
    }
}
