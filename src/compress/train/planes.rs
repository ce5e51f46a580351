//! Grids of numbers with margins, row by row.

use super::strips::{STRIP, Strip};
use crate::backend::cpu::simd::{PANEL, SimdReal};
use crate::compress::shape::MARGIN;

/// Some planes of one size: for each row, the rows of all planes. Margins are 0.
#[derive(Clone, Debug)]
pub(super) struct Planes<T> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) count: usize,
    /// From a row of one plane to that of the next.
    pub(super) stride: usize,
    pub(super) data: Vec<T>,
}

impl<T: SimdReal> Planes<T> {
    pub(super) fn new((width, height): (usize, usize), count: usize) -> Self {
        let stride = 2 * MARGIN + width.next_multiple_of(STRIP);
        let data = vec![T::zero(); stride * count * (height + 2 * MARGIN)];
        Self { width, height, count, stride, data }
    }

    /// Values of a row of all planes, margins included.
    pub(super) fn row_len(&self) -> usize {
        self.count * self.stride
    }

    /// Where a value is; `x` and `y` may be in the margins.
    #[inline(always)]
    pub(super) fn place(&self, plane: usize, x: isize, y: isize) -> usize {
        ((y + MARGIN as isize) as usize * self.count + plane) * self.stride + (x + MARGIN as isize) as usize
    }

    /// A row of one plane without margins.
    pub(super) fn row(&self, plane: usize, y: usize) -> &[T] {
        &self.data[self.place(plane, 0, y as isize)..][..self.width]
    }

    /// All rows of all planes without the margins above and below.
    pub(super) fn rows_mut(&mut self) -> &mut [T] {
        let row = self.row_len();
        &mut self.data[MARGIN * row..(MARGIN + self.height) * row]
    }

    /// Copies pixels from `x`, `y` on, whatever margin they are in.
    #[inline(always)]
    pub(super) fn strip(&self, plane: usize, x: isize, y: isize, strip: &mut Strip<T>) {
        let place = self.place(plane, x, y);
        let (panels, _) = self.data[place..place + STRIP].as_chunks::<PANEL>();
        // Its length is known to the compiler, so that it is a few loads and stores.
        *strip = *panels.first_chunk().expect("panels of a strip");
    }
}

/// Sets the gradients of a strip to 0 beyond the `n` pixels that a row still has.
#[inline(always)]
pub(super) fn cut<T: SimdReal>(strips: &mut [Strip<T>], n: usize) {
    if n < STRIP {
        for strip in strips {
            strip.as_flattened_mut()[n..].fill(T::zero());
        }
    }
}
