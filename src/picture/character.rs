//! Statistics of a picture that decide its default settings.

use super::Picture;

/// About how many pixels are sampled. Larger pictures are sampled in whole rows.
const PIXELS: u64 = 1 << 20;

impl Picture {
    /// Whether the picture is mostly black or white, like pages, drawings and night skies: 40 % of the values are at
    /// an end of the range, or their mean is within 8 % of one. The share is at most 17 % in each of 18 photographs and
    /// at least 67 % in each of 17 drawings, pages and skies.
    pub fn is_mostly_black_or_white(&self) -> bool {
        let (mut n, mut at_ends, mut sum) = (0.0, 0.0, 0.0);
        for row in self.sampled_rows() {
            for x in 0..self.width as usize {
                for c in 0..self.color_channels() {
                    let value = self.at(x, row, c);
                    let is_end = !(1.5 / 255.0..=253.5 / 255.0).contains(&value);
                    (n, at_ends, sum) = (n + 1.0, at_ends + f64::from(u8::from(is_end)), sum + value);
                }
            }
        }
        at_ends > 0.4 * n || !(0.08..=0.92).contains(&(sum / n))
    }

    /// How little neighbouring pixels correlate: their mean squared difference, across or down, whichever is smaller,
    /// over that of unrelated pixels (twice the variance). Near 0 for a smooth picture, 1 for noise, 0 for one colour.
    pub fn roughness(&self) -> f64 {
        let (width, height) = (self.width as usize, self.height as usize);
        let (mut values, mut across, mut down) = <(Mean, Mean, Mean)>::default();
        let mut squares = Mean::default();
        for row in self.sampled_rows() {
            for x in 0..width {
                for c in 0..self.color_channels() {
                    let value = self.at(x, row, c);
                    values.add(value);
                    squares.add(value * value);
                    if x + 1 < width {
                        across.add((self.at(x + 1, row, c) - value).powi(2));
                    }
                    if row + 1 < height {
                        down.add((self.at(x, row + 1, c) - value).powi(2));
                    }
                }
            }
        }
        let mean = |of: Mean| (of.n > 0.0).then(|| of.sum / of.n);
        let variance = mean(squares).unwrap_or(0.0) - mean(values).unwrap_or(0.0).powi(2);
        let least = mean(across).into_iter().chain(mean(down)).reduce(f64::min);
        least.filter(|_| variance > 1e-10).map_or(0.0, |least| least / (2.0 * variance))
    }

    fn sampled_rows(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.height as usize).step_by(self.n_pixels().div_ceil(PIXELS) as usize)
    }

    fn at(&self, x: usize, row: usize, c: usize) -> f64 {
        f64::from(self.pixels.value((row * self.width as usize + x) * self.channels + c))
    }
}

#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    n: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        (self.sum, self.n) = (self.sum + value, self.n + 1.0);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::picture::Pixels;

    /// 16 x 16 pixels of two channels, grey by `value` and an opaque alpha.
    fn grey(value: impl Fn(u32, u32) -> u8) -> Picture {
        let pixels = (0..256).flat_map(|i| [value(i % 16, i / 16), 255]).collect();
        Picture { width: 16, height: 16, channels: 2, pixels: Pixels::U8(pixels) }
    }

    #[test]
    fn noise_is_rough_and_lines_are_not() {
        let random: [u8; 256] = ChaCha8Rng::seed_from_u64(0).random();
        let noise = grey(|x, y| random[(16 * y + x) as usize]).roughness();
        assert!((0.7..1.3).contains(&noise), "{noise}");
        // Pixels vary across only: each equals the one below.
        assert_eq!(grey(|x, _| if x % 2 == 0 { 40 } else { 200 }).roughness(), 0.0);
        assert!(grey(|x, y| (8 * x + 7 * y) as u8).roughness() < 0.05);
        assert_eq!(grey(|_, _| 90).roughness(), 0.0);
        let pixel = Picture { width: 1, height: 1, channels: 1, pixels: Pixels::U8(vec![3]) };
        assert_eq!(pixel.roughness(), 0.0);
    }

    #[test]
    fn pages_and_skies_are_mostly_black_or_white_whatever_their_alpha() {
        assert!(grey(|x, _| if x == 3 { 0 } else { 255 }).is_mostly_black_or_white());
        assert!(grey(|x, y| (x + y) as u8 % 12).is_mostly_black_or_white());
        assert!(!grey(|x, y| (8 * x + 7 * y) as u8).is_mostly_black_or_white());
    }

    #[test]
    fn only_finite_values_are_clamped_to_black_and_white() {
        let picture = grey(|_, _| 90);
        assert_eq!([-0.5, 0.25, 1.5].map(|value| picture.in_range(value)), [0.0, 0.25, 1.0]);
        assert!(picture.in_range(f32::INFINITY).is_infinite() && picture.in_range(f32::NAN).is_nan());
        let hdr = Picture { pixels: Pixels::F32(vec![7.0; 512]), ..picture };
        assert_eq!(hdr.in_range(7.0), 7.0);
    }
}
