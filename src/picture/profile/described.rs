//! What a file says about the colours and the alpha of its values.

use std::io::{BufRead, Seek};

/// Positions of red, green, blue and white in the CIE 1931 diagram.
pub(in crate::picture) type Chromaticities = [[f32; 2]; 4];

/// What a file says of its values. By default nothing: sRGB, or linear light for floats.
#[derive(Clone, Debug, Default)]
pub(in crate::picture) struct Described {
    /// An ICC profile.
    pub(in crate::picture) icc: Option<Vec<u8>>,
    /// PNG's code points of primaries and transfer function, and whether the range is full.
    pub(in crate::picture) cicp: Option<(u8, u8, bool)>,
    /// PNG says that it is sRGB.
    pub(in crate::picture) is_srgb: bool,
    /// A camera says that it is Adobe RGB.
    pub(in crate::picture) is_adobe_rgb: bool,
    /// PNG's exponent of encoded values: 0.45455 is nearly sRGB.
    pub(in crate::picture) gamma: Option<f32>,
    /// PNG's and OpenEXR's primaries.
    pub(in crate::picture) chromaticities: Option<Chromaticities>,
    /// The colour space from which the decoder has converted to sRGB.
    pub(in crate::picture) converted: Option<String>,
}

/// Memory for a PNG's chunks.
const MAX_PNG_BYTES: usize = 64 << 20;

impl Described {
    /// What the chunks of a PNG say; damage is found when its pixels are read. Leaves the reader at the start.
    pub(in crate::picture) fn read_png(reader: &mut (impl BufRead + Seek)) -> Self {
        let found = Self::of_png(reader);
        // If it fails, reading the pixels fails too.
        let _ = reader.rewind();
        found.unwrap_or_default()
    }

    fn of_png(reader: &mut (impl BufRead + Seek)) -> Option<Self> {
        let limits = png::Limits { bytes: MAX_PNG_BYTES };
        let mut decoder = png::Decoder::new_with_limits(reader, limits);
        decoder.set_ignore_text_chunk(true);
        let reader = decoder.read_info().ok()?;
        let info = reader.info();
        let point = |(x, y): (png::ScaledFloat, png::ScaledFloat)| [x.into_value(), y.into_value()];
        Some(Self {
            icc: info.icc_profile.as_deref().map(<[u8]>::to_vec),
            cicp: info.coding_independent_code_points.map(|points| {
                (points.color_primaries, points.transfer_function, points.is_video_full_range_image)
            }),
            is_srgb: info.srgb.is_some(),
            gamma: info.gama_chunk.map(png::ScaledFloat::into_value),
            chromaticities: info
                .chrm_chunk
                .map(|c| [point(c.red), point(c.green), point(c.blue), point(c.white)]),
            ..Self::default()
        })
    }
}
