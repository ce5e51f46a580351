//! 3x3 convolutions of few planes, as dense layers over nine strips for each plane.

use super::density::Coded;
use super::planes::Planes;
use super::strips::{Dense, Strip};

/// Where the nine inputs of an output are.
pub(super) const AROUND: [(isize, isize); 9] =
    [(-1, -1), (0, -1), (1, -1), (-1, 0), (0, 0), (1, 0), (-1, 1), (0, 1), (1, 1)];

/// Strips of all planes around each of nine neighbours of the pixels from `x`, `y` on.
#[inline(always)]
pub(super) fn gather<T: Coded>(planes: &Planes<T>, (x, y): (usize, usize), strips: &mut [Strip<T>]) {
    for (strips, (dx, dy)) in strips.chunks_exact_mut(planes.count).zip(AROUND) {
        for (plane, strip) in strips.iter_mut().enumerate() {
            planes.strip(plane, x as isize + dx, y as isize + dy, strip);
        }
    }
}

/// A convolution, and the one that takes its gradients back.
pub(super) struct Convolution<T> {
    pub(super) forward: Dense<T>,
    pub(super) backward: Dense<T>,
}

impl<T: Coded> Convolution<T> {
    /// values: (9, planes, planes) weights and the biases.
    pub(super) fn new(planes: usize, values: &[T]) -> Self {
        let square = planes * planes;
        let mut back = vec![T::zero(); values.len()];
        for (n, &value) in values[..9 * square].iter().enumerate() {
            let (place, input, output) = (n / square, n / planes % planes, n % planes);
            back[((8 - place) * planes + output) * planes + input] = value;
        }
        Self {
            forward: Dense::new(9 * planes, planes, values),
            backward: Dense::new(9 * planes, planes, &back),
        }
    }
}
