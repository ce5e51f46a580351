//! Grids in bands of rows, each coded without the others, so that a part of a picture is decoded alone.

use super::coder::{Damaged, Reader, Writer};
use super::fixed::{FixedContext, POINT, Rows};
use super::shape::{MARGIN, NEIGHBOURS, Shape};
use super::tables::Density;
use crate::backend::cpu::simd::vectorised;
use std::ops::Range;

/// Rows of a band.
pub(super) const BAND: usize = 128;

/// A level and rows of its grid.
pub(super) type Band = (usize, Range<usize>);

/// All bands, in the order of the file: coarse grids first.
pub(super) fn bands(shape: &Shape) -> Vec<Band> {
    let of_level = |level: usize| {
        let height = shape.grid(level).1;
        (0..height).step_by(BAND).map(move |row| (level, row..(row + BAND).min(height)))
    };
    (0..shape.levels).rev().flat_map(of_level).collect()
}

/// Writes the integers of a band.
pub(super) fn write(context: &FixedContext, (level, rows): &Band, grid: &Rows) -> Vec<u8> {
    let mut writer = Writer::default();
    let put = |density, x: usize, y: usize| {
        let integer = grid.row(0, y + rows.start)[x];
        writer.put(density, integer);
        Ok(integer)
    };
    code(context, *level, (grid.width, rows.len()), put).expect("an integer that is known");
    writer.into_bytes()
}

/// Reads the integers of a band.
pub(super) fn read(
    context: &FixedContext,
    (level, rows): &Band,
    width: usize,
    bytes: &[u8],
) -> Result<Vec<i32>, Damaged> {
    let mut reader = Reader::new(bytes);
    code(context, *level, (width, rows.len()), |density, _, _| reader.get(density))
}

/// Calls `next` for each place with the distribution of its integer, which it returns.
fn code(
    context: &FixedContext,
    level: usize,
    size: (usize, usize),
    next: impl FnMut(Density, usize, usize) -> Result<i32, Damaged>,
) -> Result<Vec<i32>, Damaged> {
    vectorised!(each(context, level, size, next))
}

#[inline(always)]
fn each(
    context: &FixedContext,
    level: usize,
    (width, height): (usize, usize),
    mut next: impl FnMut(Density, usize, usize) -> Result<i32, Damaged>,
) -> Result<Vec<i32>, Damaged> {
    let stride = width + 2 * MARGIN;
    let mut padded = vec![0_i32; stride * (height + MARGIN)];
    let mut steps = [0; NEIGHBOURS.len()];
    for (step, (dx, dy)) in steps.iter_mut().zip(NEIGHBOURS) {
        *step = -(dy * stride as isize + dx) as usize;
    }
    let mut integers = Vec::with_capacity(width * height);
    for y in 0..height {
        let begin = (y + MARGIN) * stride + MARGIN;
        for x in 0..width {
            let mut neighbours = [0; NEIGHBOURS.len()];
            for (neighbour, step) in neighbours.iter_mut().zip(&steps) {
                *neighbour = padded[begin + x - step];
            }
            let integer = next(context.density(level, &neighbours), x, y)?;
            padded[begin + x] = integer.wrapping_shl(POINT);
            integers.push(integer);
        }
    }
    Ok(integers)
}
