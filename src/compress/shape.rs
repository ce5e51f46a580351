//! What a compressed picture consists of: grids of integers of falling size, and two small networks.

use std::ops::Range;

/// Neighbours (dx, dy) of an integer that are decoded before it, the most telling first.
pub(super) const NEIGHBOURS: [(isize, isize); 16] = [
    (-1, 0),
    (0, -1),
    (-1, -1),
    (1, -1),
    (-2, 0),
    (0, -2),
    (-2, -1),
    (2, -1),
    (-1, -2),
    (1, -2),
    (-3, 0),
    (0, -3),
    (-2, -2),
    (2, -2),
    (-3, -1),
    (3, -1),
];

/// Rows and columns around a grid that neighbours and convolutions reach.
pub(super) const MARGIN: usize = 4;

/// Width of the hidden layers of the network of probabilities.
pub(super) const HIDDEN: usize = 16;

/// Width of the hidden layer of the network of colours.
const FEATURES: usize = 32;

/// Grids, the smallest 64 times smaller than the picture.
const LEVELS: usize = 7;

/// Sizes of a compressed picture and of its networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Values of a pixel, 1 or 3.
    pub channels: usize,
    /// Grids, each half as large as the one before.
    pub(super) levels: usize,
    /// Width of the two hidden layers of the network of probabilities.
    pub(super) hidden: usize,
    /// Width of the hidden layer of the network of colours.
    pub(super) features: usize,
}

/// A layer's numbers of inputs, outputs and biases. A convolution has nine inputs for each value of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) biases: usize,
}

impl Layer {
    const fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, biases: outputs }
    }

    pub(super) fn n_weights(self) -> usize {
        self.inputs * self.outputs
    }

    pub(super) fn len(self) -> usize {
        self.n_weights() + self.biases
    }
}

/// Layers in the order of [`Shape::layers`]: three of the network of probabilities, two of colours, two convolutions, and
/// the weights of samples where a grid is enlarged.
pub(super) const N_LAYERS: usize = 8;
/// Layers of the network of probabilities.
pub(super) const CONTEXT_LAYERS: Range<usize> = 0..3;
/// Layers of the network of colours.
pub(super) const COLOUR_LAYERS: Range<usize> = 3..7;
/// The weights of four samples for each grid but the finest.
pub(super) const TAPS_LAYER: usize = 7;

impl Shape {
    /// Of a file.
    pub(super) fn of(width: u32, height: u32, channels: usize) -> Self {
        Self { width, height, channels, levels: LEVELS, hidden: HIDDEN, features: FEATURES }
    }

    /// Columns and rows of a grid.
    pub(super) fn grid(&self, level: usize) -> (usize, usize) {
        let half = |side: u32| (side as usize).div_ceil(1 << level);
        (half(self.width), half(self.height))
    }

    pub(super) fn n_pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    pub(super) fn layers(&self) -> [Layer; N_LAYERS] {
        let (hidden, features, channels) = (self.hidden, self.features, self.channels);
        let convolution = Layer::new(9 * channels, channels);
        [
            Layer::new(NEIGHBOURS.len(), hidden),
            Layer::new(hidden, hidden),
            // A bias for each level: how wide its integers are spread.
            Layer { biases: 2 * self.levels, ..Layer::new(hidden, 2) },
            Layer::new(self.levels, features),
            Layer::new(features, channels),
            convolution,
            convolution,
            Layer { inputs: 4, outputs: self.levels - 1, biases: 0 },
        ]
    }

    /// The weights of each layer, and behind them its biases, among all.
    pub(super) fn places(&self) -> [Range<usize>; N_LAYERS] {
        let mut end = 0;
        self.layers().map(|layer| {
            let begin = end;
            end += layer.len();
            begin..end
        })
    }
}

/// The coarse samples that a fine one of a row or column is the sum of, and which tap is whose weight. The fine sample 2j
/// lies a quarter of a sample before the coarse one j, and 2j + 1 behind. The first and the last are repeated.
#[inline(always)]
pub(super) fn taps_of(fine: usize, n_coarse: usize) -> [(usize, usize); 4] {
    let (j, last) = ((fine / 2) as isize, n_coarse as isize - 1);
    let first = if fine.is_multiple_of(2) { j - 2 } else { j - 1 };
    std::array::from_fn(|k| {
        let tap = if fine.is_multiple_of(2) { k } else { 3 - k };
        ((first + k as isize).clamp(0, last) as usize, tap)
    })
}
