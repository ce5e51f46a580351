//! Colours that nobody sees, where alpha is 0.
//!
//! What a file has there is arbitrary: often black, or what an editor left behind. [`Transparent::Fill`] replaces it by
//! a smooth continuation of the colours around, so that the network need not learn an edge, and comparisons leave
//! it out.

use super::{Picture, Pixels};
use crate::names::named;
use rayon::prelude::*;

named! {
    /// What becomes of colours where alpha is 0.
    pub enum Transparent = Fill {
        /// Replaced by a smooth continuation of the visible colours, and not measured.
        Fill "fill",
        /// Trained on and measured as they are in the file.
        Keep "keep",
    }
}

/// The pixels of a picture whose colours are not compared.
#[derive(Clone, Copy, Debug)]
pub struct Hidden<'a> {
    truth: &'a Picture,
}

impl Picture {
    /// The pixels whose colours are hidden, since alpha is 0. None with [`Transparent::Keep`], and in HDR, whose colours
    /// are light even without opacity.
    pub fn hidden(&self, transparent: Transparent) -> Option<Hidden<'_>> {
        let hides = transparent == Transparent::Fill && self.has_straight_alpha();
        hides.then_some(Hidden { truth: self })
    }
}

impl Hidden<'_> {
    /// Whether the colour of `pixel` is hidden.
    #[inline]
    pub fn contains(&self, pixel: usize) -> bool {
        let alpha = (pixel + 1) * self.truth.channels - 1;
        match &self.truth.pixels {
            Pixels::U8(values) => values[alpha] == 0,
            Pixels::U16(values) => values[alpha] == 0,
            Pixels::F32(_) => false,
        }
    }

    /// Number of pixels.
    pub fn count(&self) -> u64 {
        let n = self.truth.n_pixels() as usize;
        (0..n).into_par_iter().filter(|&pixel| self.contains(pixel)).count() as u64
    }

    /// `picture` with the truth's colours where they are hidden, so that it does not differ there.
    pub(super) fn agreeing(&self, picture: &Picture) -> Picture {
        let mut picture = picture.clone();
        match (&mut picture.pixels, &self.truth.pixels) {
            (Pixels::U8(values), Pixels::U8(truth)) => self.copy(values, truth),
            (Pixels::U16(values), Pixels::U16(truth)) => self.copy(values, truth),
            _ => unreachable!("pictures to compare have the same depth"),
        }
        picture
    }

    fn copy<T: Copy>(&self, values: &mut [T], truth: &[T]) {
        let channels = self.truth.channels;
        for pixel in (0..values.len() / channels).filter(|&pixel| self.contains(pixel)) {
            let colors = pixel * channels..(pixel + 1) * channels - 1;
            values[colors.clone()].copy_from_slice(&truth[colors]);
        }
    }
}

impl Transparent {
    /// Does this to a picture at its training size. Returns the first half of a sentence for the user if colours were
    /// replaced.
    pub fn apply(self, picture: &mut Picture) -> Option<String> {
        let n_hidden = picture.hidden(self)?.count();
        if n_hidden == 0 {
            return None;
        }
        fill(picture);
        let percent = 100.0 * n_hidden as f64 / picture.n_pixels() as f64;
        let share = if percent < 0.5 { "less than 1".to_owned() } else { format!("{percent:.0}") };
        Some(format!("{share} % of the pixels are fully transparent; their colours are not"))
    }
}

/// Replaces hidden colours.
fn fill(picture: &mut Picture) {
    let (width, height) = (picture.width as usize, picture.height as usize);
    match (&mut picture.pixels, picture.channels) {
        (Pixels::U8(values), 2) => fill_values::<_, 2, 1>(values, (width, height)),
        (Pixels::U8(values), _) => fill_values::<_, 4, 3>(values, (width, height)),
        (Pixels::U16(values), 2) => fill_values::<_, 2, 1>(values, (width, height)),
        (Pixels::U16(values), _) => fill_values::<_, 4, 3>(values, (width, height)),
        (Pixels::F32(_), _) => {}
    }
}

trait Value: Copy + PartialEq + Default + Send + Sync {
    /// In 16 bits.
    fn wide(self) -> u16;
    fn narrow(wide: u16) -> Self;
}

impl Value for u8 {
    fn wide(self) -> u16 {
        u16::from(self) * 257
    }

    fn narrow(wide: u16) -> Self {
        ((u32::from(wide) + 128) / 257) as Self
    }
}

impl Value for u16 {
    fn wide(self) -> u16 {
        self
    }

    fn narrow(wide: u16) -> Self {
        wide
    }
}

/// A picture of a quarter of the pixels: means of the visible ones of each four, if there are any.
struct Level<const COLORS: usize> {
    width: usize,
    height: usize,
    /// With whether there is a colour.
    cells: Vec<([u16; COLORS], bool)>,
}

/// Pulls the visible colours up a pyramid of means, and pushes them down to where there are none (Gortler et al. 1996,
/// "The Lumigraph", section 4.3.2), in whole numbers.
fn fill_values<T: Value, const CHANNELS: usize, const COLORS: usize>(
    values: &mut [T],
    (width, height): (usize, usize),
) {
    let (pixels, _) = values.as_chunks_mut::<CHANNELS>();
    let color = |pixel: &[T; CHANNELS]| {
        let visible = pixel[CHANNELS - 1] != T::default();
        (std::array::from_fn(|c| pixel[c].wide()), visible)
    };
    let mut levels: Vec<Level<COLORS>> = vec![pull((width, height), |at| color(&pixels[at]))];
    while let Some(last) = levels.last().filter(|level| level.cells.len() > 1) {
        levels.push(pull((last.width, last.height), |at| last.cells[at]));
    }
    for i in (1..levels.len()).rev() {
        let (fine, coarse) = levels.split_at_mut(i);
        push(&mut fine[i - 1], &coarse[0]);
    }
    let coarse = &levels[0];
    pixels.par_chunks_exact_mut(width).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.iter_mut().enumerate().filter(|(_, pixel)| pixel[CHANNELS - 1] == T::default())
        {
            let smooth = coarse.between(x, y);
            (0..COLORS).for_each(|c| pixel[c] = T::narrow(smooth[c]));
        }
    });
}

/// The level above one of `width` by `height` cells.
fn pull<const COLORS: usize>(
    (width, height): (usize, usize),
    cell: impl Fn(usize) -> ([u16; COLORS], bool) + Sync,
) -> Level<COLORS> {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut cells = vec![([0; COLORS], false); half_width * half_height];
    cells.par_chunks_exact_mut(half_width).enumerate().for_each(|(y, row)| {
        for (x, out) in row.iter_mut().enumerate() {
            let (mut sums, mut n) = ([0u32; COLORS], 0);
            for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| (2 * x + dx, 2 * y + dy)) {
                if x < width && y < height {
                    let (color, visible) = cell(y * width + x);
                    if visible {
                        (0..COLORS).for_each(|c| sums[c] += u32::from(color[c]));
                        n += 1;
                    }
                }
            }
            if n > 0 {
                *out = (sums.map(|sum| ((sum + n / 2) / n) as u16), true);
            }
        }
    });
    Level { width: half_width, height: half_height, cells }
}

/// Fills the empty cells of `fine` from the level above it.
fn push<const COLORS: usize>(fine: &mut Level<COLORS>, coarse: &Level<COLORS>) {
    fine.cells.par_chunks_exact_mut(fine.width).enumerate().for_each(|(y, row)| {
        for (x, cell) in row.iter_mut().enumerate().filter(|(_, cell)| !cell.1) {
            cell.0 = coarse.between(x, y);
        }
    });
}

impl<const COLORS: usize> Level<COLORS> {
    /// The colour at cell (`x`, `y`) of the level below, interpolated between the four nearest: 9, 3, 3 and 1
    /// sixteenths.
    fn between(&self, x: usize, y: usize) -> [u16; COLORS] {
        let beside = |i: usize, n: usize| match i % 2 {
            0 => (i / 2).saturating_sub(1),
            _ => (i / 2 + 1).min(n - 1),
        };
        let (near_x, near_y) = (x / 2, y / 2);
        let (far_x, far_y) = (beside(x, self.width), beside(y, self.height));
        let at = |x: usize, y: usize| self.cells[y * self.width + x].0;
        let corners = [at(near_x, near_y), at(far_x, near_y), at(near_x, far_y), at(far_x, far_y)];
        std::array::from_fn(|c| {
            let [a, b, d, e] = corners.map(|corner| u32::from(corner[c]));
            ((9 * a + 3 * (b + d) + e + 8) / 16) as u16
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgba(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 4]) -> Picture {
        let pixels = (0..width * height).flat_map(|i| color(i % width, i / width)).collect();
        Picture { width, height, channels: 4, pixels: Pixels::U8(pixels) }
    }

    fn values(picture: &Picture) -> &[u8] {
        let Pixels::U8(values) = &picture.pixels else { panic!("8 bits") };
        values
    }

    /// A ramp around a hole with `inside` in it.
    fn with_hole(inside: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
        rgba(37, 29, |x, y| match (8..30).contains(&x) && (5..24).contains(&y) {
            true => [inside(x, y)[0], inside(x, y)[1], inside(x, y)[2], 0],
            false => [(3 * x) as u8, (5 * y) as u8, 90, 200],
        })
    }

    #[test]
    fn what_is_hidden_does_not_matter_and_continues_what_is_visible() {
        let mut noise = with_hole(|x, y| [(x * 91) as u8, (y * 57) as u8, (x * y) as u8]);
        let mut black = with_hole(|_, _| [0; 3]);
        let visible = black.clone();
        let note = Transparent::Fill.apply(&mut noise).expect("a note");
        assert_eq!(note, "39 % of the pixels are fully transparent; their colours are not");
        Transparent::Fill.apply(&mut black);
        assert_eq!(noise, black);
        let at = |p: &Picture, x: usize, y: usize| -> [u8; 4] {
            values(p)[(y * 37 + x) * 4..][..4].try_into().expect("a pixel")
        };
        for y in 0..29 {
            for x in 0..37 {
                let (found, before) = (at(&black, x, y), at(&visible, x, y));
                assert!(found[3] == before[3] && (before[3] == 0 || found == before), "{x}, {y}");
                // No edge: neighbours differ by little more than the ramp does.
                if x > 0 {
                    let beside = at(&black, x - 1, y);
                    assert!((0..3).all(|c| found[c].abs_diff(beside[c]) <= 16), "{x}, {y}: {found:?}");
                    assert_eq!(found[2], 90);
                }
            }
        }
        // Again, it changes nothing.
        let once = black.clone();
        Transparent::Fill.apply(&mut black);
        assert_eq!(black, once);
    }

    #[test]
    fn pictures_without_hidden_colours_are_left_alone() {
        let opaque = rgba(9, 5, |x, y| [x as u8, y as u8, 7, 1]);
        let hidden = rgba(9, 5, |x, y| [x as u8, y as u8, 7, 0]);
        let glow =
            Picture { pixels: Pixels::F32(vec![0.5, 0.5, 0.5, 0.0]), width: 1, height: 1, channels: 4 };
        for (transparent, picture) in
            [(Transparent::Fill, opaque), (Transparent::Keep, hidden.clone()), (Transparent::Fill, glow)]
        {
            let mut after = picture.clone();
            assert_eq!(transparent.apply(&mut after), None);
            assert_eq!(after, picture);
        }
        let mut all = hidden;
        let note = Transparent::Fill.apply(&mut all).expect("a note");
        assert!(note.starts_with("100 %"), "{note}");
        assert!(values(&all).iter().all(|&v| v == 0));
    }

    #[test]
    fn sixteen_bits_and_grey_are_filled_too() {
        let pixels = Pixels::U16(vec![40_000, 65_535, 3, 0, 50_000, 9]);
        let mut grey = Picture { width: 3, height: 1, channels: 2, pixels };
        Transparent::Fill.apply(&mut grey);
        let Pixels::U16(values) = &grey.pixels else { panic!("16 bits") };
        assert_eq!((values[0], values[4]), (40_000, 50_000));
        assert!((40_000..=50_000).contains(&values[2]), "{values:?}");
    }
}
