//! The buffers of a plan, by content.

use super::BufferId;
use super::picture::PICTURE_PARTS;
use super::ring::StagingRing;

/// Buffers of the forward pass.
#[derive(Clone, Debug, Default)]
pub struct ForwardBuffers {
    /// Constants of each part of the encoding: B (m, 2), or the levels of a grid.
    pub(crate) constants: Vec<Option<BufferId>>,
    /// (rows, widest part) as stored, if several encodings are side by side.
    pub(crate) part: Option<BufferId>,
    /// (rows, 2)
    pub coords: BufferId,
    /// (rows, input width) as stored; one unused word where the network is fused
    pub features: BufferId,
    /// Pre-activations of each layer: (rows, output width) as stored; empty if the network is fused.
    pub z: Vec<BufferId>,
    pub(crate) params: BufferId,
    /// The same as products read them: `params`, or a copy as stored.
    pub(crate) weights: BufferId,
    /// Parameters for predictions: their moving average, if there is one.
    pub(crate) predicting: BufferId,
    /// (tile, channels)
    pub(crate) colours: BufferId,
}

/// Buffers that only training needs.
#[derive(Clone, Debug)]
pub struct TrainingBuffers {
    pub picture: PicturePlace,
    /// (rows)
    pub(crate) sample_weights: BufferId,
    /// (rows, channels)
    pub targets: BufferId,
    pub(crate) grads: BufferId,
    /// Fixed-point gradients of a grid's entries, unless they are summed as floats: (n, 2).
    pub(crate) grid_sums: Option<BufferId>,
    pub(crate) moments: Vec<BufferId>,
    /// If matrices are updated as a whole.
    pub(crate) muon: Option<MuonBuffers>,
    /// The weights' moving average, if there is one.
    pub(crate) average: Option<BufferId>,
    /// Partial sums of the gradient's squared norm, if it is clipped.
    pub(crate) squares: Option<BufferId>,
    /// (slices, parameters of a layer), or (workgroups, parameters of the network) if it is fused
    pub(crate) partials: BufferId,
    /// (workgroups of the loss, or of the fused step)
    pub(crate) loss_partials: BufferId,
    /// [loss so far, steps done]
    pub(crate) progress: BufferId,
    /// (slots, 2)
    pub(crate) ring: BufferId,
    /// (workgroups that compare the picture's tiles, 16), if the device compares them
    pub(crate) errors: Option<BufferId>,
}

impl TrainingBuffers {
    /// What a state consists of, in its order: `params`, the moments and the average.
    pub(crate) fn of_state(&self, params: BufferId) -> Vec<BufferId> {
        [params].into_iter().chain(self.moments.iter().copied()).chain(self.average).collect()
    }
}

/// Work space of Muon's steps, large enough for each matrix; a part for each of those side by side.
#[derive(Clone, Debug)]
pub(crate) struct MuonBuffers {
    /// x before and after a round, then zeros.
    pub x: [BufferId; 2],
    /// x x^T, then zeros.
    pub gram: BufferId,
    /// The square of x x^T, and the polynomial.
    pub squared: BufferId,
    /// Partial sums of the squared norm of x.
    pub squares: BufferId,
    /// Where the zeros of x and of x x^T begin.
    pub zeros: [usize; 2],
    /// Words of x of each matrix.
    pub x_stride: usize,
}

#[derive(Clone, Debug)]
pub enum PicturePlace {
    /// On the device, which selects the samples itself.
    Device {
        /// Parts of the picture; unused ones repeat the first.
        parts: [BufferId; PICTURE_PARTS],
        n_parts: usize,
        /// Words of each part but the last.
        words_per_part: usize,
        /// Which pixels are samples, unless each is one: numbers of those inside a mask, or starts of the blocks of
        /// [`crate::model::Importance`]. Or the keys of an order of its own for each of several networks.
        sample_index: Option<BufferId>,
    },
    /// On the host, which sends the samples.
    Host(StagingRing),
}
