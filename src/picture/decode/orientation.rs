//! Turning pictures upright.

use crate::picture::{Picture, Pixels};
use image::metadata::Orientation;

impl Picture {
    /// The picture turned and mirrored so that it is upright.
    pub(super) fn oriented(self, orientation: Orientation) -> Self {
        use Orientation::{
            FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270,
            Rotate270FlipH,
        };
        // Whether rows become columns, and which of the file's axes then run backwards: across and down.
        let (transpose, back_x, back_y) = match orientation {
            NoTransforms => return self,
            FlipHorizontal => (false, true, false),
            Rotate180 => (false, true, true),
            FlipVertical => (false, false, true),
            Rotate90FlipH => (true, false, false),
            Rotate90 => (true, false, true),
            Rotate270FlipH => (true, true, true),
            Rotate270 => (true, true, false),
        };
        let (width, height) = (self.width as usize, self.height as usize);
        let (out_width, out_height) = if transpose { (height, width) } else { (width, height) };
        let place = |at: usize| {
            let (x, y) = (at % out_width, at / out_width);
            let (x, y) = if transpose { (y, x) } else { (x, y) };
            let (x, y) = (if back_x { width - 1 - x } else { x }, if back_y { height - 1 - y } else { y });
            y * width + x
        };
        let places = || (0..out_width * out_height).map(place);
        let channels = self.channels;
        let pixels = match self.pixels {
            Pixels::U8(v) => Pixels::U8(gathered(&v, places(), channels)),
            Pixels::U16(v) => Pixels::U16(gathered(&v, places(), channels)),
            Pixels::F32(v) => Pixels::F32(gathered(&v, places(), channels)),
        };
        Self { width: out_width as u32, height: out_height as u32, channels, pixels }
    }
}

fn gathered<T: Copy>(values: &[T], places: impl Iterator<Item = usize>, channels: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(values.len());
    places.for_each(|place| out.extend_from_slice(&values[place * channels..(place + 1) * channels]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, RgbImage};

    #[test]
    fn pictures_turn_as_image_turns_them() {
        let values: Vec<u8> = (0..3 * 5 * 3).collect();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).expect("one of eight");
            let mut expected =
                DynamicImage::from(RgbImage::from_raw(5, 3, values.clone()).expect("45 values"));
            expected.apply_orientation(orientation);
            let found = Picture { width: 5, height: 3, channels: 3, pixels: Pixels::U8(values.clone()) }
                .oriented(orientation);
            assert_eq!((found.width, found.height), (expected.width(), expected.height()), "{exif}");
            assert_eq!(found.pixels, Pixels::U8(expected.into_bytes()), "{exif}");
        }
    }
}
