//! Error maps with a labelled scale that fits the picture.

use super::error_map::{pixel_errors, ramp};
use super::font::{TextStyle, Weight};
use super::panel::{fitted_size, picture_of};
use crate::picture::{Picture, Transparent};
use image::{Rgb, RgbImage};

/// The end of the scale: a round number of levels of 255 that 99.5 % of `errors` do not exceed.
pub(crate) fn scale_for(errors: &[f32]) -> f64 {
    let mut sorted = errors.to_vec();
    let at = (sorted.len().saturating_sub(1)) * 199 / 200;
    let (_, percentile, _) = sorted.select_nth_unstable_by(at, f32::total_cmp);
    let levels = f64::from(*percentile) * 255.0;
    const ROUND: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 255.0];
    *ROUND.iter().find(|&&round| levels <= round).unwrap_or(&255.0)
}

/// The errors of `prediction` as colours, above a scale labelled in levels of 255. The scale ends at
/// `top`, or by default at [`scale_for`] the errors; use the same `top` to compare maps. Tiny pictures
/// are enlarged.
///
/// # Panics
/// When the pictures differ in size or channels.
pub fn labelled_error_map(
    (prediction, target): (&Picture, &Picture),
    transparent: Transparent,
    top: Option<f64>,
) -> Picture {
    let errors = pixel_errors(prediction, target, transparent);
    let top = top.unwrap_or_else(|| scale_for(&errors));
    let (width, height) = fitted_size(target.width, target.height, u32::MAX, u32::MAX);
    let factor = width / target.width;
    let legend = Legend::new(width.max(MIN_WIDTH), top);
    let mut sheet = RgbImage::from_pixel(width.max(MIN_WIDTH), height + legend.height(), Rgb([255; 3]));
    for (x, y, pixel) in sheet.enumerate_pixels_mut().filter(|(x, y, _)| *x < width && *y < height) {
        let error = errors[((y / factor) * target.width + x / factor) as usize];
        *pixel = Rgb(ramp(error * 255.0 / top as f32));
    }
    legend.draw(&mut sheet, height);
    picture_of(sheet)
}

/// Minimum width, for the labels.
const MIN_WIDTH: u32 = 240;

/// The scale below a map.
struct Legend {
    width: u32,
    top: f64,
    style: TextStyle,
}

impl Legend {
    fn new(width: u32, top: f64) -> Self {
        let size = (width as f32 * 0.028).clamp(13.0, 48.0);
        Self { width, top, style: TextStyle { size, weight: Weight::Regular, rgb: [0x22; 3] } }
    }

    fn height(&self) -> u32 {
        (self.style.size * 4.6) as u32
    }

    fn draw(&self, sheet: &mut RgbImage, below: u32) {
        let size = self.style.size;
        let (left, right) = (size, self.width as f32 - size);
        let (bar_top, bar_bottom) = (below + (size * 0.6) as u32, below + (size * 1.4) as u32);
        for x in left as u32..right as u32 {
            let color = Rgb(ramp((x as f32 - left) / (right - left)));
            (bar_top..bar_bottom).for_each(|y| sheet.put_pixel(x, y, color));
        }
        let mut label = |share: f32, lines: f32, text: &str| {
            let width = self.style.text_width(text);
            let x = (left + (right - left) * share - width / 2.0).clamp(left, right - width);
            self.style.draw(sheet, x, bar_bottom as f32 + size * (1.15 + 1.3 * lines), text);
        };
        label(0.0, 0.0, "0");
        label(0.5, 0.0, &number(self.top / 2.0));
        let end = if self.top < 255.0 { "+" } else { "" };
        label(1.0, 0.0, &format!("{}{end}", number(self.top)));
        label(0.5, 1.0, "error, of a range of 0 to 255");
    }
}

fn number(levels: f64) -> String {
    if levels.fract() == 0.0 { format!("{levels}") } else { format!("{levels:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    fn grey(width: u32, values: &[u8]) -> Picture {
        let height = values.len() as u32 / width;
        Picture { width, height, channels: 1, pixels: Pixels::U8(values.to_vec()) }
    }

    #[test]
    fn the_scale_ends_above_nearly_all_errors() {
        assert_eq!(scale_for(&[0.0; 10]), 1.0);
        assert_eq!(scale_for(&[6.0 / 255.0; 10]), 10.0);
        let mut errors = vec![3.0 / 255.0; 1000];
        errors[17] = 1.0;
        assert_eq!(scale_for(&errors), 5.0);
        assert_eq!(scale_for(&[1.0]), 255.0);
    }

    #[test]
    fn a_map_shows_where_the_error_is() {
        let (a, b) = (grey(200, &[7; 200 * 150]), grey(200, &[7; 200 * 150]));
        let mut wrong = a.clone();
        let Pixels::U8(values) = &mut wrong.pixels else { unreachable!() };
        values[200 * 100 + 60] = 57;
        let map = labelled_error_map((&wrong, &b), Transparent::Fill, Some(50.0));
        assert_eq!(map.width, 240, "room for the labels");
        let Pixels::U8(out) = &map.pixels else { unreachable!() };
        let at = |x: usize, y: usize| &out[(y * 240 + x) * 3..][..3];
        assert_eq!(at(60, 100), [255; 3]);
        assert_eq!(at(61, 100), [0; 3]);
    }
}
