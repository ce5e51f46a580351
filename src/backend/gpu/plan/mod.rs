//! A step as plain data: dispatches over named buffers.
//!
//! A plan is recorded once. The executor replays it for training; verification compares each dispatch with its
//! reference.

pub mod buffers;
pub mod picture;
pub mod ring;

pub(crate) use buffers::MuonBuffers;
pub use buffers::{ForwardBuffers, PicturePlace, TrainingBuffers};
pub(crate) use picture::PICTURE_PARTS;
pub use ring::{Piece, StagingRing};

use crate::backend::gpu::kernel::{Kernel, PART_WORDS, Storage};
use bytemuck::Pod;

/// Threads of an element-wise workgroup. `THREADS` in `header.wgsl`.
pub const THREADS: usize = 256;

/// Slots of the loss ring: the maximum number of steps of a submission.
pub(crate) const RING_SLOTS: usize = 1024;

/// A buffer of the layout a plan was recorded for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// A buffer of 32-bit words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferDecl {
    pub name: String,
    /// Row-major.
    pub(crate) shape: Vec<usize>,
    /// How many networks have such a part of it.
    pub(crate) networks: usize,
}

impl BufferDecl {
    pub(crate) fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_vec(), networks: 1 }
    }

    /// Words of a network's part.
    pub(crate) fn part_words(&self) -> u64 {
        let n: u64 = self.shape.iter().map(|&n| n as u64).product();
        if self.networks == 1 { n } else { n.next_multiple_of(PART_WORDS as u64) }
    }

    pub fn n_words(&self) -> u64 {
        self.networks as u64 * self.part_words()
    }

    pub fn size_bytes(&self) -> u64 {
        4 * self.n_words()
    }
}

/// Workgroups in two dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workgroups {
    pub width: u32,
    pub height: u32,
}

impl Workgroups {
    /// At least `n_groups` workgroups with at most `max_groups` in a dimension. The kernel leaves the surplus idle.
    pub(crate) fn fold(n_groups: usize, max_groups: u32) -> Self {
        let n_groups = n_groups as u64;
        let height = n_groups.div_ceil(u64::from(max_groups)).max(1);
        assert!(height <= 65_535, "{n_groups} workgroups exceed a grid");
        // Rows of equal width leave the fewest groups idle.
        Self { width: n_groups.div_ceil(height) as u32, height: height as u32 }
    }

    pub(crate) fn size(self) -> [u32; 2] {
        [self.width, self.height]
    }
}

/// One kernel over some buffers.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub(crate) kernel: Kernel,
    pub(crate) params: Vec<u8>,
    /// One for each storage binding.
    pub(crate) buffers: Vec<BufferId>,
    pub(crate) grid: [u32; 2],
    /// Networks computed at once.
    pub(crate) networks: u32,
    /// Approximate number of operations, for sizing submissions.
    pub(crate) cost: f64,
    /// The piece that the host must have sent before, if the picture stays there.
    pub(crate) piece: Option<Piece>,
}

/// The cost of starting a dispatch, in the unit of [`Dispatch::cost`].
const LAUNCH_COST: f64 = 1e6;

impl Dispatch {
    /// Records a dispatch of about `operations` operations.
    pub(crate) fn new<P: Pod>(
        kernel: Kernel,
        params: &P,
        buffers: Vec<BufferId>,
        grid: Workgroups,
        operations: f64,
    ) -> Self {
        assert_eq!(buffers.len(), kernel.def.bindings.len(), "buffers of {}", kernel.name());
        let params = bytemuck::bytes_of(params).to_vec();
        Self {
            kernel,
            params,
            buffers,
            grid: grid.size(),
            networks: 1,
            cost: operations + LAUNCH_COST,
            piece: None,
        }
    }

    /// The same for `n` networks at once.
    pub(crate) fn repeat(&mut self, n: usize) {
        self.kernel = self.kernel.clone().for_networks();
        self.networks = n as u32;
        self.cost *= n as f64;
    }
}

/// Dispatches in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub dispatches: Vec<Dispatch>,
}

impl Plan {
    /// The same with this storage of values between layers.
    pub(crate) fn stored_as(mut self, storage: Storage) -> Self {
        for dispatch in &mut self.dispatches {
            dispatch.kernel = dispatch.kernel.clone().stored_as(storage);
        }
        self
    }

    /// The same with 64-bit atomics where they can be used.
    pub(crate) fn with_wide_atomics(mut self) -> Self {
        for dispatch in &mut self.dispatches {
            dispatch.kernel = dispatch.kernel.clone().with_wide_atomics();
        }
        self
    }
}
