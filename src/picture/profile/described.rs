//! What a file says about the colours and the alpha of its values.

use crate::picture::alpha::Stored;
use image::ImageFormat;
use std::io::{BufRead, BufReader, Seek};
use tiff::tags::Tag;

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
    /// PNG's exponent of encoded values: 0.45455 is nearly sRGB.
    pub(in crate::picture) gamma: Option<f32>,
    /// PNG's and OpenEXR's primaries.
    pub(in crate::picture) chromaticities: Option<Chromaticities>,
    /// How colours are stored with alpha, if the format leaves it open; `None` inside if the file does too.
    pub(in crate::picture) alpha: Option<Option<Stored>>,
    /// The colour space from which the decoder has converted to sRGB.
    pub(in crate::picture) converted: Option<String>,
    /// A colour space that is none of RGB, grey or CMYK, by its name.
    pub(in crate::picture) unsupported: Option<&'static str>,
}

/// Memory for a PNG's chunks.
const MAX_PNG_BYTES: usize = 64 << 20;

impl Described {
    /// Reads what the headers of a file say; damage is found when its pixels are read. Leaves the reader at the start.
    pub(in crate::picture) fn read(reader: &mut (impl BufRead + Seek), format: ImageFormat) -> Self {
        let found = match format {
            ImageFormat::Png => Self::of_png(reader),
            ImageFormat::Tiff => Self::of_tiff(reader),
            ImageFormat::OpenExr => Self::of_exr(reader),
            _ => None,
        };
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

    fn of_tiff(reader: &mut (impl BufRead + Seek)) -> Option<Self> {
        const CIE_LAB: u16 = 8;
        const ICC_LAB: u16 = 9;
        const ITU_LAB: u16 = 10;
        let mut decoder = tiff::decoder::Decoder::new(BufReader::new(reader)).ok()?;
        let extra: Option<Vec<u16>> = decoder.find_tag_unsigned_vec(Tag::ExtraSamples).ok()?;
        let alpha = extra.map(|extra| match extra.first() {
            Some(1) => Some(Stored::Associated),
            Some(2) => Some(Stored::Straight),
            _ => None,
        });
        let interpretation: Option<u16> =
            decoder.find_tag_unsigned(Tag::PhotometricInterpretation).ok().flatten();
        let is_lab = interpretation.is_some_and(|i| [CIE_LAB, ICC_LAB, ITU_LAB].contains(&i));
        let icc = decoder.find_tag(Tag::IccProfile).ok().flatten().and_then(|tag| tag.into_u8_vec().ok());
        let unsupported = is_lab.then_some("CIE L*a*b*");
        Some(Self { icc, alpha, unsupported, ..Self::default() })
    }

    fn of_exr(reader: &mut (impl BufRead + Seek)) -> Option<Self> {
        let meta = exr::meta::MetaData::read_from_buffered(reader, false).ok()?;
        let found = meta.headers.first()?.shared_attributes.chromaticities;
        let chromaticities =
            found.map(|c| [c.red, c.green, c.blue, c.white].map(|point| [point.x(), point.y()]));
        Some(Self { chromaticities, ..Self::default() })
    }
}
