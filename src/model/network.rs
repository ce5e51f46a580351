//! The shape of the multi-layer perceptron and the layout of the flat parameter buffer.

use super::Activation;
use std::ops::Range;

/// A multi-layer perceptron: `n_layers` linear layers with `activation` between them and
/// `output_activation` at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Input features.
    pub input_width: usize,
    /// Units of each hidden layer.
    pub hidden_width: usize,
    /// Colour channels.
    pub output_width: usize,
    /// Linear layers, at least 2.
    pub n_layers: usize,
    /// After every layer except the last.
    pub activation: Activation,
    /// After the last layer.
    pub output_activation: Activation,
}

/// Shape of one linear layer, y = x W^T + b with W of shape (output_width, input_width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// Columns of W.
    pub input_width: usize,
    /// Rows of W, and the length of b.
    pub output_width: usize,
}

impl LayerShape {
    /// Weights and biases together.
    pub fn n_params(self) -> usize {
        self.output_width * (self.input_width + 1)
    }
}

impl Mlp {
    /// From the widths of its input, hidden layers and output, and its hidden and output activations.
    pub fn new(widths: [usize; 3], n_layers: usize, activations: [Activation; 2]) -> Self {
        let ([input_width, hidden_width, output_width], [activation, output_activation]) =
            (widths, activations);
        Self { input_width, hidden_width, output_width, n_layers, activation, output_activation }
    }

    /// Shape of linear layer `layer`, from 0.
    pub fn layer(&self, layer: usize) -> LayerShape {
        assert!(layer < self.n_layers, "layer {layer} of {}", self.n_layers);
        LayerShape {
            input_width: if layer == 0 { self.input_width } else { self.hidden_width },
            output_width: if layer + 1 == self.n_layers { self.output_width } else { self.hidden_width },
        }
    }

    /// All linear layers in order.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = LayerShape> + '_ {
        (0..self.n_layers).map(|layer| self.layer(layer))
    }

    /// The activation after linear layer `layer`.
    pub fn activation_after(&self, layer: usize) -> Activation {
        if layer + 1 == self.n_layers { self.output_activation } else { self.activation }
    }

    /// The activation before linear layer `layer`: the identity for the first.
    pub fn activation_before(&self, layer: usize) -> Activation {
        if layer == 0 { Activation::Identity } else { self.activation }
    }

    /// Weights and biases of all layers.
    pub fn n_params(&self) -> usize {
        self.layers().map(LayerShape::n_params).sum()
    }

    /// Floating-point operations of one training step on `batch_size` samples, counting a
    /// multiply-add as two: forward pass, weight gradients, and input gradients of all layers except
    /// the first (whose are needed only by trained encodings).
    pub fn training_flop(&self, batch_size: usize) -> f64 {
        let weights = |l: LayerShape| (l.input_width * l.output_width) as f64;
        let all: f64 = self.layers().map(weights).sum();
        2.0 * batch_size as f64 * (3.0 * all - weights(self.layer(0)))
    }
}

/// Ranges of the flat parameter buffer, in order: encoding, then W and b of each layer.
///
/// Gradients and optimiser moments have the same layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamLayout {
    /// The encoding's trained weights; empty for fixed encodings.
    pub encoding: Range<usize>,
    /// The linear layers.
    pub layers: Vec<LayerRange>,
}

/// The ranges of one linear layer. `bias` directly follows `weight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRange {
    /// The layer's shape.
    pub shape: LayerShape,
    /// W: (output_width, input_width), row-major, as in `torch.nn.Linear`.
    pub weight: Range<usize>,
    /// b: (output_width)
    pub bias: Range<usize>,
}

impl LayerRange {
    /// W and b together.
    pub fn whole(&self) -> Range<usize> {
        self.weight.start..self.bias.end
    }
}

impl ParamLayout {
    /// The layout of `n_encoding` encoding weights followed by the layers of `network`.
    pub fn new(n_encoding: usize, network: &Mlp) -> Self {
        let mut end = n_encoding;
        let mut take = |n: usize| {
            let range = end..end + n;
            end += n;
            range
        };
        let layers = network
            .layers()
            .map(|shape| LayerRange {
                shape,
                weight: take(shape.input_width * shape.output_width),
                bias: take(shape.output_width),
            })
            .collect();
        Self { encoding: 0..n_encoding, layers }
    }

    /// Length of the flat buffer.
    pub fn n_params(&self) -> usize {
        self.layers.last().map_or(self.encoding.end, |l| l.bias.end)
    }
}
