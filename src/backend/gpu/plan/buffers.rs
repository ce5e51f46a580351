//! What a plan is recorded over: buffers by what they hold.

use super::BufferId;
use super::picture::PICTURE_PARTS;
use super::ring::StagingRing;

/// Buffers of the forward pass.
#[derive(Clone, Debug, Default)]
pub struct ForwardBuffers {
    /// What each part of the encoding needs beside its weights: B (m, 2), or the levels of a grid.
    pub constants: Vec<Option<BufferId>>,
    /// (rows, widest part) as stored, where several encodings stand side by side.
    pub part: Option<BufferId>,
    /// (rows, 2)
    pub coords: BufferId,
    /// (rows, input width) as stored; one unused word where the network is fused
    pub features: BufferId,
    /// Pre-activations of each layer: (rows, output width) as stored; none where the network is fused.
    pub z: Vec<BufferId>,
    /// Flat parameters.
    pub params: BufferId,
    /// Those that predict: their moving average, where there is one.
    pub predicting: BufferId,
    /// (tile, channels)
    pub colours: BufferId,
}

/// Buffers that only training needs.
#[derive(Clone, Debug)]
pub struct TrainingBuffers {
    /// Where samples come from.
    pub picture: PicturePlace,
    /// (rows)
    pub sample_weights: BufferId,
    /// (rows, channels)
    pub targets: BufferId,
    /// Flat gradients.
    pub grads: BufferId,
    /// Fixed-point gradients of a grid's entries, unless they are added up as floats: (n, 2).
    pub grid_sums: Option<BufferId>,
    /// Flat moments of the optimiser.
    pub moments: Vec<BufferId>,
    /// The weights' moving average, if there is one.
    pub average: Option<BufferId>,
    /// Shares of the gradient's sum of squares, where it is clipped.
    pub squares: Option<BufferId>,
    /// (slices, parameters of a layer), or (workgroups, parameters of the network) where it is fused
    pub partials: BufferId,
    /// (workgroups of the loss, or of the fused step)
    pub loss_partials: BufferId,
    /// [loss so far, steps done]
    pub progress: BufferId,
    /// (slots, 2)
    pub ring: BufferId,
}

/// Where the picture is.
#[derive(Clone, Debug)]
pub enum PicturePlace {
    /// On the device, which picks the samples itself.
    Device {
        /// Parts of the picture; unused ones repeat the first.
        parts: [BufferId; PICTURE_PARTS],
        /// Words of each part but the last.
        words_per_part: usize,
        /// Which pixels are samples, where not each is one: numbers of those a mask leaves, or starts of
        /// the blocks of [`crate::model::Importance`].
        sample_index: Option<BufferId>,
    },
    /// On the host, which sends the samples.
    Host(StagingRing),
}
