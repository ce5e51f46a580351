//! 255 colours for a film, and dithering to them.

use color_quant::NeuQuant;
use image::RgbImage;

/// A palette with a lookup table for the nearest entry of any colour.
pub(crate) struct Palette {
    colors: Vec<[u8; 3]>,
    /// Nearest entry for each cell of the colour cube, red slowest.
    nearest: Vec<u8>,
}

/// The index of an unchanged pixel.
pub(crate) const TRANSPARENT: u8 = 255;

/// The screen after the previous frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Source colour of each pixel when it was last drawn; empty before the first frame.
    sources: Vec<[u8; 3]>,
}

/// Bits of each channel in the colour cube: enough that dithering hides the rest, and fewer while
/// fitting the palette, since building the table searches the palette for each cell.
const CELL_BITS: usize = 6;
const FITTING_BITS: usize = 5;
/// Pixels that the palette is fitted to.
const SAMPLES: usize = 200_000;
/// Iterations of k-means after the initial guess.
const ROUNDS: usize = 4;

impl Palette {
    /// Fits 255 colours to `images`: Dekker's NeuQuant, then k-means.
    pub(crate) fn fit(images: &[&RgbImage]) -> Self {
        let total: usize = images.iter().map(|i| (i.width() * i.height()) as usize).sum();
        let stride = (total / SAMPLES).max(1);
        let samples: Vec<[u8; 3]> =
            images.iter().flat_map(|image| image.pixels()).step_by(stride).map(|p| p.0).collect();
        let rgba: Vec<u8> = samples.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
        let start = NeuQuant::new(3, usize::from(TRANSPARENT), &rgba);
        let mut colors: Vec<[u8; 3]> =
            start.color_map_rgb().chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
        for _ in 0..ROUNDS {
            refine(&mut colors, &samples);
        }
        Self { nearest: nearest_table(&colors, CELL_BITS), colors }
    }

    /// The colours as stored in a GIF: 256 RGB triples, the last for [`TRANSPARENT`].
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.colors.iter().flatten().copied().collect();
        bytes.resize(3 * 256, 0);
        bytes
    }

    fn index(&self, rgb: [f32; 3]) -> u8 {
        self.nearest[cell(rgb.map(|v| v as u8), CELL_BITS)]
    }

    /// Indices that draw `image` over what is `shown`. Pixels that differ by at most `unseen` in each
    /// channel are [`TRANSPARENT`]. The others are dithered by error diffusion (Floyd and Steinberg
    /// 1976), in serpentine order to avoid worm artefacts.
    pub(crate) fn dither(&self, image: &RgbImage, shown: &mut Shown, unseen: u8) -> Vec<u8> {
        /// Below 1, to reduce flicker in flat areas.
        const PASSED_ON: f32 = 0.85;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let is_first = shown.sources.is_empty();
        shown.sources.resize(width * height, [0; 3]);
        let mut out = vec![TRANSPARENT; width * height];
        // Errors of this row and the next, padded by a column at both ends.
        let (mut here, mut below) = (vec![[0.0f32; 3]; width + 2], vec![[0.0f32; 3]; width + 2]);
        for y in 0..height {
            for i in 0..width {
                let leftwards = y % 2 == 1;
                let x = if leftwards { width - 1 - i } else { i };
                let pixel = image.get_pixel(x as u32, y as u32).0;
                let source = &mut shown.sources[y * width + x];
                if !is_first && (0..3).all(|c| pixel[c].abs_diff(source[c]) <= unseen) {
                    // Its error was diffused when it was drawn.
                    continue;
                }
                *source = pixel;
                let wanted: [f32; 3] =
                    std::array::from_fn(|c| (f32::from(pixel[c]) + here[x + 1][c]).clamp(0.0, 255.0));
                let index = self.index(wanted);
                out[y * width + x] = index;
                let chosen = self.colors[usize::from(index)];
                let (ahead, behind) = if leftwards { (x, x + 2) } else { (x + 2, x) };
                for c in 0..3 {
                    let error = (wanted[c] - f32::from(chosen[c])) * PASSED_ON / 16.0;
                    here[ahead][c] += 7.0 * error;
                    below[behind][c] += 3.0 * error;
                    below[x + 1][c] += 5.0 * error;
                    below[ahead][c] += error;
                }
            }
            std::mem::swap(&mut here, &mut below);
            below.fill([0.0; 3]);
        }
        out
    }
}

/// One iteration of Lloyd's algorithm.
fn refine(colors: &mut [[u8; 3]], samples: &[[u8; 3]]) {
    let table = nearest_table(colors, FITTING_BITS);
    let mut sums = vec![[0u64; 4]; colors.len()];
    for sample in samples {
        let sum = &mut sums[usize::from(table[cell(*sample, FITTING_BITS)])];
        for c in 0..3 {
            sum[c] += u64::from(sample[c]);
        }
        sum[3] += 1;
    }
    for (color, [r, g, b, n]) in colors.iter_mut().zip(sums) {
        if n > 0 {
            *color = [r, g, b].map(|sum| ((sum + n / 2) / n) as u8);
        }
    }
}

/// Index of a colour's cell, red slowest.
fn cell(rgb: [u8; 3], bits: usize) -> usize {
    rgb.iter().fold(0, |number, &v| (number << bits) | (usize::from(v) >> (8 - bits)))
}

fn nearest_table(colors: &[[u8; 3]], bits: usize) -> Vec<u8> {
    use rayon::prelude::*;
    let middle = |cell: usize| (cell << (8 - bits)) as i32 + (1 << (7 - bits));
    let mask = (1 << bits) - 1;
    let nearest = |cell: usize| {
        let at = [cell >> (2 * bits), (cell >> bits) & mask, cell & mask].map(middle);
        let distance = |color: &[u8; 3]| {
            // Perceptual weights: green most, blue least.
            let d: [i32; 3] = std::array::from_fn(|c| at[c] - i32::from(color[c]));
            3 * d[0] * d[0] + 4 * d[1] * d[1] + 2 * d[2] * d[2]
        };
        let best = (0..colors.len()).min_by_key(|&i| distance(&colors[i]));
        best.expect("a palette has colours") as u8
    };
    (0..1usize << (3 * bits)).into_par_iter().map(nearest).collect()
}
