//! The embedded font: Inter, Latin and Greek (`assets/fonts`, SIL Open Font License).

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::RgbImage;
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

static REGULAR: LazyLock<FontRef<'static>> =
    LazyLock::new(|| embedded(include_bytes!("../../assets/fonts/Inter-Regular.ttf")));
static SEMI_BOLD: LazyLock<FontRef<'static>> =
    LazyLock::new(|| embedded(include_bytes!("../../assets/fonts/Inter-SemiBold.ttf")));

fn embedded(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the embedded font is valid")
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TextStyle {
    pub(crate) size: f32,
    pub(crate) weight: Weight,
    pub(crate) rgb: [u8; 3],
}

/// Height of capitals and digits relative to the size.
pub(crate) const CAP_HEIGHT: f32 = 0.727;

impl TextStyle {
    fn font(&self) -> &'static FontRef<'static> {
        match self.weight {
            Weight::Regular => &REGULAR,
            Weight::SemiBold => &SEMI_BOLD,
        }
    }

    /// ab_glyph scales by the height from descender to ascender.
    fn scale(&self) -> PxScale {
        let font = self.font();
        let per_em = font.height_unscaled() / font.units_per_em().expect("the embedded font has units");
        PxScale::from(self.size * per_em)
    }

    /// Width of a line of text in pixels.
    pub(crate) fn text_width(&self, text: &str) -> f32 {
        let font = self.font().as_scaled(self.scale());
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// Draws one line of text with its left end and baseline at (x, y), clipped to the image.
    pub(crate) fn draw(&self, image: &mut RgbImage, x: f32, y: f32, text: &str) {
        let font = self.font().as_scaled(self.scale());
        let mut pen = x;
        for c in text.chars() {
            let id = font.glyph_id(c);
            let glyph = id.with_scale_and_position(self.scale(), point(pen, y));
            pen += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (x, y) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
                blend(image, x, y, self.rgb, coverage);
            });
        }
    }
}

/// Blends `rgb` into pixel (x, y), if it exists, by `coverage` in [0, 1].
pub(super) fn blend(image: &mut RgbImage, x: i64, y: i64, rgb: [u8; 3], coverage: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    let Some(pixel) = image.get_pixel_mut_checked(x, y) else { return };
    let coverage = coverage.clamp(0.0, 1.0);
    for (old, new) in pixel.0.iter_mut().zip(rgb) {
        let mixed = f32::from(*old) * (1.0 - coverage) + f32::from(new) * coverage;
        *old = (mixed + 0.5) as u8;
    }
}
