//! The order of an epoch's samples, and positions of pixels in the plane.
//!
//! The order uses integer arithmetic only, as in `shaders/sample.wgsl`, so that both backends see
//! the same samples in the same order.

use crate::names::named;
use std::num::NonZeroU32;

named! {
    /// Where pixels lie in the plane the network sees. x runs right, y down.
    pub enum Coords {
        /// Pixel centres over the longer side: ((x + 0.5), (y + 0.5)) / max(W, H).
        Center "center",
        /// Corners, each axis on [0, 1): (x / W, y / H). The convention of the paper's notebooks.
        Corner "corner",
    }
}

/// A raster of points in the plane: the pixels of a picture to train on or to render.
///
/// Pixel (x, y) is at `origin + (first + (x, y)) * step`, evaluated in f32, so that a part of a
/// larger raster has exactly the positions of the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raster {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Column and row of this part's pixel (0, 0) in the whole raster.
    pub first: [u32; 2],
    /// Position of pixel (0, 0) of the whole raster.
    pub origin: [f32; 2],
    /// Distance between neighbours in x and in y.
    pub step: [f32; 2],
}

impl Raster {
    /// All pixels of a picture.
    pub fn new(width: u32, height: u32, coords: Coords) -> Self {
        let (origin, step) = Self::geometry(width, height, coords);
        Self { width, height, first: [0; 2], origin: origin.map(|v| v as f32), step: step.map(|v| v as f32) }
    }

    /// Origin and step of a picture's pixels before they are rounded.
    pub fn geometry(width: u32, height: u32, coords: Coords) -> ([f64; 2], [f64; 2]) {
        let (w, h) = (f64::from(width), f64::from(height));
        match coords {
            Coords::Center => ([0.5 / w.max(h); 2], [1.0 / w.max(h); 2]),
            Coords::Corner => ([0.0; 2], [1.0 / w, 1.0 / h]),
        }
    }

    /// Number of points.
    pub fn n_pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Position of pixel number `pixel`, row by row.
    #[inline(always)]
    pub fn position_of(&self, pixel: u64) -> [f32; 2] {
        let width = u64::from(self.width);
        self.position((pixel % width) as u32, (pixel / width) as u32)
    }

    /// Position of pixel (x, y).
    #[inline(always)]
    pub fn position(&self, x: u32, y: u32) -> [f32; 2] {
        let at = |axis: usize, i: u32| (self.first[axis] + i) as f32 * self.step[axis] + self.origin[axis];
        [at(0, x), at(1, y)]
    }
}

named! {
    /// Which pixels are held out from training and measured as the test split.
    pub enum Holdout {
        /// Train on every pixel; there is no test split.
        None "none",
        /// Train on the pixels with even x and even y, test on those with odd x and odd y, as in
        /// Tancik et al. 2020.
        EveryOther "every-other",
        /// Train on the pixels with even x and even y, test on all pixels including those, as in UIUC
        /// CS 444's second assignment.
        EveryOtherAll "every-other-all",
    }
}

/// The training pixels of a picture of `width` by `height`, numbered from 0 row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleSet {
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// Which pixels are held out.
    pub holdout: Holdout,
    /// Number of training pixels inside the [`super::Mask`], if there is one.
    pub masked: Option<NonZeroU32>,
}

impl SampleSet {
    /// Distance between neighbouring training pixels: 1, or 2 with a held-out split.
    pub fn stride(&self) -> u32 {
        match self.holdout {
            Holdout::None => 1,
            Holdout::EveryOther | Holdout::EveryOtherAll => 2,
        }
    }

    /// Training pixels per row of training pixels.
    pub fn columns(&self) -> u32 {
        self.width.div_ceil(self.stride())
    }

    /// Rows of training pixels.
    pub fn rows(&self) -> u32 {
        self.height.div_ceil(self.stride())
    }

    /// Number of training pixels.
    pub fn len(&self) -> u32 {
        let all = self.columns() * self.rows();
        self.masked.map_or(all, NonZeroU32::get)
    }

    /// Whether there are no training pixels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// (x, y) of training pixel `index`, without a mask.
    #[inline(always)]
    pub fn pixel(&self, index: u32) -> (u32, u32) {
        let columns = self.columns();
        let stride = self.stride();
        ((index % columns) * stride, (index / columns) * stride)
    }

    /// Whether pixel (x, y) is trained on.
    pub fn in_training_split(&self, x: u32, y: u32) -> bool {
        self.holdout == Holdout::None || (x.is_multiple_of(2) && y.is_multiple_of(2))
    }

    /// Row and column of the first pixel of the test split, and the distance between its pixels in x and in y.
    pub fn test_split(&self) -> [u32; 2] {
        match self.holdout {
            Holdout::None => [u32::MAX, 1],
            Holdout::EveryOther => [1, 2],
            Holdout::EveryOtherAll => [0, 1],
        }
    }

    /// Whether pixel (x, y) belongs to the test split.
    pub fn in_test_split(&self, x: u32, y: u32) -> bool {
        let [first, stride] = self.test_split();
        [x, y].iter().all(|at| at.checked_sub(first).is_some_and(|at| at.is_multiple_of(stride)))
    }
}

/// A keyed bijection on 0..n: the sample order of one epoch.
///
/// A balanced Feistel network (Luby and Rackoff 1988) on the smallest even number of bits that
/// holds n, repeated until the result is below n (cycle walking, Black and Rogaway 2002): fewer than
/// four times on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffle {
    /// Number of samples in an epoch.
    pub n: u32,
    /// Bits in each half of the network's block.
    pub half_bits: u32,
    /// One key per round.
    pub keys: [u32; Self::ROUNDS],
}

impl Shuffle {
    /// Rounds of the Feistel network.
    pub const ROUNDS: usize = 4;

    /// The order of epoch `epoch` under `seed`, for `n` samples.
    pub fn new(n: u32, seed: u64, epoch: u64) -> Self {
        let bits = (u32::BITS - n.saturating_sub(1).leading_zeros()).max(2);
        let mut state = seed ^ epoch.wrapping_mul(0xd134_2543_de82_ef95);
        let keys = std::array::from_fn(|_| split_mix(&mut state) as u32);
        Self { n, half_bits: bits.div_ceil(2), keys }
    }

    /// The pixel index of sample `i`, both below n.
    #[inline]
    pub fn index(&self, i: u32) -> u32 {
        debug_assert!(i < self.n);
        let mut x = self.walk(i);
        while x >= self.n {
            x = self.walk(x);
        }
        x
    }

    /// [`Shuffle::index`] of `N` samples from `first` on, with the last sample repeated beyond n. Vectorised: all walk
    /// as many steps as the longest.
    #[inline(always)]
    pub fn indices<const N: usize>(&self, first: u32) -> [u32; N] {
        debug_assert!(first < self.n);
        let left = self.n - 1 - first;
        let mut x: [u32; N] = std::array::from_fn(|k| first + left.min(k as u32)).map(|i| self.walk(i));
        while x.iter().fold(false, |any, &x| any | (x >= self.n)) {
            x = x.map(|x| {
                let next = self.walk(x);
                if x < self.n { x } else { next }
            });
        }
        x
    }

    /// One pass through the network.
    #[inline(always)]
    fn walk(&self, x: u32) -> u32 {
        let mask = (1u32 << self.half_bits) - 1;
        let (mut left, mut right) = (x >> self.half_bits, x & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// A 32-bit integer hash with full avalanche: the finaliser of MurmurHash3.
#[inline(always)]
pub(super) fn mix(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// SplitMix64 (Steele, Lea and Flood 2014): spreads a seed over the round keys.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_is_a_bijection() {
        for n in [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4099, 65_537] {
            let shuffle = Shuffle::new(n, 7, 3);
            let mut seen = vec![false; n as usize];
            for i in 0..n {
                let index = shuffle.index(i);
                assert!(index < n, "{index} is not below {n}");
                assert!(!seen[index as usize], "{index} appears twice of {n}");
                seen[index as usize] = true;
            }
        }
    }

    #[test]
    fn many_at_a_time_are_the_same_as_each() {
        for n in [1, 5, 16, 17, 1000, 65_536, 65_537] {
            let shuffle = Shuffle::new(n, 7, 3);
            for first in [0, 1, n / 3, n - 1].into_iter().filter(|&first| first < n) {
                let expected: [u32; 16] =
                    std::array::from_fn(|k| shuffle.index((first + k as u32).min(n - 1)));
                assert_eq!(shuffle.indices(first), expected, "{first} of {n}");
            }
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let order = |seed, epoch| -> Vec<u32> {
            let shuffle = Shuffle::new(1000, seed, epoch);
            (0..1000).map(|i| shuffle.index(i)).collect()
        };
        assert_ne!(order(0, 0), order(0, 1));
        assert_ne!(order(0, 0), order(1, 0));
        assert_eq!(order(5, 9), order(5, 9));
    }

    #[test]
    fn splits_are_disjoint_and_cover_the_papers_pixels() {
        let set = SampleSet { width: 5, height: 4, holdout: Holdout::EveryOther, masked: None };
        assert_eq!((set.columns(), set.len()), (3, 6));
        for i in 0..set.len() {
            let (x, y) = set.pixel(i);
            assert!(set.in_training_split(x, y) && !set.in_test_split(x, y));
        }
        let pixels = || (0..4).flat_map(|y| (0..5).map(move |x| (x, y)));
        assert_eq!(pixels().filter(|&(x, y)| set.in_test_split(x, y)).count(), 4);
        let all = SampleSet { holdout: Holdout::EveryOtherAll, ..set };
        assert_eq!((all.len(), all.pixel(4)), (set.len(), set.pixel(4)));
        assert!(pixels().all(|(x, y)| all.in_test_split(x, y)));
        assert_eq!(pixels().filter(|&(x, y)| all.in_training_split(x, y)).count(), 6);
    }
}
